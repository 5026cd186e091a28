//! The sandbox's time: milliseconds since 1970, printed the way Engage prints them.
//! The clock follows the computer's, moved by an offset that a test can set.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, to the millisecond, between the years 0 and 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;

    /// Milliseconds since 1970-01-01T00:00:00Z; what no year of four digits can say becomes the nearest that can.
    pub const fn from_millis(millis: i64) -> Time {
        Time(if millis < Time::FIRST {
            Time::FIRST
        } else if millis > Time::LAST {
            Time::LAST
        } else {
            millis
        })
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment, `millis` later (or earlier, when negative).
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Time {
        Time::from_millis(self.0.saturating_add(millis))
    }
}

/// As Engage prints it: `2026-03-20T13:53:08.003Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (hour, minute, second) = moment.time().as_hms();
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            self.0.rem_euclid(1000)
        )
    }
}

/// Reads RFC 3339, with `Z` or an offset.
impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let moment = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("`{text}` is not a time like 2026-03-20T13:53:08.003Z"))?;
        let millis = moment.unix_timestamp() * 1000 + i64::from(moment.millisecond());
        Ok(Time::from_millis(millis))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The computer's clock plus an offset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_ms: i64,
}

impl Clock {
    /// What the sandbox takes the time to be.
    pub fn now(self) -> Time {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)).plus_millis(self.offset_ms)
    }

    /// How far the sandbox's time is ahead of the computer's.
    pub fn offset_ms(self) -> i64 {
        self.offset_ms
    }

    /// Moves the sandbox's time away from the computer's.
    pub fn set_offset_ms(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_printed_as_engage_prints_it_and_reads_back() {
        for text in [
            "2026-03-20T13:53:08.003Z",
            "1969-12-31T23:59:59.999Z",
            "0000-01-01T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!("2026-03-20T15:53:08.003+02:00".parse::<Time>().unwrap().to_string(), "2026-03-20T13:53:08.003Z");
    }

    #[test]
    fn any_number_of_milliseconds_is_a_time() {
        assert_eq!(Time::from_millis(i64::MAX).plus_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Time::from_millis(i64::MIN).plus_millis(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert!("yesterday".parse::<Time>().is_err());
    }
}
