//! The checksums of a journal, computed anew: for a test that changes a record with SQL as another
//! writer would.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// The columns of a record that its checksum covers, in order.
const COLUMNS: &str = "id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code,
    attempts, recorded_at, in_flight_until, next_query_at, query_count, processing_from, processing_until,
    earlier_in_doubt, rewards_before, resolved_at, acknowledged_at, response, revision, progress, tenant, written_by";

fn hash(start: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let length = u64::try_from(bytes.len()).unwrap();
    let mut hash = start ^ 0xCBF2_9CE4_8422_2325 ^ length.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(23);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

fn hash_value(start: u64, value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Null => hash(start, b"n"),
        ValueRef::Integer(number) => hash(hash(start, b"i"), &number.to_le_bytes()),
        ValueRef::Real(number) => hash(hash(start, b"r"), &number.to_le_bytes()),
        ValueRef::Text(text) => hash(hash(start, b"t"), text),
        ValueRef::Blob(blob) => hash(hash(start, b"b"), blob),
    }
}

/// Writes the checksums of all records and of the journal's state, as one more write.
pub fn write_checksums(connection: &Connection) {
    let mut sum = 0_u64;
    let mut records = 0_i64;
    let mut statement = connection.prepare(&format!("SELECT rowid, {COLUMNS} FROM operation")).unwrap();
    let mut rows = statement.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let number: i64 = row.get(0).unwrap();
        let checksum = (1..=27).fold(0, |sum, at| hash_value(sum, row.get_ref(at).unwrap()));
        connection
            .execute("UPDATE operation SET checksum = ?1 WHERE rowid = ?2", (checksum.cast_signed(), number))
            .unwrap();
        sum = sum.wrapping_add(checksum);
        records += 1;
    }
    let change = "UPDATE state SET writes = writes + 1, records = ?1, sum = ?2";
    connection.execute(change, (records, sum.cast_signed())).unwrap();
    let sql = "SELECT journal, is_copy, writes, records, sum, written_at, incomplete_before, closed, generations
               FROM state";
    let checksum = connection.query_row(sql, (), |row| {
        let mut checksum = hash(0, row.get_ref(0)?.as_blob()?);
        for at in 1..=7 {
            let number = match row.get::<_, Option<i64>>(at)? {
                // A time differs from none.
                Some(number) if at == 6 => number + 1,
                number => number.unwrap_or_default(),
            };
            checksum = hash(checksum, &number.to_be_bytes());
        }
        Ok(hash(checksum, row.get_ref(8)?.as_blob()?))
    });
    connection.execute("UPDATE state SET checksum = ?1", (checksum.unwrap().cast_signed(),)).unwrap();
}
