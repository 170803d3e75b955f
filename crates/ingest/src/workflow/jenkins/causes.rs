//! Why a build ran: causes, and the upstream builds they name.

use super::PLATFORM;
use super::place::{handoff_key, job_key, run_key};
use leakgraph_model::tables::{EvidenceGap, Handoff, Trigger};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

/// Jenkins cuts its own trees at 10 (`Cause.UpstreamCause.MAX_DEPTH`).
const MAX_DEPTH: usize = 32;

/// One cause, by class or by its line in a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Another build, by its post-build trigger or its `build` step.
    Upstream {
        project: String,
        build: String,
        by_step: bool,
        causes: Vec<Self>,
    },
    User(Option<String>),
    Timer,
    /// A push, a poll or an event of the repository.
    Scm(Option<String>),
    /// An API call of another host.
    Remote(Option<String>),
    Replay,
    /// Jenkins left out what is above.
    TooDeep,
    Other(String),
}

impl Cause {
    /// Words of `runs.event`.
    pub(crate) fn event(&self) -> &str {
        match self {
            Self::Upstream { .. } | Self::TooDeep => "upstream",
            Self::User(_) => "manual",
            Self::Timer => "schedule",
            Self::Scm(_) => "push",
            Self::Remote(_) => "remote",
            Self::Replay => "replay",
            Self::Other(class) => class,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Upstream { .. } | Self::TooDeep => "upstream",
            Self::User(_) | Self::Replay => "manual",
            Self::Timer => "schedule",
            Self::Remote(_) => "api",
            Self::Scm(_) | Self::Other(_) => "event",
        }
    }

    /// Who it names.
    pub(crate) fn actor(&self) -> Option<&str> {
        match self {
            Self::User(actor) | Self::Scm(actor) | Self::Remote(actor) => actor.as_deref(),
            _ => None,
        }
    }

    /// The cause of a class, `$` between class and inner class; `member` reads a member of it.
    pub(crate) fn of_class(class: &str, member: &dyn Fn(&str) -> Option<String>, causes: Vec<Self>) -> Self {
        let name = class.rsplit(['.', '$']).next().unwrap_or(class);
        match name {
            "UpstreamCause" | "BuildUpstreamCause" => {
                match (member("upstreamProject"), member("upstreamBuild")) {
                    (Some(project), Some(build)) => {
                        Self::Upstream { project, build, by_step: name == "BuildUpstreamCause", causes }
                    }
                    _ => Self::TooDeep,
                }
            }
            "DeeplyNestedUpstreamCause" => Self::TooDeep,
            "UserIdCause" => Self::User(member("userId").or_else(|| member("userName"))),
            "UserCause" => Self::User(member("authenticationName").or_else(|| member("userName"))),
            "TimerTriggerCause" | "ParameterizedTimerTriggerCause" => Self::Timer,
            "RemoteCause" => Self::Remote(member("addr")),
            "ReplayCause" => Self::Replay,
            "SCMTriggerCause" | "BranchIndexingCause" | "BranchEventCause" => Self::Scm(None),
            "GitHubPushCause" => Self::Scm(member("pushedBy")),
            other => Self::Other(other.to_owned()),
        }
    }

    /// A cause object of the API.
    pub(crate) fn of_json(value: &Value, depth: usize) -> Option<Self> {
        let class = value.get("_class").and_then(Value::as_str);
        // Before 2.x there is no class, but what it says is in its members.
        let class = class.or_else(|| {
            let has = |name: &str| value.get(name).is_some();
            if has("upstreamProject") {
                Some("UpstreamCause")
            } else if has("userId") || has("userName") {
                Some("UserIdCause")
            } else {
                None
            }
        })?;
        let member = |name: &str| match value.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let above = value.get("upstreamCauses").and_then(Value::as_array).filter(|_| depth < MAX_DEPTH);
        let causes =
            above.into_iter().flatten().filter_map(|cause| Self::of_json(cause, depth + 1)).collect();
        Some(Self::of_class(class, &member, causes))
    }

