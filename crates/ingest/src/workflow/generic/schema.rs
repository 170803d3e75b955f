//! The tables of the generic schema: which columns a file may have and must have.
//!
//! A column is called as in the canonical table and means the same. Keys need not be
//! given: they follow from natural ids, which are the columns beside the canonical ones.

use leakgraph_model::Row as _;
use leakgraph_model::TableDoc;
use leakgraph_model::tables::{
    Activity, Approval, Grant, Handoff, HandoffInput, Identity, IdentityUsed, Job, Run, SecretPassed, Step,
    TokenPermission, Trigger, Trust,
};

/// Names the table of a row (column), of an object (member) or of a Parquet file (metadata).
pub(super) const TAG: &str = "leakgraph_schema";

/// Columns that ingest writes itself: a file that was exported from a lake has them, and
/// they are passed over.
pub(super) const OWN: [&str; 3] = [TAG, "source_key", "batch_id"];

const RUN: &[&str] = &["platform", "repo", "platform_run_id", "attempt"];
const RUN_AND_JOB: &[&str] = &["platform", "repo", "platform_run_id", "attempt", "job"];
const RUN_KEYS: &[&str] = &["run_key", "platform_run_id"];
const JOB_KEYS: &[&str] = &["job_key", "job"];
const IDENTITY: &[&str] = &["platform", "native_id"];
const IDENTITY_KEYS: &[&str] = &["identity_key", "native_id"];

/// One table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The canonical table; logs have none, they are only read, and owners are written to
    /// the identities they own.
    pub(super) canonical: Option<TableDoc>,
    /// Columns beside the canonical ones.
    pub(super) ids: &'static [&'static str],
    /// Of each group a row needs at least one.
    pub(super) needs: &'static [&'static [&'static str]],
    /// Values of columns that must not be null, where a row has none.
    pub(super) defaults: &'static [(&'static str, &'static str)],
}

impl Table {
    /// The table called `name`, with or without a version (`runs/1`).
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        let name = name.trim();
        let name = name.strip_suffix("/1").unwrap_or(name);
        TABLES.iter().find(|table| table.name == name)
    }

    /// Whether it has a column of this name.
    pub(super) fn has(&self, column: &str) -> bool {
        self.ids.contains(&column)
            || OWN.contains(&column)
            || self.canonical.as_ref().is_some_and(|doc| doc.columns.iter().any(|own| own.name == column))
    }

    /// The first needed group of which there is no column, as `a or b`.
    pub(super) fn lacks(&self, has: impl Fn(&str) -> bool) -> Option<String> {
        let group = self.needs.iter().find(|group| !group.iter().any(|column| has(column)))?;
        Some(group.join(" or "))
    }

    /// The table whose rows have these columns, where no tag says it: it lacks nothing, and
    /// no other such table knows as many of the columns.
    pub(super) fn of_header(columns: &[&str]) -> Option<&'static Self> {
        // What no other tool calls so.
        let is_ours = |column: &&str| {
            ["run_key", "job_key", "handoff_key"].iter().any(|end| column.ends_with(end))
                || matches!(*column, "platform_run_id" | "parent_run_id" | "child_run_id" | "handoff_id")
                || matches!(*column, "native_id" | "identity_key")
        };
        columns.iter().find(|column| is_ours(column))?;
        let known = |table: &Self| columns.iter().filter(|column| table.has(column)).count();
        let mut fitting: Vec<(usize, &Self)> = TABLES
            .iter()
            .filter(|table| table.lacks(|column| columns.contains(&column)).is_none())
            .map(|table| (known(table), table))
            .collect();
        fitting.sort_by_key(|(known, _)| std::cmp::Reverse(*known));
        match fitting.as_slice() {
            [(_, only)] => Some(only),
            [(most, first), (next, _), ..] if most > next => Some(first),
            _ => None,
        }
    }
}

