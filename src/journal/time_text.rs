//! Times in messages and file names, in UTC.

use crate::core::domain::Millis;
use time::OffsetDateTime;

fn utc(at: Millis) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(at / 1_000).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// Returns a time as people read it: `2026-11-25 14:03:59 UTC`.
pub(super) fn long(at: Millis) -> String {
    let Some(time) = utc(at) else { return "an unknown time".to_owned() };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Returns a time for a file's name: `20261125-140359`.
pub(super) fn compact(at: Millis) -> String {
    let digits: String = long(at).chars().filter(char::is_ascii_digit).collect();
    match digits.split_at_checked(8) {
        Some((date, time)) => format!("{date}-{time}"),
        None => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that were moved aside keep their names: support finds them by the time in it.
    #[test]
    fn time_is_written_in_utc_for_people_and_for_names() {
        for (at, text, name) in [
            (0, "1970-01-01 00:00:00 UTC", "19700101-000000"),
            (1_764_079_439_999, "2025-11-25 14:03:59 UTC", "20251125-140359"),
            (1_709_164_800_000, "2024-02-29 00:00:00 UTC", "20240229-000000"),
            // A clock that is set to nonsense stops no till.
            (u64::MAX, "an unknown time", ""),
        ] {
            assert_eq!((long(at), compact(at)), (text.to_owned(), name.to_owned()));
        }
    }
}
