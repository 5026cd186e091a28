//! Whether it is the till's clock that is wrong, or the certificate: tills' clocks are off by days often enough.

use rustls::pki_types::UnixTime;
use time::OffsetDateTime;

/// Somebody else's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerTime {
    pub by: &'static str,
    pub time: OffsetDateTime,
}

/// Clocks that differ by less are called right.
const TOLERANCE_S: i64 = 300;
/// The day this library was built on; no right clock is before it.
const BUILT: &str = env!("EPS_BUILT");

/// What to say of a certificate that is out of its time by the till's clock. `bound` is the end of its time that was crossed.
pub(crate) fn evidence(bound: UnixTime, told: Option<ServerTime>) -> String {
    let bound = seconds(bound);
    verdict_at(OffsetDateTime::now_utc().unix_timestamp(), bound, told, BUILT.parse().unwrap_or(0))
}

fn verdict_at(now: i64, bound: i64, told: Option<ServerTime>, built: i64) -> String {
    let clock = format!("the till's clock says {}", date(now));
    let certificate = match now > bound {
        true => format!("the certificate is valid until {}", date(bound)),
        false => format!("the certificate is valid from {}", date(bound)),
    };
    match told {
        Some(told) => {
            let (by, theirs) = (told.by, told.time.unix_timestamp());
            let off = now - theirs;
            if off.abs() <= TOLERANCE_S {
                return format!(
                    "{certificate}; {clock} and {by} agrees, so it is the certificate: whoever runs the server must renew it"
                );
            }
            let way = if off > 0 { "ahead" } else { "behind" };
            let lies = span(off.abs());
            format!(
                "the till's clock seems to be {lies} {way}: it says {}, {by} says {}; {certificate}",
                date(now),
                date(theirs)
            )
        }
        None if now < built => format!(
            "the till's clock seems to be at least {} behind: it says {}, but this library was built on {}; {certificate}",
            span(built - now),
            date(now),
            date(built)
        ),
        None => format!(
            "{certificate}; {clock}, which is {} {} that: if that is not the time, set the clock; else the certificate must be renewed",
            span((now - bound).abs()),
            if now > bound { "after" } else { "before" }
        ),
    }
}

fn seconds(time: UnixTime) -> i64 {
    time.as_secs().try_into().unwrap_or(i64::MAX)
}

fn date(seconds: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            let (month, day) = (u8::from(at.month()), at.day());
            format!("{}-{month:02}-{day:02} {:02}:{:02} UTC", at.year(), at.hour(), at.minute())
        }
        Err(_) => format!("{seconds} s since 1970"),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..7_200 => format!("{} minutes", (seconds + 30) / 60),
        7_200..172_800 => format!("{} hours", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_names_the_clock_or_the_certificate_and_by_how_much() {
        const DAY: i64 = 86_400;
        let (built, now) = (1_800_000_000, 1_800_000_000 + 100 * DAY);
        let server = |time| {
            Some(ServerTime { by: "the server's clock", time: OffsetDateTime::from_unix_timestamp(time).unwrap() })
        };
        let says = |bound, told| verdict_at(now, bound, told, built);
        let rows = [
            (says(now - DAY, server(now - 10 * DAY)), "seems to be 10 days ahead"),
            (says(now + DAY, server(now + 5 * 3_600)), "seems to be 5 hours behind"),
            (says(now - DAY, server(now - 200)), "must renew"),
            (says(now - 3 * DAY, None), "3 days after"),
            (says(now + 3 * DAY, None), "3 days before"),
            (verdict_at(built - 400 * DAY, built, None, built), "at least 400 days behind"),
            (verdict_at(0, built, None, built), "says 1970-01-01 00:00 UTC"),
        ];
        for (text, part) in rows {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
}
