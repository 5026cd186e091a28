//! Decides whether the till's clock or the certificate is wrong: a till's clock is often off by
//! days.

use rustls::pki_types::UnixTime;
use time::OffsetDateTime;

/// The time by the clock of another machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerTime {
    pub by: &'static str,
    pub time: OffsetDateTime,
}

/// Clocks that differ by at most this are said to agree.
const TOLERANCE_S: i64 = 300;
/// The day on which this library was built, in s since 1970. A clock that is before it is wrong.
const BUILT: &str = env!("EPS_BUILT");

/// Explains a certificate that is not valid by the till's clock. `limit` is the end of its validity
/// that was crossed.
pub(crate) fn explain_validity(limit: UnixTime, server_time: Option<ServerTime>) -> String {
    let limit = limit.as_secs().try_into().unwrap_or(i64::MAX);
    explain_at(OffsetDateTime::now_utc().unix_timestamp(), limit, server_time, BUILT.parse().unwrap_or(0))
}

fn explain_at(now: i64, limit: i64, server_time: Option<ServerTime>, built: i64) -> String {
    let clock = format!("the till's clock says {}", date(now));
    let certificate = match now > limit {
        true => format!("the certificate is valid until {}", date(limit)),
        false => format!("the certificate is valid from {}", date(limit)),
    };
    // A time before the build is wrong, so it proves nothing about the till's clock.
    match server_time.filter(|server| server.time.unix_timestamp() >= built) {
        Some(server) => {
            let (by, theirs) = (server.by, server.time.unix_timestamp());
            let off = now - theirs;
            if off.abs() <= TOLERANCE_S {
                return format!(
                    "{certificate}; {clock} and {by} agrees. The server's operator must renew the certificate"
                );
            }
            let direction = if off > 0 { "ahead" } else { "behind" };
            format!(
                "the till's clock seems to be {} {direction}: it says {}, {by} says {}; {certificate}. Set the till's clock",
                span(off.abs()),
                date(now),
                date(theirs)
            )
        }
        None if now < built => format!(
            "the till's clock seems to be at least {} behind: it says {}, but this library was built on {}; {certificate}. \
             Set the till's clock",
            span(built - now),
            date(now),
            date(built)
        ),
        None => format!(
            "{certificate}; {clock}, which is {} {} that. If the clock is wrong, set it; else the certificate must be renewed",
            span((now - limit).abs()),
            if now > limit { "after" } else { "before" }
        ),
    }
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
    fn explanation_names_the_clock_or_the_certificate() {
        const DAY: i64 = 86_400;
        let (built, now) = (1_800_000_000, 1_800_000_000 + 100 * DAY);
        let server = |time| {
            Some(ServerTime { by: "the server's clock", time: OffsetDateTime::from_unix_timestamp(time).unwrap() })
        };
        let says = |limit, time| explain_at(now, limit, time, built);
        let rows = [
            (says(now - DAY, server(now - 10 * DAY)), "seems to be 10 days ahead"),
            (says(now + DAY, server(now + 5 * 3_600)), "seems to be 5 hours behind"),
            (says(now - DAY, server(now - 200)), "The server's operator must renew"),
            (says(now - DAY, server(built - DAY)), "24 hours after"),
            (says(now - 3 * DAY, None), "3 days after"),
            (says(now + 3 * DAY, None), "3 days before"),
            (explain_at(built - 400 * DAY, built, None, built), "at least 400 days behind"),
            (explain_at(0, built, None, built), "says 1970-01-01 00:00 UTC"),
        ];
        for (text, part) in rows {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
}
