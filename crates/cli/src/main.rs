//! The `leakgraph` command.

mod args;
mod commands;
mod exit;
mod output;
mod progress;

use args::{Args, Command};
use clap::Parser;
use exit::Exit;
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic message must not quote what was being read.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("internal error at {place}; please report it");
    }));
    keep_memory_private();
    let args = Args::parse();
    start_logging(args.verbose);
    match run(args) {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            exit::of_error(&error).into()
        }
    }
}

fn run(args: Args) -> anyhow::Result<Exit> {
    let config = args.config()?;
    if config.threads > 0 {
        rayon::ThreadPoolBuilder::new().num_threads(config.threads).build_global()?;
    }
    match args.command {
        Command::Run(inputs) => commands::run::run(&config, &inputs),
        Command::Ingest(inputs) => commands::run::ingest(&config, &inputs),
        Command::Score(score) => commands::run::score(&config, &score),
        Command::Scan(scan) => commands::scan::scan(&config, &scan),
        Command::Rules(rules) => commands::rules::rules(&config, &rules),
        Command::Known(known) => commands::known::known(&config, &known),
        Command::Findings(findings) => commands::ranked::findings(&config, &findings),
        Command::Nhis(rows) => commands::ranked::show(&config, &rows, commands::ranked::nhis),
        Command::Handoffs(rows) => commands::ranked::show(&config, &rows, commands::ranked::handoffs),
        Command::Triggers(rows) => commands::ranked::show(&config, &rows, commands::ranked::triggers),
        Command::Boundaries(rows) => commands::ranked::show(&config, &rows, commands::ranked::boundaries),
        Command::Trust(rows) => commands::ranked::show(&config, &rows, commands::ranked::trust),
        Command::Paths(rows) => commands::ranked::show(&config, &rows, commands::ranked::paths),
        Command::Secrets(rows) => commands::ranked::show(&config, &rows, commands::ranked::secrets),
        Command::Explain(explain) => commands::explain::explain(&config, &explain),
        Command::Can(can) => commands::can::can(&config, &can),
        Command::Cut(cut) => commands::cut::cut(&config, &cut),
        Command::Export(export) => commands::export::export(&config, &export),
        Command::Sql(sql) => commands::sql::sql(&config, &sql),
        Command::Report(report) => commands::report::report(&config, &report),
        Command::Config => commands::inspect::config(&config),
        Command::Doctor => commands::inspect::doctor(&config),
        Command::Completions { shell } => commands::inspect::completions(shell),
    }
}

/// No core dumps (they would hold log text) and no access for others to what we write.
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, setrlimit, umask};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() {
        tracing::debug!("core dumps stay enabled");
    }
    umask(rustix::fs::Mode::from_raw_mode(0o077));
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder().parse_lossy(format!(
                "error,leakgraph={level},leakgraph_engine={level},leakgraph_lake={level}"
            )),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !plain)
        .with_target(false)
        .without_time()
        .init();
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
