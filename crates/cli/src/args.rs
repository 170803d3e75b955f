//! What can be typed.

use crate::exit::Usage;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use leakgraph_engine::Config;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  leakgraph run                            the embedded demo organisation
  leakgraph run runs/ inventory/           your logs and inventories
  leakgraph findings --severity high       what to fix first
  leakgraph explain 3f2a                   why, with the evidence
  leakgraph sql -c 'SELECT * FROM nhi_scores ORDER BY excess_low DESC LIMIT 5'
  leakgraph report -o report.html          one page to hand on

Exit codes: 0 clean, 1 tool error, 2 usage or configuration,
3 findings at or above --fail-on, 5 some input unreadable.";

const INGEST_EXAMPLES: &str = "\
Examples:
  leakgraph ingest runs/ inventory/
  leakgraph ingest --explain export.json   what is this file to leakgraph, and why?";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  leakgraph explain 3f2a91c0                   a finding, with the rows it rests on
  leakgraph explain deploy-role                an identity by its name
  leakgraph explain 3f2a91c0 --svg reach.svg   the picture of it, for a browser";

const CAN_EXAMPLES: &str = "\
Examples:
  leakgraph can deploy-role s3:PutObject arn:aws:s3:::releases/app.zip
  leakgraph can system:serviceaccount:build:ci 'create pods' 'prod/*'
  leakgraph can app:robot contents:write acme/shop

Prints yes, no or may (what cannot be decided from documents) and the statements that decide.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  leakgraph export opengraph -o reach.json      import it into BloodHound
  leakgraph export svg --around arn:aws:iam::123456789012:role/deploy -o deploy.svg";

const CUT_EXAMPLES: &str = "\
Examples:
  leakgraph cut                            the cuts that lower total exposure most, in order
  leakgraph cut --remove 1f0c --harden 88ab
  leakgraph cut --policy deploy-role > policy.json";

/// Whose is the secret a workflow leaked, what may it do that it never does,
/// and how far does the damage reach?
#[derive(Debug, Parser)]
#[command(name = "leakgraph", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// Folder of the lake, where results are kept [default: lake]
    #[arg(long, global = true, env = "LEAKGRAPH_LAKE", value_name = "DIR")]
    lake: Option<PathBuf>,
    /// Configuration file [default: leakgraph.toml, if it is there]
    #[arg(long, global = true, env = "LEAKGRAPH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Exit with 3 if there are findings of this severity or worse
    #[arg(long, global = true, env = "LEAKGRAPH_FAIL_ON", value_name = "SEVERITY")]
    fail_on: Option<String>,
    /// Worker threads; 0 takes all cores
    #[arg(long, global = true, env = "LEAKGRAPH_THREADS", value_name = "N")]
    threads: Option<usize>,
    /// Say more on stderr (-v, -vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ingest, scan and score, then show what matters (the main job)
    Run(Inputs),
    /// Read and scan inputs into the lake, without scoring
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(Ingest),
    /// Score everything in the lake again, perhaps with other weights
    Score(Score),
    /// Scan files for secrets and print them; writes no lake
    Scan(Scan),
    /// The detection rules: list, show, check rule files, measure
    #[command(subcommand)]
    Rules(Rules),
    /// Secrets the organisation knows: remember their fingerprints and names
    #[command(subcommand)]
    Known(Known),
    /// Findings, worst first
    Findings(Findings),
    /// Non-human identities by excess privilege
    Nhis(Rows),
    /// Handoffs by blast radius
    Handoffs(Rows),
    /// What let runs and jobs start, and whether it was a decision
    Triggers(Rows),
    /// Jobs in which code of others meets credentials
    Boundaries(Rows),
    /// Workflows by seven controls: trustworthy, untrustworthy or unproven
    Trust(Rows),
    /// Delegated execution, from the event that began it to the calls it ended in
    Paths(Rows),
    /// Leaked secrets: where they stand, who could read them, whether they live
    Secrets(Rows),
    /// The evidence behind a finding, an identity, a handoff, a job, a path …
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Whether an identity may do something, and which statements say so
    #[command(after_help = CAN_EXAMPLES)]
    Can(Can),
    /// What to cut first: choke points, what a cut would change, the least privilege of an identity
    #[command(after_help = CUT_EXAMPLES)]
    Cut(Cut),
    /// Write the reach graph, or a part of it, for other tools
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Ask the lake in SQL (read-only)
    Sql(Sql),
    /// Write the HTML report
    Report(Report),
    /// Print the effective configuration
    Config,
    /// Check the lake, the key and the coverage of evidence
    Doctor,
    /// Print a completion script
    Completions {
        /// Shell to write for
        shell: clap_complete::Shell,
    },
}

/// Inputs, and whether to say only what they are.
#[derive(Debug, ClapArgs)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// Say what the inputs are taken for and why; nothing is written
    #[arg(long, requires = "inputs")]
    pub(crate) explain: bool,
    /// How --explain prints
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Files, folders and zips.
#[derive(Debug, ClapArgs)]
pub(crate) struct Inputs {
    /// Run logs, inventories and activity; without any, the embedded demo
    pub(crate) inputs: Vec<PathBuf>,
    /// Rows to show of each ranking
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) top: usize,
    /// Also write the HTML report here
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) detect: Detect,
}

