//! Engage's clock: reads Engage's times, and estimates the server's current time. A till's own
//! clock is often off by days.

use crate::core::domain::{Millis, millis};
use crate::core::evidence::CLOCK_TOLERANCE_MS;
use crate::rt::{self, BootTime, Mutex};
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

/// The server's time, from the `Date` of its last response. Between two responses the boot time
/// counts.
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Known>);

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    last: Option<Sample>,
    /// When a `Date` last showed that the estimate was wrong.
    corrected_at: Option<BootTime>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    received_at: BootTime,
    date: Millis,
    /// How much later than `date` the time may have been: the rounding and the response's way.
    uncertainty: Millis,
}

impl Sample {
    /// Returns the time at the earliest and at the latest.
    fn at(self, now: BootTime) -> (Millis, Millis) {
        let earliest = self.date + millis(now.since(self.received_at));
        (earliest, earliest + self.uncertainty)
    }
}

impl Known {
    fn learn(&mut self, date: Millis, began: BootTime, now: BootTime) {
        let sample = Sample { received_at: now, date, uncertainty: RESOLUTION_MS + millis(now.since(began)) };
        // Decisions about a redeem tolerate no more.
        if sample.uncertainty > CLOCK_TOLERANCE_MS {
            return;
        }
        let (earliest, latest) = sample.at(now);
        let contradicts = |last: Sample| {
            let (from, until) = last.at(now);
            latest + CLOCK_TOLERANCE_MS < from || until + CLOCK_TOLERANCE_MS < earliest
        };
        if self.last.is_some_and(contradicts) {
            self.corrected_at = Some(now);
        }
        self.last = Some(sample);
    }

    fn at(self, now: BootTime) -> Option<(Millis, Millis)> {
        self.last.filter(|last| now.since(last.received_at) <= KEPT_FOR).map(|last| last.at(now))
    }
}

impl ServerClock {
    /// Takes the `Date` of a response that has just arrived. Its request was begun at `began`.
    pub fn learn(&self, date: &str, began: BootTime) {
        if let Some(date) = of_header(date) {
            let mut known = rt::lock(&self.0);
            known.learn(date, began, BootTime::now());
        }
    }

    /// Returns the server's time in ms since 1970, at the earliest and at the latest, and the boot
    /// time for which that holds.
    pub fn now(&self) -> (BootTime, Option<(Millis, Millis)>) {
        let known = rt::lock(&self.0);
        let now = BootTime::now();
        (now, known.at(now))
    }

    /// Returns when a `Date` last showed that the earlier estimates were wrong: a virtual machine
    /// was paused, whose boot time stops.
    pub fn corrected_at(&self) -> Option<BootTime> {
        rt::lock(&self.0).corrected_at
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
            "2026-03-20T22:00:00Z",
            "2026-03-20T18:30:00+00:00",
            "2026-03-20T18:15:00.000Z",
        ] {
            assert_eq!(of_engage(bad), None, "{bad}");
        }
    }

    #[test]
    fn server_clock_goes_on_from_the_last_response() {
        let clock = ServerClock::default();
        assert_eq!(clock.now().1, None);
        clock.learn("no date", BootTime::now());
        assert_eq!(clock.now().1, None);
        clock.learn("Sun, 06 Nov 1994 08:49:37 GMT", BootTime::now());
        let (earliest, latest) = clock.now().1.unwrap();
        assert!((784_111_777_000..784_111_780_000).contains(&earliest), "{earliest}");
        assert!((1_000..60_000).contains(&(latest - earliest)), "a Date is rounded down to a second");
    }

    #[test]
    fn date_corrects_an_estimate_that_is_off_by_a_minute() {
        let corrected = |seconds: i64| {
            let (began, mut known) = (BootTime::now(), Known::default());
            known.learn(1_000_000, began, began);
            assert_eq!((known.at(began), known.corrected_at), (Some((1_000_000, 1_001_000)), None));
            known.learn(1_000_000_u64.saturating_add_signed(1_000 * seconds), began, began);
            known.corrected_at == Some(began)
        };
        assert_eq!([-62, -61, 0, 61, 62].map(corrected), [true, false, false, false, true]);
    }

    #[test]
    fn response_under_way_for_a_minute_gives_no_time() {
        let began = BootTime::now();
        let learned = |seconds| {
            let (mut known, now) = (Known::default(), began + Duration::from_secs(seconds));
            known.learn(1_000_000, began, now);
            known.at(now)
        };
        assert_eq!([59, 60].map(learned), [Some((1_000_000, 1_060_000)), None], "the till was stopped meanwhile");
    }

    #[test]
    fn estimate_is_forgotten_after_ten_minutes() {
        let began = BootTime::now();
        let mut known = Known::default();
        known.learn(1_000_000, began, began + Duration::from_secs(3));
        let after = |seconds: u64| known.at(began + Duration::from_secs(3 + seconds));
        assert_eq!(after(600), Some((1_600_000, 1_604_000)), "the rounding, and 3 s of the response's way");
        assert_eq!(after(601), None);
    }
}
