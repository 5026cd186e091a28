//! The journal's file: a real journal with bytes overwritten, cut or added, or no journal at all.
//! The file opens, or the code is a journal code. A file that is rejected stays unchanged.

use super::{check, client, contact, item};
use engage_point_shop::{Client, Code};
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;

/// A journal with an intent that was not sent, and an intent in doubt.
static REAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = folder();
    let file = folder.path().join("journal.db");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The server reads every request and closes the connection.
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|mut stream| drop(std::io::Read::read(&mut stream, &mut [0; 8 << 10])));
    });
    for port in [9, port] {
        let client = client(port, &json!({ "journal": null, "journalPath": file, "waitMs": 400 }));
        let _ = client.purchase(contact(), item(), None);
        client.close();
    }
    std::fs::read(&file).unwrap()
});

/// In memory where possible, because every input is a file.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// The first byte selects the form: a whole file, or edits of the real journal. An edit is an
/// offset (three bytes), a count, and the bytes.
fn file_of(data: &[u8]) -> Vec<u8> {
    let Some((&form, mut rest)) = data.split_first() else { return Vec::new() };
    if form < 16 {
        return rest.to_vec();
    }
    let mut file = REAL.clone();
    while let [high, middle, low, count, bytes @ ..] = rest {
        let at = usize::from(*high % 2) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        let (edit, others) = bytes.split_at(bytes.len().min(usize::from(*count % 32)));
        for (offset, byte) in edit.iter().enumerate() {
            let place = (at + offset) % file.len();
            file[place] = *byte;
        }
        rest = others;
    }
    if form > 240 {
        file.truncate(file.len() / 16 * usize::from(form - 240));
    }
    file
}

pub fn run(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("journal.db");
    let before = file_of(data);
    std::fs::write(&path, &before).unwrap();
    let config = json!({
        "baseUrl": "http://127.0.0.1:9", "userAgent": "Fuzz/1.0", "journalPath": path, "preconnect": false, "waitMs": 20,
        "startupJitterMs": 3_600_000, "retryScheduleMs": [86_400_000],
    });
    match Client::open(&config.to_string()) {
        Ok(client) => {
            if let Ok(list) = check(client.list_unacknowledged(None)) {
                for operation in list["operations"].as_array().unwrap() {
                    assert!(operation["operationId"].is_string(), "{operation}");
                }
            }
            // An edited record is accepted as it is. It may be an existing intent in any state.
            let _ = check(client.purchase(contact(), item(), None));
            client.close();
        }
        Err(error) => {
            let code = error.code();
            assert!((-699..=-600).contains(&code.number()), "{error}");
            if matches!(code, Code::JournalNewer | Code::JournalForeign | Code::JournalDamaged) {
                assert_eq!(std::fs::read(&path).unwrap(), before, "{error}: the file is not as it was");
            }
        }
    }
}
