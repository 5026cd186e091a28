//! The events of the log, from which `docs/log-events.md` is made. In a debug build a line that is
//! not as its event's row says is a panic, so that every test checks the document.

/// One event: its name, its levels, its meaning, and the fields that it may have beside `time` and
/// `event`.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The name.
    pub name: &'static str,
    /// The levels of its lines.
    pub levels: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// The names of its fields.
    pub fields: &'static [&'static str],
}

const fn event(
    name: &'static str,
    levels: &'static str,
    meaning: &'static str,
    fields: &'static [&'static str],
) -> Event {
    Event { name, levels, meaning, fields }
}

const READ: &[&str] = &["code", "ms", "contactId"];
const SENT: &[&str] = &["operationId", "path", "attempt", "code", "ms", "engageRequestId"];

/// All events.
pub const EVENTS: &[Event] = &[
    event("purchase.sent", "INFO", "An attempt of a purchase has ended.", SENT),
    event("redeem.sent", "INFO", "An attempt of a redeem has ended.", SENT),
    event(
        "operation.pending",
        "WARN, ERROR",
        "An operation is pending, and its reason is new. ERROR where the administrator must act.",
        &["operationId", "code", "action", "attempt", "queries", "nextQueryMs"],
    ),
    event(
        "operation.resolved",
        "INFO, ERROR",
        "The outcome of an operation became known. ERROR where the administrator must act.",
        &["operationId", "outcome", "code", "action", "attempt", "queries"],
    ),
    event("contact.found", "DEBUG, WARN", "eps_find_contact has ended.", READ),
    event("points.listed", "DEBUG, WARN", "eps_list_points has ended.", READ),
    event("items.listed", "DEBUG, WARN", "eps_list_items has ended.", READ),
    event("purchases.listed", "DEBUG, WARN", "eps_list_purchases has ended.", READ),
    event("rewards.listed", "DEBUG, WARN", "eps_list_rewards has ended.", READ),
    event("reward.found", "DEBUG, WARN", "eps_find_reward has ended.", READ),
    event(
        "request",
        "DEBUG",
        "A request has ended.",
        &[
            "path",
            "method",
            "requestId",
            "operationId",
            "attempt",
            "reused",
            "ms",
            "resolveMs",
            "connectMs",
            "proxyMs",
            "tlsMs",
            "httpStatus",
            "bytes",
        ],
    ),
    event("api.unknown", "WARN", "Elements of a list were not understood and left out.", &["list", "skipped"]),
    event("journal.failed", "ERROR", "The journal could not be read or written.", &["operationId", "code"]),
    event("journal.adopted", "WARN", "Records of an older version got the client's tenant.", &["records"]),
    event("journal.lossAccepted", "ERROR", "A journal that has lost records was opened.", &["code"]),
    event("journal.takenOver", "WARN", "A copy of a journal became live.", &["code"]),
    event("journal.copied", "INFO", "eps_backup_journal has made a copy.", &["records"]),
    event("log.dropped", "WARN", "Lines were lost, because the log function or the disk is slow.", &["lines"]),
];

/// The fields and their meanings.
pub const FIELDS: &[(&str, &str)] = &[
    ("time", "The till's clock, UTC: `2026-11-25T14:03:59.123Z`."),
    ("event", "The name of the event."),
    ("operationId", "The operation; a purchase id is the same."),
    ("contactId", "The member."),
    ("path", "The resource: `contact`, `points`, `items`, `purchase`, `purchases`, `rewards` or `redeem`."),
    ("method", "`GET` or `POST`."),
    ("requestId", "The id that the library has sent in the header `requestIdHeader` of `apiMapping`."),
    ("engageRequestId", "Engage's own id of the newest request of the operation, if its response had one."),
    ("code", "The code's name: see [codes.md](codes.md)."),
    ("action", "Who acts on the code, as `eps_code_action` returns it."),
    ("outcome", "`completed`, `declined` or `notSent`."),
    ("attempt", "The number of attempts so far; of a request the number of its tries."),
    ("queries", "The status queries so far that no caller waited for."),
    ("nextQueryMs", "The time until the next status query."),
    ("ms", "How long it took."),
    ("resolveMs", "How long the name resolution took."),
    ("connectMs", "How long the connection took."),
    ("proxyMs", "How long the proxy took."),
    ("tlsMs", "How long the TLS handshake took."),
    ("reused", "Whether a connection was used again."),
    ("httpStatus", "The HTTP status."),
    ("bytes", "The size of the body."),
    ("list", "The list."),
    ("skipped", "The elements that were left out."),
    ("records", "The records of the journal."),
    ("lines", "The lines that were lost."),
];

/// Whether a line is as its event's row says.
#[cfg(debug_assertions)]
pub(super) fn is_documented<'a>(name: &str, mut fields: impl Iterator<Item = &'a str>) -> bool {
    EVENTS.iter().any(|event| event.name == name && fields.all(|field| event.fields.contains(&field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_an_event_has_a_meaning() {
        for event in EVENTS {
            for field in event.fields {
                assert!(FIELDS.iter().any(|(name, _)| name == field), "{}: {field}", event.name);
            }
            assert_eq!(EVENTS.iter().filter(|other| other.name == event.name).count(), 1, "{}", event.name);
        }
        for (field, _) in &FIELDS[2..] {
            assert!(EVENTS.iter().any(|event| event.fields.contains(field)), "no event has {field}");
        }
    }
}
