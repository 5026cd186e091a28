//! Engage's clock: reads Engage's times, and estimates the server's current time. A till's own
//! clock is often off by days.

use crate::core::domain::{Millis, millis};
use crate::rt::{self, Instant, Mutex};
use crate::transport::http_date;
use std::borrow::Cow;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads a time as Engage writes it, with `Z` or an offset. None without either: such a time could
/// mean any of 26 hours. None at a quarter of an hour sharp: it may be a date without a time, as
/// midnight of the till's country in UTC.
pub(super) fn of_engage(text: &str) -> Option<Millis> {
    let text = with_colon(text);
    let time = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
    let is_date = time.minute() % 15 == 0 && time.second() == 0 && time.nanosecond() == 0;
    if is_date { None } else { since_1970(time) }
}

/// Reads the `Date` of a response.
pub(super) fn of_header(date: &str) -> Option<Millis> {
    http_date(date).and_then(since_1970)
}

/// Adds the colon to an offset that has none: `+0200`.
fn with_colon(text: &str) -> Cow<'_, str> {
    let at = text.len().saturating_sub(5);
    match text.as_bytes().get(at..) {
        Some([b'+' | b'-', digits @ ..]) if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit) && at > 10 => {
            Cow::Owned(format!("{}:{}", &text[..at + 3], &text[at + 3..]))
        }
        _ => Cow::Borrowed(text),
    }
}

fn since_1970(time: OffsetDateTime) -> Option<Millis> {
    (time.unix_timestamp_nanos() / 1_000_000).try_into().ok()
}

/// The estimate is kept for this time after the last response.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// A `Date` is rounded down to a second.
const RESOLUTION_MS: Millis = 1_000;

/// The server's time, from the `Date` of its last response.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<Sample>>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    received_at: Instant,
    date: Millis,
    /// How much later than `date` the time may have been: the rounding and the response's way.
    uncertainty: Millis,
}

impl ServerClock {
    /// Takes the `Date` of a response that has just arrived. Its request was begun at `began`.
    pub fn learn(&self, date: &str, began: Instant) {
        if let Some(date) = http_date(date).and_then(since_1970) {
            let uncertainty = RESOLUTION_MS + millis(began.elapsed());
            *rt::lock(&self.0) = Some(Sample { received_at: Instant::now(), date, uncertainty });
        }
    }

    /// Returns the server's time in ms since 1970, at the earliest and at the latest.
    pub fn now(&self) -> Option<(Millis, Millis)> {
        let Sample { received_at, date, uncertainty } = (*rt::lock(&self.0))?;
        let age = received_at.elapsed();
        let earliest = date + millis(age);
        (age <= KEPT_FOR).then_some((earliest, earliest + uncertainty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_an_offset_or_a_time_of_day_is_not_read() {
        assert_eq!(of_engage("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(of_engage("1970-01-01T02:00:01+02:00"), Some(1_000));
        assert_eq!(of_engage("1970-01-01T02:00:01+0200"), Some(1_000));
        assert_eq!(of_engage("2026-03-20T13:53:08.003Z"), Some(1_774_014_788_003));
        assert_eq!(with_colon("1970-01-01T02:00:01-0230"), "1970-01-01T02:00:01-02:30");
        assert_eq!(with_colon("1970-01-01+0200"), "1970-01-01+0200", "a date has no offset");
        assert_eq!(with_colon("1970-01-01T+0200"), "1970-01-01T+02:00");
        for as_it_was in ["1970-01-01T00:00:01.500Z", "1970-01-01T02:00:01+02:0", "1970-01-01T02:00:01+0a00"] {
            assert_eq!(with_colon(as_it_was), as_it_was);
        }
        for bad in [
            "2026-03-20T13:53:08",
            "2026-03-20",
            "",
            "soon",
            "1969-12-31T23:59:59Z",
            "2026-03-20T00:00:00Z",
            "2026-03-20T00:00:00.000+02:00",
        ] {
            assert_eq!(of_engage(bad), None, "{bad}");
        }
    }

    #[test]
    fn server_clock_goes_on_from_the_last_response() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None);
        clock.learn("no date", Instant::now());
        assert_eq!(clock.now(), None);
        clock.learn("Sun, 06 Nov 1994 08:49:37 GMT", Instant::now());
        let (earliest, latest) = clock.now().unwrap();
        assert!((784_111_777_000..784_111_780_000).contains(&earliest), "{earliest}");
        assert!((1_000..60_000).contains(&(latest - earliest)), "a Date is rounded down to a second");
    }
}
