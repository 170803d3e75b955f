//! Points in time: microseconds since the Unix epoch, UTC.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Parses RFC 3339 / ISO 8601 with an offset or `Z`; sub-microsecond digits are cut.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(stamp) = runner_stamp(text.as_bytes()) {
            return Some(stamp);
        }
        let stamp: jiff::Timestamp = text.trim().parse().ok()?;
        Some(Self(stamp.as_microsecond()))
    }

    /// From whole seconds since the epoch.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Now, by the system clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// Seconds from `earlier` to `self`.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1e6
    }
}

/// `YYYY-MM-DDTHH:MM:SS.fffffffZ`, which stands before every line of a run log: reading it
/// with a general parser costs more than the rest of the line.
fn runner_stamp(text: &[u8]) -> Option<Timestamp> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        f4,
        f5,
        f6,
        f7,
        b'Z',
    ] = text
    else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(**byte - b'0')))
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    let micros = number(&[f1, f2, f3, f4, f5, f6])?;
    f7.is_ascii_digit().then_some(())?;
    let days = match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days).contains(&day);
    // Leap days and leap seconds are left to the general parser, as is what is no time.
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1_000_000 + micros))
}

/// Days from 1970-01-01 in the Gregorian calendar, for years from 1970 on. Years begin in
/// March, so that the leap day ends them.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "out of range ({} us)", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_the_runner_format() {
        let stamp = Timestamp::parse("2026-08-03T16:28:53.7580000Z").unwrap();
        assert_eq!(stamp.to_string(), "2026-08-03T16:28:53.758Z");
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_general_parser(second in 0_i64..7_000_000_000, fraction in 0_i64..10_000_000) {
            let stamp = jiff::Timestamp::from_second(second).unwrap();
            let text = format!("{}.{fraction:07}Z", stamp.strftime("%Y-%m-%dT%H:%M:%S"));
            let general: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(Timestamp::parse(&text), Some(Timestamp(general.as_microsecond())));
            if let Some(short) = runner_stamp(text.as_bytes()) {
                prop_assert_eq!(short, Timestamp(general.as_microsecond()));
            }
        }
    }
}
