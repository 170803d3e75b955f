//! Ranked tables, worst first, by what is sure (the lower bound): one place for which row of
//! several stands for them and in what order they come. Who asks adds the columns.

/// Rows of one table in an order.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    from: &'static str,
    order: &'static str,
}

impl Ranking {
    /// The query for some columns; `also` is a further condition, `top` 0 means all rows.
    pub fn sql(&self, columns: &str, also: Option<&str>, top: usize) -> String {
        let also = also.map(|also| format!(" AND {also}")).unwrap_or_default();
        let limit = if top == 0 { String::new() } else { format!(" LIMIT {top}") };
        format!("SELECT {columns} FROM {}{also} ORDER BY {}{limit}", self.from, self.order)
    }
}

/// Identities by excess privilege.
pub const NHIS: Ranking = Ranking {
    from: "nhi_scores WHERE true",
    order: "excess_low DESC NULLS LAST, granted_risk DESC, identity",
};

/// One row per pair of jobs: the worst of the handoffs between them, and how many `times`.
pub const HANDOFFS: Ranking = Ranking {
    from: "(SELECT *, count(*) OVER (PARTITION BY parent, child, mechanism) AS times, \
           row_number() OVER (PARTITION BY parent, child, mechanism ORDER BY blast_low DESC, blast DESC, handoff_key) AS place \
           FROM handoff_scores) WHERE place = 1",
    order: "blast_low DESC, blast DESC, parent, child, mechanism",
};

/// One row per job of a workflow and class: the worst of its runs, and how many `times`.
pub const TRIGGERS: Ranking = Ranking {
    from: "(SELECT *, count(*) OVER (PARTITION BY subject, class) AS times, \
           row_number() OVER (PARTITION BY subject, class ORDER BY tp_low DESC, tp DESC NULLS LAST, decision_key) AS place \
           FROM trigger_decisions WHERE job_key IS NOT NULL) WHERE place = 1",
    order: "tp_low DESC, tp DESC NULLS LAST, tp_high DESC, subject, class",
};

/// One row per job of a workflow and class: the worst of its runs, and how many `times`.
pub const BOUNDARIES: Ranking = Ranking {
    from: "(SELECT *, count(*) OVER (PARTITION BY subject, class) AS times, \
           row_number() OVER (PARTITION BY subject, class ORDER BY bc_low DESC, bc DESC NULLS LAST, job_key) AS place \
           FROM boundary_crossings) WHERE place = 1",
    order: "bc_low DESC, bc DESC NULLS LAST, bc_high DESC, subject, class",
};

/// One row per workflow.
pub const TRUST: Ranking = Ranking {
    from: "workflow_trust WHERE run_key IS NULL",
    order: "CASE verdict WHEN 'UNTRUSTWORTHY' THEN 0 WHEN 'UNPROVEN' THEN 1 ELSE 2 END, \
            array_length(failures) DESC NULLS LAST, repo, workflow, trust_key",
};

/// One row per way that work is handed on (`path`): the worst of the `times` it was.
pub const PATHS: Ranking = Ranking {
    from: "(SELECT *, count(*) OVER (PARTITION BY path, root_kind) AS times, \
           row_number() OVER (PARTITION BY path, root_kind ORDER BY dp_low DESC, dp DESC, path_key) AS place \
           FROM (SELECT *, array_to_string(nodes, ' → ') AS path FROM delegation_paths)) WHERE place = 1",
    order: "dp_low DESC, dp DESC, path, root_kind",
};