    /// The cause a console's line names, indentation removed (`Messages.properties` of Jenkins
    /// and of the plug-ins).
    pub(crate) fn of_line(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("Started by upstream project \"") {
            let (project, rest) = rest.split_once("\" build number ")?;
            // The number is written for people: 38,163.
            let build: String = rest.chars().filter(char::is_ascii_digit).collect();
            let is_number =
                rest.chars().all(|letter| letter.is_ascii_digit() || ",.' \u{a0}\u{202f}".contains(letter));
            return (is_number && !build.is_empty()).then(|| Self::Upstream {
                project: project.to_owned(),
                build,
                by_step: false,
                causes: Vec::new(),
            });
        }
        let named = |prefix: &str| {
            text.strip_prefix(prefix).filter(|name| !name.is_empty() && name.len() < 256).map(str::to_owned)
        };
        if let Some(name) = named("Started by user ") {
            return Some(Self::User(Some(name)));
        }
        if let Some(name) =
            named("Started by GitHub push by ").or_else(|| named("Started by GitLab push by "))
        {
            return Some(Self::Scm(Some(name)));
        }
        if let Some(host) = named("Started by remote host ") {
            return Some(Self::Remote(Some(host)));
        }
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if starts(&["Started by timer"]) {
            Some(Self::Timer)
        } else if starts(&["Replayed #"]) {
            Some(Self::Replay)
        } else if starts(&["(deeply nested causes)"]) {
            Some(Self::TooDeep)
        } else if text == "Branch indexing"
            || starts(&["Started by an SCM change", "Push event to branch ", "Pull request #"])
        {
            Some(Self::Scm(None))
        } else if starts(&["Started by "]) {
            Some(Self::Other("other".to_owned()))
        } else {
            None
        }
    }
}

/// The causes at the head of a console, a blank more per level, each followed by
/// `originally caused by:` and its own. Gives also how many lines they are.
pub(crate) fn of_lines(lines: &[String]) -> (Vec<Cause>, usize) {
    let mut at = 0;
    let causes = level(lines, &mut at, 0);
    (causes, at)
}

fn level(lines: &[String], at: &mut usize, depth: usize) -> Vec<Cause> {
    let mut causes = Vec::new();
    while let Some((indent, text)) = lines.get(*at).map(|line| split_indent(line)) {
        let Some(mut cause) = Cause::of_line(text).filter(|_| indent == depth) else { break };
        *at += 1;
        let is_caused =
            lines.get(*at).is_some_and(|line| split_indent(line) == (depth, "originally caused by:"));
        if is_caused && depth < MAX_DEPTH {
            *at += 1;
            let above = level(lines, at, depth + 1);
            if let Cause::Upstream { causes, .. } = &mut cause {
                *causes = above;
            }
        }
        causes.push(cause);
    }
    causes
}

fn split_indent(line: &str) -> (usize, &str) {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len(), text.trim_end())
}

/// A build whose causes are told.
pub(crate) struct Caused<'a> {
    pub(crate) run_key: Key,
    pub(crate) name: Option<&'a str>,
    pub(crate) at: Option<Timestamp>,
    /// log, rest or disk.
    pub(crate) evidence: &'static str,
    pub(crate) source_key: Key,
}

/// Triggers of a build and handoffs from its upstream builds, and theirs. Gives the key of the
/// first handoff to it.
pub(crate) fn add(causes: &[Cause], build: &Caused<'_>, evidence: &mut Evidence) -> Option<Key> {
    let mut first = None;
    for cause in causes {
        let actor = cause.actor().map(str::to_owned);
        evidence.triggers.push(Trigger {
            run_key: build.run_key,
            kind: cause.kind().to_owned(),
            subject_trust: "unknown".to_owned(),
            decided_by: actor,
            decided_at: build.at,
            source_key: build.source_key,
            ..Trigger::default()
        });
        match cause {
            Cause::Upstream { project, build: number, by_step, causes } => {
                let parent = run_key(project, number);
                let key = handoff_key(parent, build.run_key);
                first = first.or(Some(key));
                evidence.handoffs.push(Handoff {
                    handoff_key: key,
                    parent_run_key: Some(parent),
                    parent_job_key: Some(job_key(parent)),
                    child_run_key: Some(build.run_key),
                    child_job_key: Some(job_key(build.run_key)),
                    child_repo: build.name.map(str::to_owned),
                    mechanism: if *by_step { "build_step" } else { "upstream_cause" }.to_owned(),
                    credential_kind: "unknown".to_owned(),
                    crosses: crosses(Some(project), build.name).to_owned(),
                    link_method: "cause".to_owned(),
                    confidence: 1.0,
                    gate: "unknown".to_owned(),
                    sent_at: build.at,
                    evidence: build.evidence.to_owned(),
                    source_key: build.source_key,
                    ..Handoff::default()
                });
                let above = Caused { run_key: parent, name: Some(project), at: None, ..*build };
                add(causes, &above, evidence);
            }
            Cause::TooDeep => evidence.evidence_gaps.push(EvidenceGap {
                subject_key: build.run_key,
                subject_table: "runs".to_owned(),
                analytic: "handoff_identity".to_owned(),
                gap: "truncated".to_owned(),
                effect: "lower_bound_only".to_owned(),
            }),
            _ => {}
        }
    }
    first
}

