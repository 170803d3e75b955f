//! The month: which runs happened, who started them, what they printed.

use crate::auditlog::TO_RERUN;
use crate::aws::unique_id;
use crate::clock::Moment;
use crate::incidents::{CANCELLED, Cancelled, RERUNS};
use crate::joblog::{JobLog, Setup, action_header, script_header};
use crate::organisation::{Dispatch, LEAKS, Leak, MASKS, Masks, Mechanism, ORGANISATION, Workflow};
use crate::random::Random;
use crate::shape;
use crate::vault::{ACCOUNT, secret};
use crate::workflows::{all, workflow};

/// One run.
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) attempt: u64,
    pub(crate) workflow: &'static Workflow,
    /// How many runs of its workflow came before.
    pub(crate) ordinal: u64,
    pub(crate) created: Moment,
    /// Of later attempts: a run keeps the time it was created.
    pub(crate) started: Moment,
    pub(crate) sender: &'static str,
}

/// A dispatch that happened.
pub(crate) struct Sent {
    pub(crate) dispatch: &'static Dispatch,
    pub(crate) parent: u64,
    pub(crate) child: Option<u64>,
    pub(crate) at: Moment,
}

const DAY: u64 = 86_400;
/// From the start of a run to the dispatch it sends, and to its child.
const TO_DISPATCH: u64 = 40;
const TO_CHILD: u64 = 3;

/// All runs of the month in order of time, and the dispatches between them.
pub(crate) fn schedule() -> (Vec<Run>, Vec<Sent>) {
    let mut runs = Vec::new();
    let mut sent = Vec::new();
    for workflow in all() {
        let mut random = Random::of(&format!("{}/{}", workflow.repo, workflow.file));
        for ordinal in 0..workflow.runs {
            let day = ordinal * 31 / workflow.runs.max(1);
            let hour = if workflow.event == "schedule" { 2 } else { 7 + random.below(11) };
            let created = Moment::at(day * DAY + hour * 3600 + random.below(3000));
            start(workflow, created, workflow.actor, &mut runs, &mut sent);
        }
    }
    runs.sort_by_key(|run: &Run| (run.created, run.id));
    let mut seen = std::collections::HashMap::new();
    for run in &mut runs {
        let count = seen.entry((run.workflow.repo, run.workflow.file)).or_insert(0);
        run.ordinal = *count;
        *count += 1;
    }
    (runs, sent)
}

/// Adds a run and whatever it starts; gives its id.
fn start(
    workflow: &'static Workflow,
    created: Moment,
    sender: &'static str,
    runs: &mut Vec<Run>,
    sent: &mut Vec<Sent>,
) -> u64 {
    let id = 17_800_000_000 + runs.len() as u64 * 1_377 + 101;
    runs.push(Run { id, attempt: 1, workflow, ordinal: 0, created, started: created, sender });
    if let Some(dispatch) = &workflow.dispatches {
        let at = created.plus(TO_DISPATCH);
        let child = self::workflow(dispatch.repo, dispatch.file);
        let child = child.map(|child| start(child, at.plus(TO_CHILD), dispatch.sender, runs, sent));
        sent.push(Sent { dispatch, parent: id, child, at });
    }
    id
}

impl Run {
    pub(crate) fn repo(&self) -> String {
        full_name(self.workflow.repo)
    }

    pub(crate) fn event(&self) -> &'static str {
        self.workflow.event
    }

    pub(crate) fn commit(&self) -> String {
        Random::of(&format!("commit {}", self.id)).hex(40)
    }

    /// Whether it is the `run`-th of that workflow in the month, from 1.
    pub(crate) fn is(&self, repo: &str, file: &str, run: u64) -> bool {
        self.workflow.repo == repo && self.workflow.file == file && self.ordinal + 1 == run
    }

    /// Its second attempt, if it has one.
    pub(crate) fn again(&self) -> Option<Self> {
        let rerun = RERUNS.iter().find(|row| self.is(row.repo, row.file, row.run));
        rerun.map(|_| Self { attempt: 2, started: self.created.plus(TO_RERUN), ..*self })
    }

    pub(crate) fn cancelled(&self) -> impl Iterator<Item = &'static Cancelled> + '_ {
        CANCELLED.iter().filter(|row| self.is(row.repo, row.file, row.run))
    }

    pub(crate) fn leaks(&self) -> impl Iterator<Item = &'static Leak> + '_ {
        LEAKS.iter().filter(|leak| self.is(leak.repo, leak.file, leak.run))
    }

    pub(crate) fn masks(&self) -> impl Iterator<Item = &'static Masks> + '_ {
        MASKS.iter().filter(|masks| self.is(masks.repo, masks.file, masks.run))
    }

    /// Archives had a file per step until the middle of the month.
    pub(crate) fn has_step_files(&self) -> bool {
        self.created.day() < 15
    }

    /// Name of the job that does the work.
    pub(crate) fn main_job(&self) -> String {
        match self.workflow.calls {
            Some(_) => format!("{} / apply", self.workflow.job),
            None => self.workflow.job.to_owned(),
        }
    }

    fn definition(&self) -> String {
        format!("{}/.github/workflows/{}@refs/heads/main", self.repo(), self.workflow.file)
    }
}