/// What to look for, besides what the configuration says.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Detect {
    /// Rule file, ours or of gitleaks (again for more)
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// List of fingerprints that are no findings (again for more)
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// Vault export whose values to look for: dotenv, JSON, CSV or one raw value; - is stdin
    #[arg(long, value_name = "FILE")]
    known: Vec<PathBuf>,
    /// Look for known secrets only
    #[arg(long)]
    known_only: bool,
}

impl Detect {
    /// `config` with what was asked for on the command line.
    pub(crate) fn merged(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.scan.rules.extend_from_slice(&self.rules);
        config.scan.allow.extend_from_slice(&self.allow);
        config.scan.known.extend_from_slice(&self.known);
        config.scan.known_only |= self.known_only;
        config
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Every rule in force, with those of --rules files
    List {
        /// Only this provider
        #[arg(long)]
        provider: Option<String>,
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        detect: Detect,
    },
    /// All of one rule
    Show {
        /// Id of the rule
        id: String,
        #[command(flatten)]
        detect: Detect,
    },
    /// Measure stages and rules on your own logs: nanoseconds per megabyte, one thread
    Profile {
        /// Files, folders and zips
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// Rules to show, the dearest first; 0 shows all that cost anything
        #[arg(long, default_value_t = 20, value_name = "N")]
        top: usize,
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        detect: Detect,
    },
    /// Say what is wrong with rule files, or not honoured in them
    Check {
        /// Rule files, ours or of gitleaks
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Known {
    /// Remember keyed fingerprints and names of secrets; the values are forgotten at once
    Import {
        /// Vault exports: dotenv, JSON (Vault, AWS Secrets Manager, 1Password), CSV, one raw value; - is stdin
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The fingerprints and names remembered
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Scan {
    /// Files, folders and zips to scan
    #[arg(required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Least confidence shown: verified-structure, likely, possible
    #[arg(long, default_value = "likely", value_name = "TIER")]
    pub(crate) confidence: String,
    #[command(flatten)]
    pub(crate) detect: Detect,
}

/// How much of a ranked table is shown, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct Rows {
    /// Rows to show; 0 shows all
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) top: usize,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Findings {
    /// Least severity shown
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) severity: Option<String>,
    /// Only this finding kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// Key (or its first digits) of a finding, handoff, identity, secret, run, job, decision,
    /// path or verdict, or an identity's name or ARN
    pub(crate) id: String,
    /// Draw it instead: its path, or what is near it in the reach graph; `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Can {
    /// Key (or its first digits), name or ARN of an identity
    pub(crate) principal: String,
    /// `s3:GetObject`; `get secrets` or `core/secrets:get`; `contents:write`
    pub(crate) action: String,
    /// ARN; `namespace/name`, `namespace/*` or `*`; `owner/name`
    pub(crate) resource: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Cut {
    /// Show what would change without this edge, as `leakgraph cut` names it (again for more)
    #[arg(long, value_name = "EDGE")]
    pub(crate) remove: Vec<String>,
    /// Show what one more check on this edge would change (again for more)
    #[arg(long, value_name = "EDGE")]
    pub(crate) harden: Vec<String>,
    /// Write the policy of this identity (key, name or ARN) with what it used, and what nobody could have seen
    #[arg(long, value_name = "NHI", conflicts_with_all = ["remove", "harden"])]
    pub(crate) policy: Option<String>,
    /// Folder to write the policy's documents to, instead of stdout
    #[arg(short, long, value_name = "DIR", requires = "policy")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Score {
    /// Weights to score with, instead of the built-in or configured ones (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Only say how ranks move when each weight moves by 20 %; nothing is written
    #[arg(long)]
    pub(crate) sensitivity: bool,
    /// How --sensitivity prints
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// What to write
    #[arg(value_enum)]
    pub(crate) graph: Graph,
    /// Only what is near this node, as `reach_edges` names it
    #[arg(long, value_name = "NODE")]
    pub(crate) around: Option<String>,
    /// How many edges away that may be
    #[arg(long, default_value_t = 2, requires = "around", value_name = "N")]
    pub(crate) steps: usize,
    /// Most nodes near it
    #[arg(long, default_value_t = 60, requires = "around", value_name = "N")]
    pub(crate) most: usize,
    /// File to write, instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Forms of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Graph {
    /// Graphviz
    Dot,
    /// GraphML, for Gephi, yEd, NetworkX …
    Graphml,
    /// BloodHound OpenGraph
    Opengraph,
    /// A picture; of a part only
    Svg,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Sql {
    /// Query text
    #[arg(short, long, conflicts_with = "file", value_name = "SQL")]
    pub(crate) command: Option<String>,
    /// Query file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Report {
    /// File to write
    #[arg(short, long, default_value = "report.html", value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    #[default]
    Table,
    /// A JSON array
    Json,
    /// One JSON object per line
    Ndjson,
    /// Comma-separated values
    Csv,
}

impl Args {
    /// File, then environment and flags (clap has already merged those two).
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None if Path::new("leakgraph.toml").exists() => Config::read(Path::new("leakgraph.toml"))?,
            None => Config::default(),
        };
        if let Some(lake) = &self.lake {
            config.lake.clone_from(lake);
        }
        if let Some(fail_on) = &self.fail_on {
            config.fail_on.clone_from(fail_on);
        }
        if let Some(threads) = self.threads {
            config.threads = threads;
        }
        if config.fail_on != "none" && config.fail_on.parse::<leakgraph_model::Severity>().is_err() {
            let text =
                format!("--fail-on {:?}: expected info, low, medium, high, critical or none", config.fail_on);
            return Err(Usage(text).into());
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
