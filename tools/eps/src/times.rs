//! Times as people read them, in UTC.

use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis().try_into().unwrap_or(u64::MAX))
}

/// Returns `2026-03-20 13:53:08`, in UTC.
pub fn text(ms: u64) -> String {
    let time = i64::try_from(ms / 1_000).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(
        || format!("{ms} ms"),
        |time| {
            let (date, clock) = (time.date(), time.time());
            let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
            format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second())
        },
    )
}

/// Returns the time of a JSON field, or a dash.
pub fn of(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), text)
}

/// Returns a duration in its largest units: `3 h 12 min`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_span_are_readable() {
        assert_eq!(text(1_774_014_788_003), "2026-03-20 13:53:08");
        assert_eq!(span(59_999), "59 s");
        assert_eq!(span(11_520_000), "3 h 12 min");
        assert_eq!(span(90_000_000), "1 d 1 h");
    }
}
