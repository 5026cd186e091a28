//! The sandbox's time, in milliseconds since 1970, in the format that Engage uses.
//! The clock follows the computer's clock until a change sets, advances or freezes it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time with a resolution of 1 ms, in the years 0 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;

    /// Returns the time at so many milliseconds since 1970-01-01T00:00:00Z, limited to the years 0
    /// to 9999.
    pub const fn from_millis(millis: i64) -> Time {
        Time(if millis < Time::FIRST {
            Time::FIRST
        } else if millis > Time::LAST {
            Time::LAST
        } else {
            millis
        })
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Returns the value of HTTP's `Date` header. A time before 1970 becomes the start of 1970.
    pub fn http_date(self) -> HeaderValue {
        let since_1970 = Duration::from_millis(u64::try_from(self.0).unwrap_or_default());
        let text = httpdate::fmt_http_date(UNIX_EPOCH + since_1970);
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn moment(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Returns the time `millis` later, or earlier if `millis` is negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Time {
        Time::from_millis(self.0.saturating_add(millis))
    }
}

/// Formats the time like Engage: `2026-03-20T13:53:08.003Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.moment();
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

/// Parses RFC 3339, with `Z` or an offset.
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

/// The sandbox's clock: it runs at an offset from the computer's clock, or it is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Clock {
    /// Runs ahead of the computer's clock.
    Runs {
        /// The offset in milliseconds; negative: behind.
        offset_ms: i64,
    },
    /// Is frozen at this time.
    Stands(Time),
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::Runs { offset_ms: 0 }
    }
}

impl Clock {
    /// Returns the present time of the sandbox.
    pub fn now(self) -> Time {
        match self {
            Clock::Runs { offset_ms } => computers().plus_millis(offset_ms),
            Clock::Stands(time) => time,
        }
    }

    /// Returns the milliseconds by which the sandbox's time is ahead of the computer's.
    pub fn offset_ms(self) -> i64 {
        match self {
            Clock::Runs { offset_ms } => offset_ms,
            Clock::Stands(time) => time.millis() - computers().millis(),
        }
    }

    /// Returns this clock, set to another time.
    #[must_use]
    pub fn at(self, time: Time) -> Clock {
        match self {
            Clock::Runs { .. } => Clock::Runs { offset_ms: time.millis() - computers().millis() },
            Clock::Stands(_) => Clock::Stands(time),
        }
    }

    /// Returns this clock, advanced by `ms` milliseconds, or set back if `ms` is negative.
    #[must_use]
    pub fn advanced(self, ms: i64) -> Clock {
        match self {
            Clock::Runs { offset_ms } => Clock::Runs { offset_ms: offset_ms.saturating_add(ms) },
            Clock::Stands(time) => Clock::Stands(time.plus_millis(ms)),
        }
    }

    /// Returns this clock, frozen, or running on from its present time.
    #[must_use]
    pub fn frozen(self, frozen: bool) -> Clock {
        match frozen {
            true => Clock::Stands(self.now()),
            false => Clock::Runs { offset_ms: self.offset_ms() },
        }
    }

    /// Returns whether the clock is frozen.
    pub fn is_frozen(self) -> bool {
        matches!(self, Clock::Stands(_))
    }
}

/// A change of the clock. The parts apply in this order, and no time passes between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockChange {
    /// Runs so many milliseconds ahead of the computer's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<i64>,
    /// Is set to this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<Time>,
    /// Advances by so many milliseconds; negative: is set back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advance_ms: Option<i64>,
    /// Is frozen, or runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<bool>,
}

/// Parses `+1d`, `-90m`, a time, `freeze`, `run` or `now`.
impl FromStr for ClockChange {
    type Err = ();

    fn from_str(text: &str) -> Result<ClockChange, ()> {
        let none = ClockChange::default();
        match text {
            "freeze" => Ok(ClockChange { frozen: Some(true), ..none }),
            "run" => Ok(ClockChange { frozen: Some(false), ..none }),
            "now" => Ok(ClockChange { offset_ms: Some(0), frozen: Some(false), ..none }),
            _ if text.starts_with(['+', '-']) => {
                let unit = text.chars().last().ok_or(())?;
                let ms: i64 = match unit {
                    's' => 1000,
                    'm' => 60_000,
                    'h' => 3_600_000,
                    'd' => 86_400_000,
                    _ => return Err(()),
                };
                let number: i64 = text[..text.len() - 1].parse().map_err(|_| ())?;
                Ok(ClockChange { advance_ms: Some(number.checked_mul(ms).ok_or(())?), ..none })
            }
            time => Ok(ClockChange { set: Some(time.parse().map_err(|_| ())?), ..none }),
        }
    }
}

impl ClockChange {
    /// Returns the changed clock.
    #[must_use]
    pub fn of(self, clock: Clock) -> Clock {
        let clock = self.offset_ms.map_or(clock, |offset_ms| Clock::Runs { offset_ms });
        let clock = if self.frozen == Some(true) { clock.frozen(true) } else { clock };
        let clock = self.set.map_or(clock, |time| clock.at(time));
        let clock = self.advance_ms.map_or(clock, |ms| clock.advanced(ms));
        self.frozen.map_or(clock, |frozen| clock.frozen(frozen))
    }
}

fn computers() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
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
        assert_eq!(Time::from_millis(1_800_000_000_000).http_date(), "Fri, 15 Jan 2027 08:00:00 GMT");
        assert!("yesterday".parse::<Time>().is_err());
    }

    #[test]
    fn a_running_clock_is_set_and_frozen_in_one_step() {
        let time = Time::from_millis(1_800_000_000_000);
        let change = ClockChange { set: Some(time), advance_ms: Some(5), frozen: Some(true), ..ClockChange::default() };
        let until = std::time::Instant::now() + std::time::Duration::from_millis(20);
        // Over several milliseconds of the computer's clock.
        while std::time::Instant::now() < until {
            assert_eq!(change.of(Clock::default()), Clock::Stands(time.plus_millis(5)));
        }
    }

    #[test]
    fn a_clock_is_set_advanced_frozen_and_started() {
        let time = Time::from_millis(1_800_000_000_000);
        let stands = Clock::default().frozen(true).at(time);
        assert_eq!(stands.now(), time);
        assert_eq!(stands.advanced(-5).now(), time.plus_millis(-5));
        let runs = stands.frozen(false);
        assert!(runs.now() >= time && runs.now() < time.plus_millis(60_000));
        assert!(!runs.is_frozen() && runs.advanced(i64::MAX).now() > time);
    }
}
