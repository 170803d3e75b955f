//! What an audit needs to say anything: rows of tables, some of them of a certain kind.
//!
//! `jobs, approvals[state = 'approved'] | reviews` needs rows of `jobs`, and either
//! approvals of that state or any rows of `reviews`.

use std::fmt;

/// One thing an audit needs; any of its sources will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(pub Vec<Source>);

/// Rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The table.
    pub table: String,
    /// Condition on its rows, in SQL.
    pub condition: Option<String>,
}

impl Requirement {
    /// Parses a list of requirements; `None` where it is malformed.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        let parts = split(text, ',')?;
        parts.iter().filter(|part| !part.trim().is_empty()).map(|part| Self::parse(part)).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        split(text, '|')?.iter().map(|source| Source::parse(source.trim())).collect::<Option<_>>().map(Self)
    }

    /// What is missing and which evidence would bring it.
    pub fn missing(&self) -> String {
        let sources: Vec<String> = self.0.iter().map(Source::to_string).collect();
        let mut hints: Vec<&str> = self.0.iter().map(Source::evidence).collect();
        hints.dedup();
        format!("no rows of {}: needs {}", sources.join(" or "), hints.join(", or "))
    }
}

impl Source {
    fn parse(text: &str) -> Option<Self> {
        let (table, condition) = match text.split_once('[') {
            None => (text, None),
            Some((table, rest)) => (table.trim(), Some(rest.strip_suffix(']')?.trim().to_owned())),
        };
        let is_name =
            !table.is_empty() && table.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then(|| Self { table: table.to_owned(), condition })
    }

    /// A query with a row if there are any.
    pub fn sql(&self) -> String {
        let filter = self.condition.as_ref().map(|condition| format!(" WHERE {condition}"));
        format!("SELECT 1 AS one FROM {}{} LIMIT 1", self.table, filter.unwrap_or_default())
    }

    /// What to feed for such rows: README.md says how to get it.
    fn evidence(&self) -> &'static str {
        const USE: &str = "records of what identities did (CloudTrail, audit logs, sign-ins)";
        let is_about = |column: &str| self.condition.as_ref().is_some_and(|text| text.contains(column));
        match self.table.as_str() {
            "nhi_lifecycle" if is_about("last_used_at") => USE,
            "jobs" if is_about("environment") => {
                "records of the environments of jobs (deployments, the GitHub audit log)"
            }
            "jobs" if is_about("has_log") => "logs of jobs",
            "activity" | "assumptions" => USE,
            "approvals" => "reviews of deployments (answers for approvals, the GitHub audit log)",
            "bindings" | "steps" | "token_permissions" => "logs of jobs",
            "credentials" => "inventories of keys and secrets",
            "grants" | "trusts" => "inventories with policies (account details, roles and bindings)",
            "handoffs" | "handoff_inputs" | "handoff_scores" => {
                "work that one run hands to another (logs that dispatch, webhooks, trigger answers)"
            }
            "identities" | "nhi_lifecycle" => "identity inventories",
            "nhi_scores" => "inventories with policies, and records of use",
            "secrets_passed" => "logs or workflow files that name the secrets of jobs",
            "source_files" => "any text",
            _ => "logs or answers of the platform for workflow runs",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.condition {
            None => f.write_str(&self.table),
            Some(condition) => write!(f, "{} where {condition}", self.table),
        }
    }
}

/// Parts between separators that stand outside of brackets; `None` if those do not match.
fn split(text: &str, separator: char) -> Option<Vec<String>> {
    let (mut parts, mut depth) = (vec![String::new()], 0_usize);
    for character in text.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if character != separator || depth > 0 => part.push(character),
            _ => parts.push(String::new()),
        }
    }
    (depth == 0).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_alternatives_and_conditions() {
        let list = Requirement::parse_list("jobs, approvals[state IN ('a', 'b|c')] | reviews,").unwrap();
        let sql: Vec<Vec<String>> = list.iter().map(|one| one.0.iter().map(Source::sql).collect()).collect();
        assert_eq!(
            sql,
            [
                vec!["SELECT 1 AS one FROM jobs LIMIT 1"],
                vec![
                    "SELECT 1 AS one FROM approvals WHERE state IN ('a', 'b|c') LIMIT 1",
                    "SELECT 1 AS one FROM reviews LIMIT 1"
                ]
            ]
        );
        assert_eq!(
            list[1].missing(),
            "no rows of approvals where state IN ('a', 'b|c') or reviews: needs reviews of deployments \
             (answers for approvals, the GitHub audit log), or logs or answers of the platform for workflow runs"
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["jobs[", "jobs]", "jobs[a", "a b", "Jobs", "[a = 1]", "a |"] {
            assert_eq!(Requirement::parse_list(text), None, "{text}");
        }
    }
}
