//! Records as rows of the table `operation`: how one is found, written and read.

use super::failure::failed;
use crate::core::code::Code;
use crate::core::domain::{AssignmentId, Channel, ContactId, ItemId, Operation, OperationId, Purchase, Redeem};
use crate::core::error::{Detail, Result};
use crate::core::intent::{Intent, IntentState, Progress};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

pub(super) fn find(connection: &Connection, id: OperationId) -> Result<Option<Intent>> {
    one(connection, "SELECT * FROM operation WHERE id = ?1", (id.uuid(),))
}

pub(super) fn one(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Option<Intent>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(values, intent).optional())
        .map_err(|error| failed(&error))
}

pub(super) fn many(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Intent>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(values, intent)?.collect())
        .map_err(|error| failed(&error))
}

const INSERT: &str = "INSERT INTO operation
    (id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code,
     attempts, recorded_at, in_flight_until, next_query_at, query_count, processing_from, processing_until, earlier_in_doubt,
     rewards_before, resolved_at, acknowledged_at, response, revision, progress, tenant)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
            ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24, ?25, ?26)";

/// What an intent is about never changes. This is for a record that is also found by the same as
/// before: each column that is set, changed or not, is a page more to be written where an index has
/// it.
const UPDATE: &str = "UPDATE operation SET state = ?8, code = ?9, http_status = ?10, engage_code = ?11,
    attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17, processing_until = ?18, earlier_in_doubt = ?19,
    rewards_before = ?20, resolved_at = ?21, response = ?23, revision = ?24, progress = ?25, tenant = ?26
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1
          AND assignment IS ?5 AND reference IS ?7 AND acknowledged_at IS ?22";

/// For any other: a reward was found, it is acknowledged, or it is started again under another
/// reference.
const UPDATE_ALL: &str = "UPDATE operation SET assignment = ?5, reference = ?7, state = ?8, code = ?9, http_status = ?10,
    engage_code = ?11, attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17,
    processing_until = ?18, earlier_in_doubt = ?19, rewards_before = ?20, resolved_at = ?21, acknowledged_at = ?22, response = ?23, revision = ?24, progress = ?25, tenant = ?26
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1";

/// Inserts revision 1, or updates the revision before. False when that is not what the journal
/// holds.
pub(super) fn write(connection: &Connection, intent: &Intent) -> Result<bool> {
    match intent.revision {
        1 => write_by(INSERT, connection, intent),
        _ => Ok(write_by(UPDATE, connection, intent)? || write_by(UPDATE_ALL, connection, intent)?),
    }
}

fn write_by(sql: &str, connection: &Connection, intent: &Intent) -> Result<bool> {
    let (item, assignment, channel) = match intent.operation {
        Operation::Purchase(operation) => (Some(operation.item), intent.reward, None),
        Operation::Redeem(operation) => (None, Some(operation.assignment), Some(operation.channel.name())),
    };
    // By number: 24 names would be looked up twice a purchase.
    let written = connection.prepare_cached(sql).and_then(|mut statement| {
        statement.execute(params![
            intent.id().uuid(),
            intent.operation.kind(),
            intent.operation.contact().map(ContactId::uuid),
            item.map(ItemId::uuid),
            assignment.map(AssignmentId::uuid),
            channel,
            intent.reference,
            intent.state.name(),
            intent.code.number(),
            intent.detail.http_status,
            intent.detail.engage_code,
            intent.detail.attempts,
            integer(intent.recorded_at),
            integer(intent.in_flight_until),
            integer(intent.next_query_at),
            intent.query_count,
            intent.processing_window.map(|(from, _)| integer(from)),
            intent.processing_window.map(|(_, until)| integer(until)),
            intent.earlier_in_doubt,
            intent.rewards_before.as_deref().map(pack),
            intent.resolved_at.map(integer),
            intent.acknowledged_at.map(integer),
            intent.response,
            integer(intent.revision),
            progress_json(intent),
            intent.tenant,
        ])
    });
    written.map(|rows| rows == 1).map_err(|error| failed(&error))
}

/// Returns the progress as JSON, with the version that writes it.
fn progress_json(intent: &Intent) -> String {
    let progress = Progress { writer_version: crate::VERSION.to_owned(), ..intent.progress.clone() };
    serde_json::to_string(&progress).unwrap_or_default()
}

/// Ids one after the other, 16 bytes each.
fn pack(ids: &[AssignmentId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.uuid().into_bytes()).collect()
}

fn unpack(bytes: &[u8]) -> Vec<AssignmentId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| AssignmentId::from_uuid(Uuid::from_bytes(*id))).collect()
}

fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let word: String = row.get("state")?;
    let number: i32 = row.get("code")?;
    // A state or a code of a newer version is as unknown to us as the outcome: it is pending
    // (invariant 4).
    let state = IntentState::from_name(&word).unwrap_or(IntentState::InDoubt);
    let code = Code::from_number(number).unwrap_or(Code::Pending);
    let optional = |name: &str| row.get::<_, Option<i64>>(name).map(|time| time.map(natural));
    let assignment = row.get::<_, Option<Uuid>>("assignment")?.map(AssignmentId::from_uuid);
    let id = OperationId::from_uuid(row.get::<_, Uuid>("id")?);
    let (operation, reward) = match (assignment, row.get::<_, Option<String>>("channel")?) {
        (Some(assignment), Some(channel)) => {
            let contact = row.get::<_, Option<Uuid>>("contact")?.map(ContactId::from_uuid);
            let channel = Channel::from_name(&channel).unwrap_or(Channel::Other);
            (Operation::Redeem(Redeem { id, contact, assignment, channel }), None)
        }
        (reward, _) => {
            let contact = ContactId::from_uuid(row.get::<_, Uuid>("contact")?);
            let item = ItemId::from_uuid(row.get::<_, Uuid>("item")?);
            (Operation::Purchase(Purchase { id, contact, item }), reward)
        }
    };
    Ok(Intent {
        operation,
        reference: row.get("reference")?,
        state,
        code,
        detail: Detail {
            http_status: row.get("http_status")?,
            engage_code: row.get("engage_code")?,
            attempts: row.get("attempts")?,
            retry_after_ms: None,
        },
        recorded_at: millis(row, "recorded_at")?,
        in_flight_until: millis(row, "in_flight_until")?,
        next_query_at: millis(row, "next_query_at")?,
        query_count: row.get("query_count")?,
        processing_window: optional("processing_from")?.zip(optional("processing_until")?),
        earlier_in_doubt: row.get("earlier_in_doubt")?,
        rewards_before: row.get::<_, Option<Vec<u8>>>("rewards_before")?.as_deref().map(unpack),
        reward,
        resolved_at: optional("resolved_at")?,
        acknowledged_at: optional("acknowledged_at")?,
        response: row.get("response")?,
        // Written by a newer version in another form, it counts as empty: the outcome is then
        // pending.
        progress: serde_json::from_str(&row.get::<_, String>("progress")?).unwrap_or_default(),
        tenant: row.get("tenant")?,
        revision: millis(row, "revision")?,
    })
}

pub(super) fn millis(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(natural)
}

/// SQLite's integers are signed; ours are times and counts.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
