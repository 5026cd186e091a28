//! Records as rows of the table `operation`: how one is found, written and read.

use super::failure::failed;
use super::{Record, State};
use crate::code::Code;
use crate::engage::{Channel, Order, PurchaseOrder, RedeemOrder};
use crate::error::{Detail, Result};
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

pub(super) fn find(connection: &Connection, id: OperationId) -> Result<Option<Record>> {
    one(connection, "SELECT * FROM operation WHERE id = ?1", (id.uuid(),))
}

pub(super) fn one(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Option<Record>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(values, record).optional())
        .map_err(|error| failed(&error))
}

pub(super) fn many(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Record>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(values, record)?.collect())
        .map_err(|error| failed(&error))
}

const INSERT: &str = "INSERT INTO operation
    (id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code,
     attempts, recorded_at, in_flight_until, next_query_at, query_count, processing_from, processing_until, earlier_in_doubt,
     rewards_before, resolved_at, acknowledged_at, response, revision)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
            ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24)";

/// What an intent is about never changes. This is for a record that is also found by the same as before: each column that
/// is set, changed or not, is a page more to be written where an index has it.
const UPDATE: &str = "UPDATE operation SET state = ?8, code = ?9, http_status = ?10, engage_code = ?11,
    attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17, processing_until = ?18, earlier_in_doubt = ?19,
    rewards_before = ?20, resolved_at = ?21, response = ?23, revision = ?24
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1
          AND assignment IS ?5 AND reference IS ?7 AND acknowledged_at IS ?22";

/// For any other: a reward was found, it is acknowledged, or it is started again under another reference.
const UPDATE_ALL: &str = "UPDATE operation SET assignment = ?5, reference = ?7, state = ?8, code = ?9, http_status = ?10,
    engage_code = ?11, attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17,
    processing_until = ?18, earlier_in_doubt = ?19, rewards_before = ?20, resolved_at = ?21, acknowledged_at = ?22, response = ?23, revision = ?24
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1";

/// Inserts revision 1, or updates the revision before. False when that is not what the journal holds.
pub(super) fn write(connection: &Connection, record: &Record) -> Result<bool> {
    match record.revision {
        1 => write_by(INSERT, connection, record),
        _ => Ok(write_by(UPDATE, connection, record)? || write_by(UPDATE_ALL, connection, record)?),
    }
}

fn write_by(sql: &str, connection: &Connection, record: &Record) -> Result<bool> {
    let (item, assignment, channel) = match record.order {
        Order::Purchase(order) => (Some(order.item), record.reward, None),
        Order::Redeem(order) => (None, Some(order.assignment), Some(order.channel.word())),
    };
    // By number: 24 names would be looked up twice a purchase.
    let written = connection.prepare_cached(sql).and_then(|mut statement| {
        statement.execute(params![
            record.id().uuid(),
            record.order.kind(),
            record.order.contact().map(ContactId::uuid),
            item.map(ItemId::uuid),
            assignment.map(AssignmentId::uuid),
            channel,
            record.reference,
            record.state.word(),
            record.code.number(),
            record.detail.http_status,
            record.detail.engage_code,
            record.detail.attempts,
            integer(record.recorded_at),
            integer(record.quiet_until),
            integer(record.next_at),
            record.rounds,
            record.asked.map(|(from, _)| integer(from)),
            record.asked.map(|(_, until)| integer(until)),
            record.doubt,
            record.rewards_before.as_deref().map(pack),
            record.resolved_at.map(integer),
            record.acknowledged_at.map(integer),
            record.answer,
            integer(record.revision),
        ])
    });
    written.map(|rows| rows == 1).map_err(|error| failed(&error))
}

/// Ids one after the other, 16 bytes each.
fn pack(ids: &[AssignmentId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.uuid().into_bytes()).collect()
}

fn unpack(bytes: &[u8]) -> Vec<AssignmentId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| AssignmentId::from_uuid(Uuid::from_bytes(*id))).collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let word: String = row.get("state")?;
    let number: i32 = row.get("code")?;
    // A state or a code of a newer version is as unknown to us as the outcome: it is pending (invariant 4).
    let state = State::from_word(&word).unwrap_or(State::InDoubt);
    let code = Code::from_number(number).unwrap_or(Code::Pending);
    let optional = |name: &str| row.get::<_, Option<i64>>(name).map(|time| time.map(natural));
    let assignment = row.get::<_, Option<Uuid>>("assignment")?.map(AssignmentId::from_uuid);
    let id = OperationId::from_uuid(row.get::<_, Uuid>("id")?);
    let (order, reward) = match (assignment, row.get::<_, Option<String>>("channel")?) {
        (Some(assignment), Some(channel)) => {
            let contact = row.get::<_, Option<Uuid>>("contact")?.map(ContactId::from_uuid);
            let channel = Channel::from_word(&channel).unwrap_or(Channel::Other);
            (Order::Redeem(RedeemOrder { operation: id, contact, assignment, channel }), None)
        }
        (reward, _) => {
            let contact = ContactId::from_uuid(row.get::<_, Uuid>("contact")?);
            let item = ItemId::from_uuid(row.get::<_, Uuid>("item")?);
            (Order::Purchase(PurchaseOrder { purchase: id, contact, item }), reward)
        }
    };
    Ok(Record {
        order,
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
        quiet_until: millis(row, "in_flight_until")?,
        next_at: millis(row, "next_query_at")?,
        rounds: row.get("query_count")?,
        asked: optional("processing_from")?.zip(optional("processing_until")?),
        doubt: row.get("earlier_in_doubt")?,
        rewards_before: row.get::<_, Option<Vec<u8>>>("rewards_before")?.as_deref().map(unpack),
        reward,
        resolved_at: optional("resolved_at")?,
        acknowledged_at: optional("acknowledged_at")?,
        answer: row.get("response")?,
        cause: Vec::new(),
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
