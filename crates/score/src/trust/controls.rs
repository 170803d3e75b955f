//! The seven controls.

use super::index::Index;
use super::{Facts, Outcome, TriggerClass};
use crate::holding::may_be_own_token;
use leakgraph_model::tables::{Credential, IdentityUsed, Job, Run, SecretPassed, SecretSighting};
use leakgraph_model::{Key, Timestamp};

const DAY_SECONDS: f64 = 86_400.0;
/// Platforms that issue OIDC tokens to their jobs.
const OFFERS_OIDC: [&str; 6] = ["github", "gitlab", "azure_devops", "circleci", "buildkite", "jenkins"];
/// Platforms whose jobs get a token that ends with them.
const OWN_TOKEN: [&str; 3] = ["github", "gitlab", "azure_devops"];

/// One run and its rows.
struct Subject<'s, 'a> {
    run: &'s Run,
    index: &'s Index<'a>,
    facts: &'s Facts<'a>,
    /// Jobs that ran.
    jobs: Vec<&'a Job>,
}

pub(super) fn outcomes(run: &Run, index: &Index<'_>, facts: &Facts<'_>) -> [Outcome; 7] {
    let ran = |job: &&&Job| job.conclusion.as_deref() != Some("skipped");
    let jobs = facts.index.jobs.get(&run.run_key).into_iter().flatten().filter(ran).copied().collect();
    let subject = Subject { run, index, facts, jobs };
    [
        subject.provenance(),
        subject.least_privilege(),
        subject.hygiene(),
        subject.approval(),
        subject.containment(),
        subject.audit(),
        subject.revocation(),
    ]
}

fn subject_of(row: &IdentityUsed) -> String {
    row.subject.clone().unwrap_or_else(|| row.identity_kind.clone())
}

fn place(row: &IdentityUsed, run: Key) -> String {
    row.job_key.map_or_else(|| format!("runs:{run}"), |job| format!("jobs:{job}"))
}