/// none or repo: two jobs of one folder share its credentials, others do not.
pub(crate) fn crosses(parent: Option<&str>, child: Option<&str>) -> &'static str {
    let folder = |name: &str| name.rsplit_once('/').map_or("", |(folder, _)| folder).to_lowercase();
    match (parent, child) {
        (Some(parent), Some(child)) if folder(parent) != folder(child) => "repo",
        _ => "none",
    }
}

/// Key of the handoff that carries the parameters of a build which no other build started.
pub(crate) fn started_key(child: Key) -> Key {
    Key::of("handoff", &[PLATFORM, "parameters", &child.to_string()])
}

/// That handoff: only its child is known.
pub(crate) fn started(build: &Caused<'_>, causes: &[Cause]) -> Handoff {
    let first = causes.first();
    Handoff {
        handoff_key: started_key(build.run_key),
        child_run_key: Some(build.run_key),
        child_job_key: Some(job_key(build.run_key)),
        child_repo: build.name.map(str::to_owned),
        mechanism: "api_other".to_owned(),
        credential_kind: if matches!(first, Some(Cause::User(_))) { "user" } else { "unknown" }.to_owned(),
        credential_subject: first.and_then(Cause::actor).map(str::to_owned),
        crosses: "none".to_owned(),
        link_method: "unlinked".to_owned(),
        gate: "unknown".to_owned(),
        sent_at: build.at,
        evidence: build.evidence.to_owned(),
        source_key: build.source_key,
        ..Handoff::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn upstream(project: &str, build: &str, causes: Vec<Cause>) -> Cause {
        Cause::Upstream { project: project.to_owned(), build: build.to_owned(), by_step: false, causes }
    }

    #[test]
    fn causes_of_a_console_nest_by_blanks() {
        let text = [
            "Started by upstream project \"team/deploy\" build number 38,163",
            "originally caused by:",
            " Started by upstream project \"team/build\" build number 7",
            " originally caused by:",
            "  Started by user kir",
            " Started by timer",
            "Started by an SCM change",
            "Running as SYSTEM",
        ];
        let lines: Vec<String> = text.iter().map(|line| (*line).to_owned()).collect();
        let (causes, count) = of_lines(&lines);
        let kir = Cause::User(Some("kir".to_owned()));
        let expected = vec![
            upstream("team/deploy", "38163", vec![upstream("team/build", "7", vec![kir]), Cause::Timer]),
            Cause::Scm(None),
        ];
        assert_eq!((causes, count), (expected, 7));
    }

    #[test]
    fn an_upstream_chain_is_a_chain_of_handoffs() {
        let causes = [upstream("a", "2", vec![upstream("f/b", "1", vec![Cause::TooDeep])])];
        let build = Caused {
            run_key: run_key("c", "3"),
            name: Some("c"),
            at: None,
            evidence: "log",
            source_key: Key::default(),
        };
        let mut evidence = Evidence::default();
        assert_eq!(
            add(&causes, &build, &mut evidence),
            Some(handoff_key(run_key("a", "2"), run_key("c", "3")))
        );
        let links: Vec<_> = evidence
            .handoffs
            .iter()
            .map(|row| (row.parent_run_key, row.child_run_key, row.crosses.as_str()))
            .collect();
        let (a, b, c) = (Some(run_key("a", "2")), Some(run_key("f/b", "1")), Some(run_key("c", "3")));
        assert_eq!(links, [(a, c, "none"), (b, a, "repo")]);
        assert_eq!(evidence.evidence_gaps.len(), 1);
    }

    #[test]
    fn causes_of_the_api_are_told_by_class() {
        let value = json!({"_class": "org.jenkinsci.plugins.workflow.support.steps.build.BuildUpstreamCause",
            "shortDescription": "Started by upstream project", "upstreamBuild": 24, "upstreamProject": "d/PR-1", "upstreamUrl": "job/d/job/PR-1/"});
        let expected = Cause::Upstream {
            project: "d/PR-1".to_owned(),
            build: "24".to_owned(),
            by_step: true,
            causes: Vec::new(),
        };
        assert_eq!(Cause::of_json(&value, 0), Some(expected));
        let old = json!({"shortDescription": "Started by user anonymous", "userName": "anonymous"});
        assert_eq!(Cause::of_json(&old, 0), Some(Cause::User(Some("anonymous".to_owned()))));
    }
}