/// `owner/name`; partners' repositories come with their owner.
pub(crate) fn full_name(repo: &str) -> String {
    if repo.contains('/') { repo.to_owned() } else { format!("{ORGANISATION}/{repo}") }
}

/// ARN of a role of the organisation's account.
pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The jobs of a run, as logged.
pub(crate) fn jobs(run: &Run, sent: Option<&Sent>) -> Vec<JobLog> {
    let workflow = run.workflow;
    match workflow.calls {
        None => vec![main_job(run, sent, &run.main_job(), workflow.permissions, None)],
        Some((repo, file, permissions)) => {
            let first = prepare_job(run);
            let uses = format!("{}/.github/workflows/{file}@refs/heads/main", full_name(repo));
            let main = main_job(run, sent, &run.main_job(), permissions, Some(uses));
            vec![first, main]
        }
    }
}

fn commit_of(action: &str) -> String {
    Random::of(action).hex(40)
}

fn queued(log: &mut JobLog, run: &Run, called: Option<&str>) {
    let at = run.started;
    let job = log.name.clone();
    log.system(at, &format!("Evaluating {}.if", job.split(' ').next().unwrap_or("job")));
    log.system(at, "Evaluating: success()");
    log.system(at, "Result: true");
    let definition = run.definition();
    log.system(
        at,
        &format!(
            "Requested labels: {}",
            if run.workflow.self_hosted { "self-hosted, linux" } else { "ubuntu-latest" }
        ),
    );
    log.system(at, &format!("Job defined at: {}", called.unwrap_or(&definition)));
    if let Some(called) = called {
        log.system(at, "Reusable workflow chain:");
        log.system(at, &format!("{definition} ({})", run.commit()));
        for file in run.workflow.via {
            let between = format!("{ORGANISATION}/shared-workflows/.github/workflows/{file}@refs/heads/main");
            log.system(at, &format!("-> {between} ({})", commit_of(&between)));
        }
        log.system(at, &format!("-> {called} ({})", commit_of(called)));
    }
    log.system(at, "Waiting for a runner to pick up this job...");
    if !run.workflow.self_hosted {
        log.system(
            at.plus(1),
            &format!(
                "Job is about to start running on the hosted runner: GitHub Actions {}",
                1_000_000_000 + run.id % 1000
            ),
        );
    }
}

/// The job before a called workflow: it holds what the caller has.
fn prepare_job(run: &Run) -> JobLog {
    let workflow = run.workflow;
    let mut log = JobLog::new("prepare", run.started.plus(2), &format!("prepare {}", run.id));
    queued(&mut log, run, None);
    let setup = Setup {
        job: "prepare",
        permissions: workflow.permissions,
        self_hosted: None,
        actions: vec![("actions/checkout@v4".to_owned(), commit_of("actions/checkout@v4"))],
        uses: None,
        inputs: Vec::new(),
    };
    log.step("Set up job", setup.messages());
    checkout(&mut log, run);
    let env: Vec<(&str, &str)> = workflow.secrets.iter().map(|name| (*name, "***")).collect();
    let mut lines = script_header(&["make manifest".to_owned()], &env);
    lines.push("manifest written".to_owned());
    log.step("Run make manifest", lines);
    finish(&mut log, &["manifest"]);
    log
}

