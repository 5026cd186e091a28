//! The sandbox's dashboard in a real browser: each button does what its name says, with the mouse
//! and with the keyboard alone.

use crate::browser::Browser;
use crate::support::{ASTRID, COFFEE, Store, buy, code_of, eventually, id_of, problem, resolved, unacknowledged};
use engage_point_shop::{Code, ContactId, ItemId};
use engage_sandbox::effects::{CERTIFICATES, NAMED};
use engage_sandbox::seed::demo;
use engage_sandbox::{Chaos, Item, Member, World};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Returns a script that counts the elements with this text.
fn count(selector: &str, text: &str) -> String {
    format!("[...document.querySelectorAll({selector:?})].filter(it => it.textContent.includes({text:?})).length")
}

fn open(store: &Store, path: &str) -> Browser {
    let mut browser = Browser::open(&format!("{}{path}", store.sandbox.http_url()));
    browser.until("document.getElementById('active').innerText.length > 0");
    browser
}

/// Presses Tab until the element has the focus.
fn tab_to(browser: &mut Browser, id: &str) {
    for _ in 0..80 {
        if browser.value("document.activeElement.id") == id {
            return;
        }
        browser.key("Tab");
    }
    panic!("Tab does not reach {id}");
}

#[test]
fn purchase_is_made_pending_and_resolved_on_the_dashboard() {
    let store = Store::open();
    let client = store.durable_client();
    let mut browser = open(&store, "/");
    browser.until("document.getElementById('active').innerText.startsWith('Nothing is active')");

    // By mouse: every purchase request is lost.
    browser.value("document.getElementById('times').value = '0'");
    browser.click("#arm-request-lost");
    browser.until("document.getElementById('active').innerText.startsWith('request-lost every purchase')");
    let code = code_of(buy(&client, ASTRID, COFFEE, &json!({ "reference": "receipt 1" })));
    assert_eq!(code, Code::PendingConnectionLost);
    browser.until(&format!("{} >= 1", count("#list li", "request-lost")));
    let pending = id_of(&unacknowledged(&client)[0]);

    // By keyboard alone: from the top of the page to the button of the fault, and enter.
    browser.go(&store.sandbox.http_url());
    browser.until("document.querySelector('#active button') !== null");
    tab_to(&mut browser, "off-1");
    browser.key("Enter");
    browser.until("document.getElementById('active').innerText.startsWith('Nothing is active')");
    assert_eq!(resolved(&client, pending)["outcome"], "completed");

    // The judge's result for the till's own export.
    browser.go(&format!("{}/_sandbox/dashboard/store", store.sandbox.http_url()));
    browser.until(&format!("{} === 1", count("#purchases tbody tr", "Completed")));
    browser.until(&format!("{} === 1", count("#members td.number", "1100")));
    let export = json!({ "operations": unacknowledged(&client) }).to_string();
    browser.value("document.querySelector('#journal').closest('details').open = true");
    browser.value(&format!("document.getElementById('journal').value = {export:?}"));
    browser.click("#journal ~ button");
    browser.until("document.getElementById('verdict').innerText.startsWith('pass')");
}

#[test]
fn text_from_outside_stays_text_on_every_page() {
    let store = Store::open();
    let client = store.durable_client();
    let markup = "<img src=x onerror=\"document.title='markup'\"><script>document.title='markup'</script>";
    let (member, item) = (Member::new(markup, 1000), Item::new(markup, 1));
    let (contact, item_id) = (ContactId::from_uuid(member.contact_id), ItemId::from_uuid(item.id));
    store.sandbox.add_member(member).unwrap();
    store.sandbox.add_item(item).unwrap();
    buy(&client, contact, item_id, &json!({})).unwrap();
    send(&store, &format!("GET /api/v3/%3Cimg%3E HTTP/1.0\r\nUser-Agent: {markup}\r\n\r\n"));
    let mut browser = open(&store, "/");
    browser.until(&format!("{} >= 1", count("#list li", "onerror")));
    browser.click("#list li a");
    browser.until("document.querySelector('#panel dl') !== null");
    let check = |browser: &mut Browser| {
        assert!(browser.value("document.title").as_str().unwrap().ends_with("engage-sandbox"));
        assert_eq!(browser.value("document.querySelectorAll('img[src=x], body script').length"), 0);
    };
    check(&mut browser);
    browser.go(&format!("{}/_sandbox/dashboard/store", store.sandbox.http_url()));
    browser.until(&format!("{} === 1", count("#purchases tbody tr", "onerror")));
    check(&mut browser);
    browser.go(&format!("{}/_sandbox/dashboard/till", store.sandbox.http_url()));
    browser.value(&format!("document.getElementById('find-member').value = {:?}", contact.to_string()));
    browser.click("#find-button");
    browser.until(&format!("{} === 1", count(".offer", "onerror")));
    check(&mut browser);
}

