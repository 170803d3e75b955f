//! Time of the demo: October 2026, in 100 ns ticks as the runner writes them.

/// Ticks per second.
const TICKS: u64 = 10_000_000;
/// 2026-10-01T00:00:00Z in Unix seconds.
const START: u64 = 1_790_812_800;

/// A moment; wall time of the demo organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Seconds since the demo's first day.
    pub(crate) fn at(seconds: u64) -> Self {
        Self((START + seconds) * TICKS)
    }

    pub(crate) fn plus_ticks(self, ticks: u64) -> Self {
        Self(self.0 + ticks)
    }

    pub(crate) fn plus(self, seconds: u64) -> Self {
        Self(self.0 + seconds * TICKS)
    }

    /// Days since the demo's first day.
    pub(crate) fn day(self) -> u64 {
        (self.0 / TICKS - START) / 86_400
    }

    pub(crate) fn unix(self) -> u64 {
        self.0 / TICKS
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`
    pub(crate) fn seconds(self) -> String {
        let unix = self.unix();
        let (year, month, day) = civil(unix / 86_400);
        let (hour, minute, second) = (unix / 3600 % 24, unix / 60 % 60, unix % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `YYYY-MM-DDTHH:MM:SS.fffffffZ`
    pub(crate) fn ticks(self) -> String {
        let seconds = self.seconds();
        format!("{}.{:07}Z", seconds.trim_end_matches('Z'), self.0 % TICKS)
    }
}

/// Year, month and day of a day since 1970 (Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_runner_writes_them() {
        assert_eq!(Moment::at(0).seconds(), "2026-10-01T00:00:00Z");
        assert_eq!(Moment::at(31 * 86_400 + 3661).seconds(), "2026-11-01T01:01:01Z");
        assert_eq!(Moment::at(1).plus_ticks(42).ticks(), "2026-10-01T00:00:01.0000042Z");
        assert_eq!(Moment::at(86_400 * 2 + 5).day(), 2);
    }
}