impl<'a> Subject<'_, 'a> {
    fn used(&self) -> &[&'a IdentityUsed] {
        self.index.used.get(&self.run.run_key).map_or(&[], Vec::as_slice)
    }

    /// Sightings of what is a secret in all likelihood.
    fn leaks(&self) -> impl Iterator<Item = &&'a SecretSighting> {
        let rows = self.index.sightings.get(&self.run.run_key);
        rows.into_iter().flatten().filter(|row| row.confidence != "possible")
    }

    /// Named secrets that were passed. Steps show the names of variables and inputs, GitHub's
    /// own list those of secrets: where there is one, it holds.
    fn passed(&self) -> impl Iterator<Item = &&'a SecretPassed> {
        let is_own = |row: &SecretPassed| {
            row.name.eq_ignore_ascii_case("GITHUB_TOKEN") || may_be_own_token(row) && self.names_no_secret()
        };
        let is_listed = |row: &SecretPassed| {
            row.how == "audit_list" || row.job_key.is_none_or(|job| !self.index.listed.contains(&job))
        };
        let rows = self.index.passed.get(&self.run.run_key).into_iter().flatten();
        rows.filter(move |row| row.how != "id_token" && is_listed(row) && !is_own(row))
    }

    /// Whether the workflow file names no secret.
    fn names_no_secret(&self) -> bool {
        let place = self.run.repo.as_deref().zip(self.run.workflow_path.as_deref());
        place.is_some_and(|(repo, path)| self.index.secretless.contains(&(repo.to_lowercase(), path)))
    }

    fn at(&self) -> Option<Timestamp> {
        self.run.created_at.or(self.run.started_at)
    }

    /// T1: every identity is tied to a job of this run, and no static key is shared.
    fn provenance(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for row in self.used() {
            let repos = row.identity_key.and_then(|key| self.index.static_repos.get(&key));
            if row.how == "static" && repos.is_some_and(|repos| repos.len() > 1) {
                let reason = format!("a static key of {} is used in several repositories", subject_of(row));
                outcome.fail(reason, place(row, self.run.run_key));
            }
            let is_tied = row.job_key.is_some()
                && (row.how == "job_token"
                    || matches!(row.join_method.as_str(), "exact_id" | "session_name"));
            if is_tied {
                outcome.pass(place(row, self.run.run_key));
            } else {
                outcome.unknown(format!("{} is tied to no job for sure", subject_of(row)));
            }
        }
        for leak in self.leaks() {
            let is_lasting =
                self.index.secrets.get(&leak.secret_key).is_some_and(|row| row.lifetime == "long");
            let repos = self.index.secret_repos.get(&leak.secret_key);
            if is_lasting && repos.is_some_and(|repos| repos.len() > 1) {
                let reason = "a secret shows up in several repositories".to_owned();
                outcome.fail(reason, format!("secret_sightings:{}", leak.sighting_key));
            }
        }
        for job in &self.jobs {
            let is_named =
                self.used().iter().any(|row| row.job_key == Some(job.job_key) && row.how != "job_token");
            if let Some(key) = self
                .index
                .cloud_keys
                .get(&job.job_key)
                .and_then(|rows| rows.iter().map(|row| &row.name).min())
                && !is_named
            {
                outcome.unknown(format!("whose credential {key} of job {} is, is not known", job.name));
            }
            if job.has_log {
                outcome.pass(format!("jobs:{}", job.job_key));
            } else {
                outcome.unknown(format!("job {} has no log that would show its identities", job.name));
            }
        }
        outcome
    }

    /// T2: no identity may do much more than it does, no handoff gives more than its sender had.
    fn least_privilege(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let most = self.facts.weights.max_excess;
        for row in self.used().iter().filter(|row| row.how != "job_token") {
            let score = row.identity_key.and_then(|key| self.index.scores.get(&key));
            let bounds =
                score.and_then(|score| Some((score.identity_key, score.excess_low?, score.excess_high?)));
            match bounds {
                Some((key, low, _)) if low > most => {
                    let reason =
                        format!("{} holds more than it uses: excess {low:.0} at least", subject_of(row));
                    outcome.fail(reason, format!("nhi_scores:{key}"));
                }
                Some((key, _, high)) if high <= most => outcome.pass(format!("nhi_scores:{key}")),
                _ => outcome.unknown(format!("excess privilege of {} is not known", subject_of(row))),
            }
        }
        for job in &self.jobs {
            self.token(job, &mut outcome);
        }
        for handoff in self.index.handoffs.get(&self.run.run_key).into_iter().flatten() {
            let evidence = format!("handoffs:{}", handoff.handoff_key);
            let mode =
                self.facts.crossings.get(&handoff.handoff_key).map_or("unknown", |crossing| crossing.mode);
            match mode {
                "widened" if handoff.gate != "passed" => {
                    outcome.fail(format!("a {} gives more than its sender had", handoff.mechanism), evidence);
                }
                "unknown" => outcome.unknown(format!("what a {} hands over is not known", handoff.mechanism)),
                _ => outcome.pass(evidence),
            }
        }
        outcome
    }

    /// What a job's token may write, somebody would have to see it write.
    fn token(&self, job: &Job, outcome: &mut Outcome) {
        let Some(scopes) = self.facts.index.permissions.get(&job.job_key) else {
            return outcome.unknown(format!("permissions of the token of job {} are not known", job.name));
        };
        let federates = self.used().iter().any(|row| row.job_key == Some(job.job_key) && row.how == "oidc");
        let unseen: Vec<&str> = scopes
            .iter()
            .filter(|row| matches!(row.access.as_str(), "write" | "admin"))
            .map(|row| row.scope.as_str())
            .filter(|scope| !(federates && *scope == "id-token"))
            .collect();
        if unseen.is_empty() {
            outcome.pass(format!("jobs:{}", job.job_key));
        } else {
            let mut names = unseen;
            names.sort_unstable();
            outcome.unknown(format!(
                "whether job {} needs to write {} is not known",
                job.name,
                names.join(", ")
            ));
        }
    }

    /// T3: nothing leaked, nothing static where workload identity is offered, nothing over age.
    fn hygiene(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for leak in self.leaks() {
            let how = if leak.encodings.is_empty() { "in clear" } else { "encoded" };
            let reason = format!("a secret stands {how} in {}", leak.place.replace('_', " "));
            outcome.fail(reason, format!("secret_sightings:{}", leak.sighting_key));
        }
        for handoff in self.index.handoffs.get(&self.run.run_key).into_iter().flatten() {
            if self
                .facts
                .crossings
                .get(&handoff.handoff_key)
                .is_some_and(|crossing| crossing.forwarded.is_shown())
            {
                let reason = format!("a {} carries a secret in its inputs", handoff.mechanism);
                outcome.fail(reason, format!("handoffs:{}", handoff.handoff_key));
            }
        }
        let is_offered = OFFERS_OIDC.contains(&self.run.platform.as_str());
        for row in self.used().iter().filter(|row| row.how == "static") {
            let is_cloud =
                ["aws", "gcp", "azure", "k8s"].iter().any(|cloud| row.identity_kind.starts_with(cloud));
            if is_offered && is_cloud {
                let reason =
                    format!("{} has a static key where workload identity is offered", subject_of(row));
                outcome.fail(reason, place(row, self.run.run_key));
            }
        }
        for row in self.passed() {
            let stored = self.index.stored(self.run, &row.name);
            let since = stored.and_then(|stored| stored.rotated_at.max(stored.created_at));
            let days = self.at().zip(since).map(|(at, since)| at.seconds_since(since) / DAY_SECONDS);
            match (stored, days) {
                (Some(stored), Some(days)) if days > self.facts.weights.max_secret_days => {
                    let reason = format!(
                        "{} was not changed for {} days",
                        row.name, self.facts.weights.max_secret_days
                    );
                    outcome.fail(reason, format!("credentials:{}", stored.credential_key));
                }
                (Some(stored), Some(days)) if days >= 0.0 => {
                    outcome.pass(format!("credentials:{}", stored.credential_key))
                }
                // Changed since: how old it was then is not on record.
                _ => outcome.unknown(format!("the age of {} is not known", row.name)),
            }
        }
        for job in &self.jobs {
            if job.has_log {
                outcome.pass(format!("jobs:{}", job.job_key));
            } else {
                outcome.unknown(format!("no log of job {} was scanned", job.name));
            }
        }
        outcome
    }

    /// T4: what holds privilege was started by an approval or a policy.
    fn approval(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let triggers = &self.facts.classes.triggers;
        let of_run = triggers.get(&self.run.run_key);
        if self.jobs.is_empty() {
            decided(of_run, "the run", &mut outcome);
        }
        for job in &self.jobs {
            decided(triggers.get(&job.job_key).or(of_run), &format!("job {}", job.name), &mut outcome);
        }
        outcome
    }

    /// T5: credentials and foreign code kept apart, and the code that was meant.
    fn containment(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for job in &self.jobs {
            match self.facts.classes.boundaries.get(&job.job_key) {
                Some(boundary) => match boundary.class.as_str() {
                    "MEDIATED" | "NONE" => outcome.pass(boundary.evidence.clone()),
                    "SHARED" | "AMBIENT" | "FULL" => {
                        let reason = format!("job {}: boundary {}", job.name, boundary.class.to_lowercase());
                        outcome.fail(reason, boundary.evidence.clone());
                    }
                    _ => outcome.unknown(format!("the boundary of job {} is not known", job.name)),
                },
                None => outcome.unknown(format!("the boundary of job {} is not known", job.name)),
            }
            self.actions(job, &mut outcome);
        }
        outcome
    }

    /// Foreign actions are pinned; those of GitHub and of the own organisation at least did not move.
    fn actions(&self, job: &Job, outcome: &mut Outcome) {
        let own = self.run.repo.as_deref().and_then(|repo| repo.split('/').next()).unwrap_or_default();
        for step in self.facts.index.steps.get(&job.job_key).into_iter().flatten() {
            let Some(uses) =
                step.uses.as_deref().filter(|_| matches!(step.pinned.as_deref(), Some("tag" | "branch")))
            else {
                continue;
            };
            let owner = uses.split('/').next().unwrap_or_default();
            let is_near = ["actions", "github", own].iter().any(|near| near.eq_ignore_ascii_case(owner));
            if !is_near {
                outcome.fail(format!("{uses} is not pinned"), format!("steps:{}", step.step_key));
                continue;
            }
            let before =
                self.index.resolved.get(uses).into_iter().flatten().filter(|(at, _)| *at < self.at());
            let moved = step
                .resolved_sha
                .as_deref()
                .is_some_and(|sha| before.clone().any(|(_, other)| *other != sha));
            if moved {
                outcome.unknown(format!("{uses} was another commit before"));
            }
        }
    }

    /// T6: all attempts, jobs, children and decisions are on record.
    fn audit(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let run = format!("runs:{}", self.run.run_key);
        if self.index.deleted.contains(&self.run.run_key) {
            outcome.fail("its logs were deleted".to_owned(), run.clone());
        }
        let sources = self.jobs.iter().map(|job| job.source_key).chain([self.run.source_key]);
        for source in sources.filter(|source| self.index.torn.contains(source)) {
            outcome.fail("a log is not whole".to_owned(), format!("source_files:{source}"));
        }
        if self.jobs.is_empty() {
            outcome.unknown("no job is on record");
        }
        for job in &self.jobs {
            if job.has_log {
                outcome.pass(format!("jobs:{}", job.job_key));
            } else {
                outcome.unknown(format!("no log of job {} was read", job.name));
            }
        }
        self.attempts(&mut outcome);
        for handoff in self.index.handoffs.get(&self.run.run_key).into_iter().flatten() {
            if handoff.child_run_key.is_none() && handoff.child_job_key.is_none() {
                outcome.unknown(format!("the child of a {} is not on record", handoff.mechanism));
            } else {
                outcome.pass(format!("handoffs:{}", handoff.handoff_key));
            }
        }
        if self.facts.orphans.contains(&self.run.run_key) {
            outcome.unknown("what started it is not on record");
        }
        if self.run.event.is_none() {
            outcome.unknown("its event is not on record");
        }
        outcome
    }

    fn attempts(&self, outcome: &mut Outcome) {
        let Some((id, attempt)) = self.run.platform_run_id.as_deref().zip(self.run.attempt) else {
            return outcome.unknown("its number or attempt is not on record");
        };
        let repo = self.run.repo.as_deref().unwrap_or_default().to_lowercase();
        // Nobody repeats a run a thousand times; a number of a hostile file may say so.
        let before = (1..attempt).take(1_000);
        let is_missing = |earlier: i64| {
            !self.index.attempts.contains(&(self.run.platform.as_str(), repo.clone(), id, earlier))
        };
        if let Some(missing) = before.into_iter().find(|earlier| is_missing(*earlier)) {
            outcome.unknown(format!("attempt {missing} is not on record"));
        }
    }

    /// T7: what the run held ends by itself, or was changed after it was last exposed.
    fn revocation(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for row in self.used() {
            match row.how.as_str() {
                "oidc" | "job_token" | "app_token" => outcome.pass(place(row, self.run.run_key)),
                "static" => self.standing(row, &mut outcome),
                _ => outcome
                    .unknown(format!("how long the credential of {} lives is not known", subject_of(row))),
            }
        }
        for row in self.passed() {
            self.named(row, &mut outcome);
        }
        for leak in self.leaks() {
            let evidence = format!("secret_exposures:{}", leak.secret_key);
            let exposure = self.index.exposures.get(&leak.secret_key);
            match exposure.map(|row| (row.state.as_str(), row)) {
                Some(("alive", row)) => {
                    outcome.fail(format!("a leaked secret lives: {}", row.state_reason), evidence)
                }
                Some(("expired" | "revoked" | "rotated", _)) => outcome.pass(evidence),
                _ => outcome.unknown("whether a leaked secret lives is not known"),
            }
        }
        if OWN_TOKEN.contains(&self.run.platform.as_str()) {
            for job in self.jobs.iter().filter(|job| job.has_log) {
                outcome.pass(format!("jobs:{}", job.job_key));
            }
        }
        for job in self.jobs.iter().filter(|job| !job.has_log) {
            outcome.unknown(format!("what credentials job {} had is not known", job.name));
        }
        outcome
    }

    /// Whether an end lies within the hours that count as short.
    fn is_short(&self, expires: Option<Timestamp>, since: Option<Timestamp>) -> Option<bool> {
        Some(expires?.seconds_since(since?) <= self.facts.weights.short_hours * 3600.0)
    }

    fn standing(&self, row: &IdentityUsed, outcome: &mut Outcome) {
        let rows = row.identity_key.and_then(|key| self.index.credentials.get(&key));
        let keys: Vec<_> = rows
            .into_iter()
            .flatten()
            .filter(|row| row.kind == "access_key" && row.status != "inactive")
            .collect();
        let exposed = row.identity_key.and_then(|key| self.index.exposed.get(&key));
        let is_ready = |key: &&Credential| {
            let is_short = self.is_short(key.expires_at, row.issued_at.or(self.at())) == Some(true);
            let changed = key.rotated_at.max(key.created_at);
            is_short || exposed.is_some_and(|last| changed.is_some_and(|changed| changed > *last))
        };
        if !keys.is_empty() && keys.iter().all(|key| is_ready(key)) {
            for key in keys {
                outcome.pass(format!("credentials:{}", key.credential_key));
            }
        } else {
            let reason = format!("the static key of {} does not end by itself", subject_of(row));
            outcome.fail(reason, place(row, self.run.run_key));
        }
    }

    fn named(&self, row: &SecretPassed, outcome: &mut Outcome) {
        let Some(stored) = self.index.stored(self.run, &row.name) else {
            return outcome.unknown(format!("how long {} lives is not known", row.name));
        };
        let evidence = format!("credentials:{}", stored.credential_key);
        let place = format!("{}/{}", stored.scope.as_deref().unwrap_or_default(), stored.name).to_lowercase();
        let exposed = self.index.exposed_as.get(&place).copied();
        let changed = stored.rotated_at.max(stored.created_at);
        match (self.is_short(stored.expires_at, self.at()), exposed) {
            (Some(true), _) => outcome.pass(evidence),
            (_, Some(last)) if changed.is_some_and(|changed| changed > last) => outcome.pass(evidence),
            (_, Some(_)) if changed.is_some() => {
                outcome.fail(format!("{} was not changed after it had been exposed", row.name), evidence);
            }
            (Some(false), None) => outcome.fail(format!("{} outlives the run by far", row.name), evidence),
            _ => outcome.unknown(format!("how long {} lives is not known", row.name)),
        }
    }
}

fn decided(decision: Option<&TriggerClass>, what: &str, outcome: &mut Outcome) {
    let Some(decision) = decision else {
        return outcome.unknown(format!("which decision started {what} is not known"));
    };
    let is_safe = matches!(decision.class.as_str(), "APPROVED" | "POLICY");
    if decision.privileged == Some(false) || (is_safe && decision.faults.is_empty()) {
        outcome.pass(decision.evidence.clone());
    } else if !decision.faults.is_empty() {
        outcome.fail(format!("{what}: {}", decision.faults.join(", ")), decision.evidence.clone());
    } else if decision.class == "UNKNOWN" || decision.privileged.is_none() {
        outcome.unknown(format!("whether {what} was started by an approval or policy is not known"));
    } else {
        let class = decision.class.to_lowercase().replace('_', " ");
        outcome.fail(format!("{what} holds privilege and was started by {class}"), decision.evidence.clone());
    }
}