#[test]
fn each_fault_is_armed_and_switched_off_by_its_name() {
    let store = Store::open();
    let mut browser = open(&store, "/");
    for effect in &NAMED {
        browser.click(&format!("#arm-{}", effect.name));
        browser.until(&format!("document.getElementById('active').innerText.startsWith('{}')", effect.name));
        let armed = store.sandbox.faults();
        assert_eq!(armed.len(), 1, "{}", effect.name);
        assert_eq!(armed[0].fault.effect, effect.effect(), "{}", effect.name);
        browser.click(&format!("#off-{}", armed[0].id));
        browser.until("document.getElementById('active').innerText.startsWith('Nothing is active')");
        assert!(store.sandbox.faults().is_empty(), "{}", effect.name);
    }
    for (name, ..) in CERTIFICATES {
        browser.click(&format!("#arm-{name}"));
        browser.until(&format!("document.getElementById('active').innerText.startsWith('{name}')"));
        browser.click("#off-certificates");
        browser.until("document.getElementById('active').innerText.startsWith('Nothing is active')");
    }
}

#[test]
fn tap_on_a_fault_shows_on_a_phone_what_it_did() {
    let store = Store::open();
    let mut browser = open(&store, "/");
    browser.set_window(390, 844, "light");
    browser.click("#arm-slow");
    browser.until("document.getElementById('toast').textContent === 'slow: next purchase request (fault 1)'");
    // The bar is above the window, and the text is in it.
    let is_seen = |browser: &mut Browser, id: &str| {
        let place =
            "(r => r.height > 0 && r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth)";
        browser.value(&format!("{place}(document.getElementById('{id}').getBoundingClientRect())"))
    };
    assert_eq!((is_seen(&mut browser, "active"), is_seen(&mut browser, "toast")), (json!(false), json!(true)));
    browser.click("#clear-faults");
    browser.until("document.getElementById('toast').textContent === 'off: slow (fault 1)'");
}

#[test]
fn everything_active_is_shown_and_has_a_switch_off() {
    let store = Store::open();
    let mut browser = open(&store, "/");
    // By clicks.
    browser.click("[id='clock+1d']");
    browser.until(&format!("{} === 1", count(".chip", "clock +1d")));
    browser.click("[id='limit-10/s']");
    browser.until(&format!("{} === 1", count(".chip", "limit 10/s")));
    for (name, _, world) in &World::NAMED[1..] {
        browser.value(&format!("document.getElementById('world').value = {name:?}"));
        browser.click("#set-world");
        browser.until(&format!("{} === 1", count(".chip", &format!("world {name}"))));
        assert_eq!(store.sandbox.settings().world, *world);
    }
    // By the API.
    let post = |path: &str, body: &serde_json::Value| {
        let body = body.to_string();
        let length = body.len();
        send(&store, &format!("POST /_sandbox/{path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"));
    };
    post("webhook", &json!({ "url": "http://127.0.0.1:9/hook" }));
    post("api-mapping", &json!({ "statusField": "state" }));
    post("limits", &json!({ "redeemGivesUpAfterMs": 100 }));
    post("tls", &json!({ "certificate": "expired", "connections": 0 }));
    store.sandbox.set_chaos(Some(serde_json::from_value::<Chaos>(json!({ "seed": 1, "rates": [] })).unwrap())).unwrap();
    for (id, text) in [
        ("webhook", "webhook http://127.0.0.1:9/hook"),
        ("api-mapping", "API mapping statusField state"),
        ("redeem-limit", "a redeem ends after 100 ms"),
        ("certificates", "certificate-expired every connection"),
        ("chaos", "chaos"),
        ("limit", "limit 10/s"),
        ("world", "world id-bound-to-item"),
        ("clock", "clock +1d"),
    ] {
        browser.until(&format!("{} === 1", count(".chip", text)));
        browser.click(&format!("#off-{id}"));
        browser.until(&format!("document.getElementById('off-{id}') === null"));
    }
    browser.until("document.getElementById('active').innerText.startsWith('Nothing is active')");
    assert_eq!(store.sandbox.clock().offset_ms(), 0);
    assert_eq!(store.sandbox.settings().world, World::default());
    assert_eq!(store.sandbox.settings().requests_per_second, None);
}