/// All tables.
pub(super) static TABLES: &[Table] = &[
    Table {
        name: "runs",
        canonical: Some(Run::TABLE),
        ids: &[],
        needs: &[&["platform"], RUN_KEYS],
        defaults: &[("evidence", "export")],
    },
    Table {
        name: "jobs",
        canonical: Some(Job::TABLE),
        ids: RUN,
        needs: &[RUN_KEYS, &["name"]],
        defaults: &[("evidence", "export"), ("chain_depth", "0"), ("has_log", "false")],
    },
    Table {
        name: "steps",
        canonical: Some(Step::TABLE),
        ids: RUN_AND_JOB,
        needs: &[JOB_KEYS, &["name"]],
        defaults: &[("kind", "run"), ("attribution", "api")],
    },
    Table {
        name: "handoffs",
        canonical: Some(Handoff::TABLE),
        ids: &[
            "platform",
            "handoff_id",
            "parent_repo",
            "parent_run_id",
            "parent_attempt",
            "parent_job",
            "child_platform",
            "child_run_id",
            "child_attempt",
            "child_job",
        ],
        needs: &[&["mechanism"], &["parent_run_key", "parent_run_id", "child_run_key", "child_run_id"]],
        defaults: &[("evidence", "export"), ("credential_kind", "unknown"), ("gate", "unknown")],
    },
    Table {
        name: "handoff_inputs",
        canonical: Some(HandoffInput::TABLE),
        ids: &["platform", "handoff_id", "value"],
        needs: &[&["handoff_key", "handoff_id"], &["name"]],
        defaults: &[("value_class", "unknown"), ("visible", "none")],
    },
    Table {
        name: "token_permissions",
        canonical: Some(TokenPermission::TABLE),
        ids: RUN_AND_JOB,
        needs: &[JOB_KEYS, &["scope"], &["access"]],
        defaults: &[("evidence", "export"), ("token", "job_token")],
    },
    Table {
        name: "secrets_passed",
        canonical: Some(SecretPassed::TABLE),
        ids: RUN_AND_JOB,
        needs: &[RUN_KEYS, &["name"], &["how"]],
        defaults: &[("secret_scope", "unknown")],
    },
    Table {
        name: "triggers",
        canonical: Some(Trigger::TABLE),
        ids: RUN_AND_JOB,
        needs: &[RUN_KEYS, &["kind"]],
        defaults: &[("subject_trust", "unknown")],
    },
    Table {
        name: "approvals",
        canonical: Some(Approval::TABLE),
        ids: RUN,
        needs: &[RUN_KEYS, &["state"]],
        defaults: &[("reviewer_kind", "unknown")],
    },
    Table {
        name: "identities_used",
        canonical: Some(IdentityUsed::TABLE),
        ids: RUN_AND_JOB,
        needs: &[RUN_KEYS, &["identity_kind"], &["how"]],
        defaults: &[("join_method", "exact_id"), ("confidence", "1")],
    },
    Table {
        name: "identities",
        canonical: Some(Identity::TABLE),
        ids: &[],
        needs: &[&["native_id"], &["kind"]],
        defaults: &[("status", "unknown")],
    },
    Table {
        name: "grants",
        canonical: Some(Grant::TABLE),
        ids: &["native_id", "group"],
        needs: &[IDENTITY_KEYS, &["actions"]],
        defaults: &[
            ("policy_kind", "identity"),
            ("policy", "export"),
            ("not_actions", "false"),
            ("not_resources", "false"),
            ("understood", "true"),
        ],
    },
    Table {
        name: "activity",
        canonical: Some(Activity::TABLE),
        ids: IDENTITY,
        needs: &[&["principal", "native_id"], &["action"]],
        defaults: &[("denied", "false"), ("calls", "1"), ("data_event", "false"), ("evidence", "export")],
    },
    Table {
        name: "trusts",
        canonical: Some(Trust::TABLE),
        ids: &["platform", "native_id", "principal_platform", "statement"],
        needs: &[IDENTITY_KEYS, &["principal"]],
        defaults: &[],
    },
    Table {
        name: "owners",
        canonical: None,
        ids: &["platform", "native_id", "owner", "status", "departed_at"],
        needs: &[&["native_id"], &["owner"]],
        defaults: &[],
    },
    Table {
        name: "logs",
        canonical: None,
        ids: &[
            "platform",
            "repo",
            "platform_run_id",
            "attempt",
            "run_key",
            "job",
            "job_key",
            "step_number",
            "step_key",
            "at",
            "text",
        ],
        needs: &[&["text"]],
        defaults: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_their_table() {
        let table = |columns: &[&str]| Table::of_header(columns).map(|table| table.name);
        assert_eq!(table(&["platform", "platform_run_id", "status"]), Some("runs"));
        assert_eq!(table(&["platform", "platform_run_id", "name", "conclusion"]), Some("jobs"));
        assert_eq!(table(&["platform", "platform_run_id", "job", "name", "number"]), Some("steps"));
        assert_eq!(table(&["platform", "platform_run_id", "job", "text"]), Some("logs"));
        assert_eq!(table(&["mechanism", "platform", "parent_run_id"]), Some("handoffs"));
        assert_eq!(table(&["platform", "platform_run_id", "status", "colour"]), Some("runs"));
        assert_eq!(table(&["platform", "native_id", "kind", "owner"]), Some("identities"));
        assert_eq!(table(&["platform", "native_id", "actions", "resources"]), Some("grants"));
        assert_eq!(table(&["platform", "native_id", "action", "resource", "calls"]), Some("activity"));
        assert_eq!(table(&["native_id", "principal", "principal_kind"]), Some("trusts"));
        assert_eq!(table(&["native_id", "owner", "departed_at"]), Some("owners"));
        // An action and a principal that are none of ours.
        assert_eq!(table(&["platform", "principal", "action"]), None);
        // Other tools have such columns, too.
        assert_eq!(table(&["platform", "name", "status"]), None);
        assert_eq!(table(&["text", "job"]), None);
        assert_eq!(table(&["run_key"]), None);
    }

    #[test]
    fn defaults_and_needs_are_columns() {
        for table in TABLES {
            let needed = table.needs.iter().flat_map(|group| group.iter());
            for column in needed.chain(table.defaults.iter().map(|(column, _)| column)) {
                assert!(table.has(column), "{}.{column}", table.name);
            }
        }
    }

    #[test]
    fn the_page_names_every_column() {
        let page = include_str!("../../../../../docs/generic-schema.md");
        for table in TABLES {
            let heading = format!("\n## {}\n", table.name);
            let (_, section) =
                page.split_once(&heading).unwrap_or_else(|| panic!("no section {}", table.name));
            let section = section.split("\n## ").next().unwrap_or_default();
            let canonical = table.canonical.iter().flat_map(|doc| doc.columns.iter().map(|own| own.name));
            for column in canonical.chain(table.ids.iter().copied()).filter(|name| !OWN.contains(name)) {
                assert!(
                    section.contains(&format!("`{column}`")),
                    "{}.{column} is not documented",
                    table.name
                );
            }
        }
    }
}