fn main_job(
    run: &Run,
    sent: Option<&Sent>,
    name: &str,
    permissions: &[(&str, &str)],
    uses: Option<String>,
) -> JobLog {
    let workflow = run.workflow;
    let mut log = JobLog::new(name, run.started.plus(4), &format!("job {}", run.id));
    queued(&mut log, run, uses.as_deref());
    let runner = format!("runner-{}-01", workflow.repo);
    let mut actions = vec!["actions/checkout@v4".to_owned()];
    actions.extend(workflow.actions.iter().map(|action| (*action).to_owned()));
    if workflow.role.is_some() {
        actions.push("aws-actions/configure-aws-credentials@v4".to_owned());
    }
    let setup = Setup {
        job: name,
        permissions,
        self_hosted: workflow.self_hosted.then_some(runner.as_str()),
        actions: actions.iter().map(|action| (action.clone(), commit_of(action))).collect(),
        uses: uses.map(|uses| (uses.clone(), commit_of(&uses))),
        inputs: match workflow.calls {
            Some(_) => vec![
                ("environment".to_owned(), "production".to_owned()),
                ("service".to_owned(), workflow.repo.to_owned()),
            ],
            None => Vec::new(),
        },
    };
    log.step("Set up job", setup.messages());
    checkout(&mut log, run);
    if let Some(role) = workflow.role {
        assume(&mut log, run, role);
    }
    work(&mut log, run);
    for action in workflow.actions {
        let mut lines = action_header(action, &[("token", "***")], &[]);
        lines.push(format!("{action} finished"));
        log.step(&format!("Run {action}"), lines);
    }
    for leak in run.leaks() {
        spill(&mut log, leak);
    }
    for masks in run.masks() {
        let mut lines = script_header(&["./scripts/connect.sh".to_owned()], &[]);
        lines.extend(masks.lines.iter().map(|line| (*line).to_owned()));
        log.step("Run ./scripts/connect.sh", lines);
    }
    if let Some(role) = workflow.ambient_role {
        let mut lines =
            script_header(&["aws sts get-caller-identity --query Arn --output text".to_owned()], &[]);
        lines.push(format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/i-0a1b2c3d4e5f60718"));
        log.step("Run aws sts get-caller-identity", lines);
    }
    if let Some(sent) = sent {
        dispatch(&mut log, sent);
    }
    let outputs: &[&str] = if workflow.job == "release" { &["version"] } else { &[] };
    finish(&mut log, outputs);
    log
}

fn checkout(log: &mut JobLog, run: &Run) {
    let repo = run.repo();
    let mut lines = action_header(
        "actions/checkout@v4",
        &[
            ("repository", &repo),
            ("token", "***"),
            ("ssh-strict", "true"),
            ("persist-credentials", "true"),
            ("fetch-depth", "1"),
        ],
        &[],
    );
    let commit = run.commit();
    lines.extend([
        format!("Syncing repository: {repo}"),
        "##[group]Getting Git version info".to_owned(),
        "[command]/usr/bin/git version".to_owned(),
        "git version 2.54.0".to_owned(),
        "##[endgroup]".to_owned(),
        "[command]/usr/bin/git config --local http.https://github.com/.extraheader AUTHORIZATION: basic ***"
            .to_owned(),
        format!("[command]/usr/bin/git fetch --depth=1 origin +{commit}:refs/remotes/origin/main"),
        "[command]/usr/bin/git log -1 --format=%H".to_owned(),
        commit,
    ]);
    log.step("Run actions/checkout@v4", lines);
}

fn assume(log: &mut JobLog, run: &Run, role: &str) {
    let (arn, session) = (role_arn(role), session(run));
    let mut lines = action_header(
        "aws-actions/configure-aws-credentials@v4",
        &[
            ("role-to-assume", &arn),
            ("role-session-name", &session),
            ("aws-region", "eu-central-1"),
            ("audience", "sts.amazonaws.com"),
        ],
        &[],
    );
    lines.push("Assuming role with OIDC".to_owned());
    // As CloudTrail has it: by this id the session is joined to the run.
    lines.push(format!("Authenticated as assumedRoleId {}:{session}", unique_id("AROA", role)));
    log.step("Run aws-actions/configure-aws-credentials@v4", lines);
}

/// Name of the cloud session of a run.
pub(crate) fn session(run: &Run) -> String {
    format!("{}-{}", run.workflow.repo, run.id)
}

/// The main step: harmless output, much of it.
fn work(log: &mut JobLog, run: &Run) {
    let mut random = Random::of(&format!("work {}", run.id));
    let env: Vec<(&str, &str)> = run.workflow.secrets.iter().map(|name| (*name, "***")).collect();
    let mut lines = script_header(&[format!("make {}", run.workflow.job)], &env);
    let modules = ["catalog", "checkout", "invoices", "ledger", "sessions", "search", "webhooks", "exports"];
    for number in 0..120 + random.below(160) {
        let module = modules[random.below(8) as usize];
        lines.push(match random.below(6) {
            0 => format!("ok  \t{module}/{}\t{}.{:03}s", random.hex(6), random.below(9), random.below(1000)),
            1 => format!(
                "Downloading {module}-{}.{}.{}.tar.gz ({} kB)",
                random.below(9),
                random.below(30),
                random.below(9),
                random.below(4000)
            ),
            2 => format!("sha256:{} {module}: layer exists", random.hex(64)),
            3 => format!("PASS {module} › case {number} ({} ms)", random.below(900)),
            4 => format!("\u{1b}[32m✓\u{1b}[0m {module}: {} assertions", random.below(200)),
            _ => format!("[{number}/{}] compiling {module}_{}", 300, random.hex(8)),
        });
    }
    log.step(&format!("Run make {}", run.workflow.job), lines);
}

/// A step that prints a secret.
fn spill(log: &mut JobLog, leak: &Leak) {
    let env: &[(&str, &str)] = if leak.masked_binding { &[(leak.secret, "***")] } else { &[] };
    let mut lines = script_header(&["./scripts/diagnose.sh".to_owned()], env);
    let printed = shape::lines(leak.shape, leak.secret);
    match leak.shape {
        // `cat key.pem` is one message; its lines have one timestamp.
        shape::Shape::Block => lines.push(printed.join("\n")),
        _ => lines.extend(printed),
    }
    log.step("Run ./scripts/diagnose.sh", lines);
}

fn dispatch(log: &mut JobLog, sent: &Sent) {
    let repo = full_name(sent.dispatch.repo);
    let shown = |value: &'static str| if value.starts_with("secret:") { "***" } else { value };
    let command = match sent.dispatch.mechanism {
        Mechanism::Workflow => {
            let fields: Vec<String> = sent
                .dispatch
                .inputs
                .iter()
                .map(|(name, value)| format!("-f {name}={}", shown(value).split(' ').next().unwrap_or("")))
                .collect();
            format!("gh workflow run {} -R {repo} --ref main {}", sent.dispatch.file, fields.join(" "))
        }
        Mechanism::Repository => {
            let event = sent.dispatch.file.trim_end_matches(".yml");
            format!(
                "curl -X POST https://api.github.com/repos/{repo}/dispatches -d '{{\"event_type\":\"{event}\"}}'"
            )
        }
    };
    while log.now() < sent.at {
        log.step("Run sleep 5", script_header(&["sleep 5".to_owned()], &[]));
    }
    let mut lines = script_header(&[command], &[("GH_TOKEN", "***")]);
    if let (true, Some(child)) = (sent.dispatch.prints_url, sent.child) {
        lines.push(format!("https://github.com/{repo}/actions/runs/{child}"));
    }
    log.step("Run gh workflow run", lines);
}

fn finish(log: &mut JobLog, outputs: &[&str]) {
    log.step(
        "Post Run actions/checkout@v4",
        ["Post job cleanup.".to_owned(), "[command]/usr/bin/git version".to_owned()],
    );
    let mut lines = Vec::new();
    if !outputs.is_empty() {
        lines.push("Evaluate and set job outputs".to_owned());
        lines.extend(outputs.iter().map(|name| format!("Set output '{name}'")));
        // The runner refuses outputs that hold a mask.
        lines.push("##[warning]Skip output 'registry_auth' since it may contain secret.".to_owned());
    }
    lines.push("Cleaning up orphan processes".to_owned());
    log.step("Complete job", lines);
}

/// A dispatch's input as sent: forwarded secrets in clear.
pub(crate) fn input_value(value: &str) -> String {
    value.strip_prefix("secret:").map_or_else(|| value.to_owned(), |name| secret(name).value)
}