#[test]
fn request_opens_in_a_panel_and_is_replayed() {
    let store = Store::open();
    let client = store.durable_client();
    let mut browser = open(&store, "/");
    browser.until("!document.getElementById('empty').hidden");
    browser.click("#arm-response-lost");
    browser.until(&format!("{} === 1", count(".chip", "response-lost")));
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    assert_eq!(store.deductions().len(), 1);
    browser.until(&format!("{} === 1", count("#list li", "response-lost")));
    // The oldest request is the lost one.
    browser.click("#list li:last-child a");
    browser.until(&format!(
        "{} === 1",
        count("#panel .notice", "Fault response-lost: Engage processed it, and the connection is closed")
    ));
    for shown in ["POST /api/v3/point-shop-items/purchase", "no response", "Purchase id", "TestPOS/1.0", "Astrid Lind"]
    {
        assert_eq!(
            browser.value(&format!("document.getElementById('panel').textContent.includes({shown:?})")),
            true,
            "{shown}"
        );
    }
    // The body is pretty-printed JSON, and the curl line is copied.
    assert_eq!(browser.value("document.querySelectorAll('#request-body .k').length > 2"), true);
    browser.click("[data-copy=curl-line]");
    browser.until("document.getElementById('toast').textContent.length > 0");
    // The same id deducts nothing again.
    let before = store.posts();
    browser.click("#replay");
    browser.until("document.getElementById('toast').textContent === 'Replayed: 200'");
    assert_eq!((store.posts(), store.deductions().len()), (before + 1, 1));
    // A declined request has its reason.
    let declined = buy(&client, ASTRID, ItemId::from_uuid(demo::EXPIRED), &json!({}));
    assert_eq!(problem(&declined.unwrap_err())["outcome"], "declined");
    browser.click("#close");
    browser.until("document.getElementById('panel').hidden");
    browser.click("#news");
    browser.until(&format!("{} >= 1", count("#list li", "422")));
    browser.value("[...document.querySelectorAll('#list li a')].find(it => it.querySelector('.badge').textContent === '422').click()");
    browser.until(&format!("{} === 1", count("#panel .notice", "Reason: ")));
}

