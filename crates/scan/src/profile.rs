//! Where a scan's time went, for those who ask.

use std::time::Duration;

/// A stage of the scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Lines split, prefixes cut, clean lines skipped.
    Lines,
    /// Long runs found.
    Runs,
    /// Keyword automata, with the confirmation of their hits.
    Keywords,
    /// Candidates decoded, without the search in what they held.
    Decode,
    /// Assignments and headers read.
    Assignments,
    /// Secrets over several lines put together.
    Join,
}

impl Stage {
    /// All stages in the order they run.
    pub const ALL: [Self; 6] =
        [Self::Lines, Self::Runs, Self::Keywords, Self::Decode, Self::Assignments, Self::Join];

    /// The name used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Runs => "runs",
            Self::Keywords => "keywords",
            Self::Decode => "decode",
            Self::Assignments => "assignments",
            Self::Join => "join",
        }
    }
}

/// What one rule cost.
#[derive(Clone, Copy, Default, Debug)]
pub struct RuleCost {
    /// Time spent confirming its keywords' hits.
    pub time: Duration,
    /// Keyword hits.
    pub tried: u64,
    /// Hits the pattern confirmed.
    pub matched: u64,
}

/// Where the time of scans went. The clock itself costs: totals are above those of an
/// unprofiled scan.
#[derive(Clone, Default, Debug)]
pub struct Profile {
    /// Bytes of input.
    pub bytes: u64,
    /// Bytes of input lines skipped because the memo knew them.
    pub skipped_bytes: u64,
    stages: [Duration; 6],
    rules: Vec<RuleCost>,
}

impl Profile {
    pub(crate) fn new(rules: usize) -> Self {
        Self { rules: vec![RuleCost::default(); rules], ..Self::default() }
    }

    pub(crate) fn stage(&mut self, stage: Stage, time: Duration) {
        self.stages[stage as usize] += time;
    }

    pub(crate) fn rule(&mut self, rule: usize, time: Duration, is_match: bool) {
        if let Some(cost) = self.rules.get_mut(rule) {
            cost.time += time;
            cost.tried += 1;
            cost.matched += u64::from(is_match);
        }
    }

    /// Time spent in a stage.
    pub fn time(&self, stage: Stage) -> Duration {
        self.stages[stage as usize]
    }

    /// Costs in the order of the rules.
    pub fn rules(&self) -> &[RuleCost] {
        &self.rules
    }

    /// Adds what another worker spent under the same rules.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.skipped_bytes += other.skipped_bytes;
        self.stages.iter_mut().zip(other.stages).for_each(|(sum, time)| *sum += time);
        self.rules.resize(self.rules.len().max(other.rules.len()), RuleCost::default());
        for (sum, cost) in self.rules.iter_mut().zip(&other.rules) {
            sum.time += cost.time;
            sum.tried += cost.tried;
            sum.matched += cost.matched;
        }
    }
}
