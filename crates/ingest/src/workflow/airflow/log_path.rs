//! Which attempt of which task a log is of, by where Airflow writes it:
//! `dag_id=D/run_id=R/task_id=T[/map_index=N]/attempt=A.log` ("Logging for Tasks").

use std::fmt;

/// What the end of a path says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPath {
    pub(crate) dag: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) map_index: Option<i64>,
    pub(crate) attempt: Option<i64>,
}

impl LogPath {
    /// Reads the folders of a path; `None` unless it names DAG, run and task.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut told = Self::default();
        for part in path.split(['/', '\\']) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
            match name {
                // A folder further down is nearer to the file.
                "dag_id" => told = Self { dag: text(), ..Self::default() },
                "run_id" => told.run = text(),
                "task_id" => told.task = text(),
                "map_index" => told.map_index = value.parse().ok(),
                "attempt" => told.attempt = value.split('.').next().and_then(|number| number.parse().ok()),
                _ => {}
            }
        }
        (told.dag.is_some() && told.run.is_some() && told.task.is_some()).then_some(told)
    }
}

impl fmt::Display for LogPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (dag, run, task) = (text(&self.dag), text(&self.run), text(&self.task));
        write!(f, "airflow/{dag}/{run}/{task}/{}/{}", number(self.map_index), number(self.attempt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_name_the_task() {
        let path =
            "/logs/dag_id=etl/run_id=manual__2026-10-01T00:00:00+00:00/task_id=a.b/map_index=2/attempt=3.log";
        let told = LogPath::of(path).unwrap();
        assert_eq!(told.to_string(), "airflow/etl/manual__2026-10-01T00:00:00+00:00/a.b/2/3");
        assert_eq!(LogPath::of("/logs/dag_id=etl/attempt=1.log"), None);
    }
}