#[test]
fn list_does_not_move_under_the_pointer() {
    let store = Store::open();
    let get = |path: &str, agent: &str| {
        send(
            &store,
            &format!(
                "GET /api/v3/{path} HTTP/1.0\r\nUser-Agent: {agent}\r\napikey: demo-key\r\nContent-Type: application/json\r\n\r\n"
            ),
        );
    };
    let of = |id| format!("point-accounts?contactId={id}");
    let mut browser = open(&store, "/");
    get(&of(demo::ASTRID), "One/1");
    get(&of(demo::BJORN), "Two/1");
    browser.until(&format!("{} === 2", count("#list li", "point-accounts")));
    browser.point_at("#list li");
    get(&of(demo::ELSA), "One/1");
    get("nothing", "One/1");
    browser.until("document.getElementById('news').textContent === '2 new requests'");
    assert_eq!(browser.value("document.querySelector('#list li').textContent.includes('Björn')"), true);
    browser.click("#news");
    browser.until(&format!("{} === 4", count("#list li", "")));
    browser.point_at("h1");
    get(&of(demo::ELSA), "One/1");
    browser.until(&format!("{} === 5", count("#list li", "")));
    // The pause holds the list without a pointer.
    browser.click("#pause");
    get(&of(demo::ELSA), "One/1");
    browser.until("document.getElementById('news').textContent === '1 new request'");
    browser.click("#pause");
    browser.until(&format!("{} === 6", count("#list li", "")));
    // Filters.
    for (field, value, rows) in [
        ("till", "Two/1", 1),
        ("till", "", 6),
        ("member", "Elsa Ek", 3),
        ("member", "", 6),
        ("search", "astrid 200", 1),
        ("search", &demo::BJORN.to_string(), 1),
        ("search", "in no request", 0),
        ("search", "", 6),
    ] {
        browser.value(&format!(
            "(() => {{ const it = document.getElementById({field:?}); it.value = {value:?}; it.dispatchEvent(new Event('input')); }})()"
        ));
        assert_eq!(browser.value("document.querySelectorAll('#list li').length"), rows, "{field} {value}");
    }
    browser.click("#problems");
    assert_eq!(browser.value("document.querySelectorAll('#list li').length"), 1);
}

#[test]
fn ten_thousand_requests_are_a_window_of_rows() {
    let store = Store::open();
    let mut stream = TcpStream::connect(store.sandbox.http_url().trim_start_matches("http://")).unwrap();
    let request = format!(
        "GET /api/v3/point-accounts?contactId={} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Load/1\r\nContent-Type: application/json\r\napikey: demo-key\r\n\r\n",
        demo::ASTRID
    );
    for _ in 0..100 {
        stream.write_all(request.repeat(101).as_bytes()).unwrap();
        let mut read = 0;
        while read < 101 {
            let mut buffer = vec![0; 65_536];
            let length = stream.read(&mut buffer).unwrap();
            read += buffer[..length].windows(12).filter(|window| window == b"HTTP/1.1 200").count();
        }
    }
    let mut browser = open(&store, "/");
    browser.until("document.getElementById('count').textContent === '10000 requests'");
    let rows = "document.querySelectorAll('#list li').length";
    assert!(browser.value(rows).as_u64().unwrap() < 60);
    // The end of the list is the oldest request that is kept.
    browser.value("document.getElementById('list').scrollTop = 1e9");
    browser.until("document.querySelector('#list li:last-child a').dataset.n === '101'");
    assert!(browser.value(rows).as_u64().unwrap() < 60);
    assert_eq!(browser.value("document.getElementById('list').scrollHeight > 300000"), true);
}

#[test]
fn reset_asks_first_and_can_be_undone() {
    let store = Store::open();
    let client = store.durable_client();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    let mut browser = open(&store, "/");
    browser.click("#arm-slow");
    browser.until(&format!("{} === 1", count(".chip", "slow")));
    let requests = store.sandbox.requests().len();
    browser.click("[popovertarget=reset]");
    browser.until("document.activeElement.id === 'reset-now'");
    browser.key("Escape");
    browser.until("document.querySelector(':popover-open') === null");
    assert_eq!(store.sandbox.balance(demo::ASTRID), Some(1100));
    browser.click("[popovertarget=reset]");
    browser.until("document.activeElement.id === 'reset-now'");
    browser.key("Enter");
    browser.until("document.getElementById('undo-reset') !== null");
    assert_eq!(store.sandbox.balance(demo::ASTRID), Some(1200));
    browser.until("!document.getElementById('empty').hidden");
    browser.click("#undo-reset");
    browser.until(&format!("{} === 1", count(".chip", "slow")));
    assert_eq!(store.sandbox.balance(demo::ASTRID), Some(1100));
    assert_eq!(store.sandbox.requests().len(), requests);
    browser.until("document.getElementById('undo-reset') === null");
    browser.until(&format!("document.querySelectorAll('#list li').length === {requests}"));
}

