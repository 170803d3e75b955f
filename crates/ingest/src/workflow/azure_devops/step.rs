//! Which kind a task is.

/// setup, action, run, post or complete, by the names the agent gives and the task behind a step.
pub(crate) fn kind(name: &str, task: Option<&str>) -> &'static str {
    let task = task.map(str::to_ascii_lowercase);
    match (name, task.as_deref()) {
        ("Initialize job" | "Initialize containers", _) => "setup",
        ("Finalize Job" | "Report build status", _) => "complete",
        (name, _) if name.starts_with("Post-job: ") || name.starts_with("Stop Containers") => "post",
        (name, _) if name.starts_with("Pre-job: ") || name.starts_with("Checkout ") => "setup",
        // Names of tasks in timelines, and their titles in logs.
        (
            _,
            Some(
                "cmdline" | "bash" | "powershell" | "batchscript" | "shellscript" | "command line"
                | "bash script" | "batch script" | "shell script",
            ),
        ) => "run",
        (_, Some(_)) => "action",
        (_, None) => "run",
    }
}
