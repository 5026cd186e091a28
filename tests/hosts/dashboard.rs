//! The sandbox's dashboard in a real browser: a fault is armed, a till's purchase goes pending, the
//! fault is cleared, and the purchase is resolved.

use crate::browser::Browser;
use crate::support::{ASTRID, COFFEE, Store, buy, code_of, id_of, resolved, unacknowledged};
use engage_point_shop::{Code, ContactId, ItemId};
use engage_sandbox::{Item, Member};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Returns a script that counts a list's rows with this text.
fn rows(list: &str, text: &str) -> String {
    format!("[...document.querySelectorAll('#{list} tbody tr')].filter(row => row.innerText.includes({text:?})).length")
}

#[test]
fn purchase_is_made_pending_and_resolved_on_the_dashboard() {
    let store = Store::open();
    let client = store.durable_client();
    let mut browser = Browser::open(&store.sandbox.http_url());
    browser.until("document.getElementById('status').innerText.startsWith('no faults armed')");

    // By mouse: every purchase request is lost.
    browser.value("document.getElementById('times').value = '0'");
    browser.click("#arm-request-lost");
    browser.until("document.getElementById('status').innerText.startsWith('1 fault armed')");
    let code = code_of(buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })));
    assert_eq!(code, Code::PendingConnectionLost);
    browser.until(&format!("{} >= 1", rows("requests", "reset before commit")));
    browser.picture("pending");
    let pending = id_of(&unacknowledged(&client)[0]);

    // By keyboard alone: from the top of the page to the button, and enter.
    browser.go(&store.sandbox.http_url());
    for _ in 0..10 {
        if browser.value("document.activeElement.id") == "clear-faults" {
            break;
        }
        browser.key("Tab");
    }
    assert_eq!(browser.value("document.activeElement.id"), "clear-faults");
    browser.key("Enter");
    browser.until("document.getElementById('status').innerText.startsWith('no faults armed')");
    assert_eq!(resolved(&client, pending)["outcome"], "completed");
    browser.until(&format!("{} === 1", rows("purchases", "Completed")));
    browser.until(&format!("{} === 1", rows("members", "1100")));

    // The judge's result for the till's own export.
    let export = json!({ "operations": unacknowledged(&client) }).to_string();
    browser.value("document.querySelector('#journal').closest('details').open = true");
    browser.value(&format!("document.getElementById('journal').value = {export:?}"));
    browser.click("#journal ~ button");
    browser.until("document.getElementById('verdict').innerText.startsWith('pass')");
    browser.picture("resolved");

    // The clock.
    browser.click("button[name=ms][value='86400000']");
    browser.until("document.getElementById('clock').innerText.includes('ahead')");
    assert!(store.sandbox.clock().offset_ms() > 80_000_000);
    store.sandbox.set_clock_offset(0);

    // Text from outside stays text.
    let markup = "<img src=x onerror=\"document.title='markup'\"><script>document.title='markup'</script>";
    let (member, item) = (Member::new(markup, 1000), Item::new(markup, 1));
    let (contact, item_id) = (ContactId::from_uuid(member.contact_id), ItemId::from_uuid(item.id));
    store.sandbox.add_member(member).unwrap();
    store.sandbox.add_item(item).unwrap();
    buy(&client, contact, item_id, &json!({})).unwrap();
    send(&store, &format!("GET /api/v3/%3Cimg%3E HTTP/1.0\r\nUser-Agent: {markup}\r\n\r\n"));
    browser.until(&format!("{} === 1", rows("purchases", "onerror")));
    browser.until(&format!("{} >= 1", rows("requests", "GET /api/v3/")));
    browser.go(&format!("{}/?store={}", store.sandbox.http_url(), store.sandbox.api_key()));
    assert_eq!(browser.value("document.title"), "engage-sandbox");
    assert_eq!(browser.value("document.querySelectorAll('img, body script').length"), 0);
    assert_eq!(browser.value("document.body.innerHTML.includes('&lt;img src=x')"), true);
}

fn send(store: &Store, request: &str) {
    let mut stream = TcpStream::connect(store.sandbox.http_url().trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn form_of_another_origin_is_rejected() {
    let store = Store::open();
    let form = "fault=no-response&operation=purchase&times=0";
    for (site, armed) in [("cross-site", 0), ("same-site", 0), ("same-origin", 1)] {
        let length = form.len();
        send(
            &store,
            &format!(
                "POST /_sandbox/dashboard/arm HTTP/1.0\r\nSec-Fetch-Site: {site}\r\nContent-Length: {length}\r\n\r\n{form}"
            ),
        );
        assert_eq!(store.sandbox.faults().len(), armed, "{site}");
    }
}