#[test]
fn requests_are_read_with_the_keyboard_alone() {
    let store = Store::open();
    let client = store.durable_client();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    client.list_points(ASTRID, None).unwrap();
    let mut browser = open(&store, "/");
    browser.until(&format!("{} >= 2", count("#list li", "")));
    for _ in 0..40 {
        if browser.value("document.activeElement.closest('#list') !== null") == true {
            break;
        }
        browser.key("Tab");
    }
    let newest = browser.value("document.activeElement.dataset.n");
    browser.key("ArrowDown");
    browser.until(&format!(
        "document.activeElement.dataset.n !== {newest} && document.activeElement.closest('#list') !== null"
    ));
    let second = browser.value("document.activeElement.dataset.n");
    browser.key("Enter");
    browser.until("document.activeElement.id === 'panel-title'");
    browser.key("Escape");
    browser.until(&format!("document.activeElement.dataset.n === {second} && document.getElementById('panel').hidden"));
}

#[test]
fn till_in_the_browser_sells_through_the_library() {
    let store = Store::open();
    let mut browser = open(&store, "/_sandbox/dashboard/till");
    // By keyboard alone.
    tab_to(&mut browser, "find-member");
    browser.call("Input.insertText", &json!({ "text": "elsa@example.com" }));
    browser.key("Enter");
    browser.until(&format!("{} === 1", count("#offers h2", "Elsa Ek5000 points")));
    browser.until("[...document.querySelectorAll('.offer img')].filter(it => it.naturalWidth > 0).length === 5");
    tab_to(&mut browser, "buy-b0000000-0000-4000-8000-000000000051");
    browser.key("Enter");
    browser.until("document.getElementById('sale-outcome')?.textContent === 'completed'");
    assert_eq!(
        browser.value("document.querySelector('#outcome svg').getAttribute('aria-label')"),
        "EAN-13 7350053850019"
    );
    let receipt = browser.value("document.getElementById('receipt').textContent");
    let receipt = receipt.as_str().unwrap();
    assert!(receipt.lines().all(|line| line.chars().count() <= 42), "{receipt}");
    for line in ["R-1001", "Kanelbulle", "-60 p", "4940 p", "Give one bun"] {
        assert!(receipt.contains(line), "{line} is not in {receipt}");
    }
    browser.until(&format!("{} === 1", count("#journal li", "acknowledged")));
    browser.click("#redeem");
    browser.until(&format!("{} === 1", count("#redeem-outcome", "completed")));
    assert!(store.sandbox.assignments(demo::ELSA)[0].redeemed_on.is_some());

    // Pending, and resolved by itself.
    browser.click("#arm-no-response");
    browser.until(&format!("{} === 1", count(".chip", "no-response next purchase")));
    browser.click("#buy-b0000000-0000-4000-8000-000000000054");
    browser.until("document.getElementById('sale-outcome')?.textContent === 'pending'");
    assert_eq!(store.deductions().len(), 2);
    browser.until(&format!("{} === 1", count("#journal li", "pending")));
    browser.until("document.getElementById('sale-outcome')?.textContent === 'completed, after it was pending'");
    browser.click("#outcome form button");
    browser.until(
        "document.querySelector('#outcome svg')?.getAttribute('aria-label') === 'QR https://example.com/r/7c1f2e'",
    );
    assert_eq!(store.deductions().len(), 2);

    // Declined as the page explains it, and the journal outlives the program.
    browser.until("document.querySelector('#pending-explained').textContent.includes('expired promotion')");
    browser.value(
        "[...document.querySelectorAll('.offer')].find(it => it.textContent.includes('Expired promotion')).click()",
    );
    browser.until("document.getElementById('sale-outcome')?.textContent === 'declined'");
    browser.click("#restart");
    browser.until("document.getElementById('sale-outcome') === null");
    browser.until(&format!("{} === 4", count("#journal li", "acknowledged")));
    eventually("no connection is held", || (store.sandbox.faults().is_empty()).then_some(()));
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
