//! Engage's clock: the times it writes, and what time it is there now. Tills' own clocks are off by days often enough.

use crate::core::domain::{Millis, millis};
use crate::transport::http_date;
use crate::rt::Instant;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as Engage writes it, with `Z` or an offset. None where it carries neither: then it could mean any of 26 hours.
pub(super) fn of_engage(text: &str) -> Option<Millis> {
    OffsetDateTime::parse(text, &Rfc3339).ok().and_then(since_1970)
}

fn since_1970(time: OffsetDateTime) -> Option<Millis> {
    (time.unix_timestamp_nanos() / 1_000_000).try_into().ok()
}

/// How long the last `Date` is counted on from; then another answer has to come.
const FRESH: Duration = Duration::from_secs(600);

/// A `Date` is in whole seconds, cut off.
const GRAIN_MS: Millis = 1_000;

/// What time it is at the server, from the `Date` of its last answer.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<Learned>>);

#[derive(Debug, Clone, Copy)]
struct Learned {
    at: Instant,
    date: Millis,
    /// How much later than `date` it may have been by then: what was cut off, and the answer's way.
    unsure: Millis,
}

impl ServerClock {
    /// The answer to a request that was `begun` then has just come.
    pub fn learn(&self, date: &str, taken: Instant) {
        if let Some(date) = http_date(date).and_then(since_1970) {
            let learned = Learned { at: Instant::now(), date, unsure: GRAIN_MS + millis(taken.elapsed()) };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(learned);
        }
    }

    /// The time there, at the earliest and at the latest.
    pub fn now(&self) -> Option<(Millis, Millis)> {
        let Learned { at, date, unsure } = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let age = at.elapsed();
        let earliest = date + millis(age);
        (age <= FRESH).then_some((earliest, earliest + unsure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_means_the_same_with_an_offset_and_nothing_without_one() {
        assert_eq!(of_engage("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(of_engage("1970-01-01T02:00:01+02:00"), Some(1_000));
        assert_eq!(of_engage("2026-03-20T13:53:08.003Z"), Some(1_774_014_788_003));
        for bad in ["2026-03-20T13:53:08", "2026-03-20", "", "soon", "1969-12-31T23:59:59Z"] {
            assert_eq!(of_engage(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_servers_clock_goes_on_from_its_last_answer() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None);
        clock.learn("no date", Instant::now());
        assert_eq!(clock.now(), None);
        clock.learn("Sun, 06 Nov 1994 08:49:37 GMT", Instant::now());
        let (earliest, latest) = clock.now().unwrap();
        assert!((784_111_777_000..784_111_780_000).contains(&earliest), "{earliest}");
        assert!(latest - earliest >= 1_000, "seconds are cut off");
    }
}
