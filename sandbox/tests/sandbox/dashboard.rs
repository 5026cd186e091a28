//! The dashboard without its script and without a browser: its texts and its forms. A test of the
//! library uses the dashboard in a browser.

use engage_sandbox::Sandbox;
use engage_sandbox::seed::demo::{ASTRID, COFFEE};
use serde_json::json;
use uuid::Uuid;

use crate::client::{Connection, Response, with_headers};

fn post(page: &mut Connection, action: &str, form: &str) -> Response {
    let path = format!("/_sandbox/dashboard/{action}");
    page.send(&with_headers("POST", &path, "Content-Type: application/x-www-form-urlencoded\r\n", form));
    page.response().unwrap()
}

#[test]
fn the_dashboard_shows_the_store_and_loads_nothing_else() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    for (path, name, expected) in [
        ("/", "requests", &["Astrid Lind", "purchase", "/v3/point-shop-items/purchase", "Nothing is active"][..]),
        ("/_sandbox/dashboard/store", "store", &["Free coffee", "Completed", "1100", "Magda Magic"]),
        ("/_sandbox/dashboard/till", "till", &["Find a member", "Astrid Lind", "journal.db", "response-lost"]),
        ("/_sandbox/dashboard/start", "start", &["baseUrl", "demo-key", "What next", "ca.pem"]),
    ] {
        let response = page.get(path);
        assert_eq!(response.status, 200, "{path}");
        assert!(response.head.contains("content-security-policy: default-src 'none'"), "{}", response.head);
        for shown in expected {
            assert!(response.body.contains(shown), "{path}: {shown} is not in {}", response.body);
        }
        for attribute in ["src=\"http", "href=\"http", "action=\"http"] {
            assert!(!response.body.contains(attribute), "{path}: {attribute}");
        }
        // Each part that the script replaces has a place on its page.
        let parts = page.get(&format!("/_sandbox/dashboard/parts?page={name}")).json();
        for id in parts["parts"].as_object().unwrap().keys() {
            assert!(response.body.contains(&format!("id=\"{id}\"")), "{path}: {id}");
        }
    }
    // A request for the dashboard is not a till's request.
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn a_request_is_read_without_the_script() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let body = page.get("/?store=demo-key&request=1").body;
    for shown in ["curl -sS", "Took", "Astrid Lind", "id=\"response-body\""] {
        assert!(body.contains(shown), "{shown} is not in {body}");
    }
    assert_eq!(page.get("/_sandbox/dashboard/request?seq=2").status, 404);
    // The log gives the requests after a number, and the open ones.
    let mut rows = |query: &str| {
        let log = page.get(&format!("/_sandbox/dashboard/parts?page=requests&{query}")).json()["log"].clone();
        (log["era"].as_str().unwrap().to_owned(), log["rows"].as_array().unwrap().len())
    };
    let (era, all) = rows("");
    assert_eq!(all, 1);
    assert_eq!(rows(&format!("after=1&era={era}")), (era.clone(), 0));
    assert_eq!(rows(&format!("after=1&era={era}&open=1")), (era.clone(), 1));
    // Of another log, which a page has seen before a reset or a restart, all requests are new.
    assert_eq!(rows("after=1&era=another").1, 1);
    sandbox.reset();
    assert_ne!(rows("").0, era);
}

#[test]
fn every_form_works_without_the_script() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    let arm = |fault: &str| format!("fault={fault}&operation=purchase&times=0");
    let response = post(&mut page, "arm?page=till", &arm("no-response"));
    let location = "location: /_sandbox/dashboard/till?store=demo-key";
    assert!(response.status == 303 && response.head.contains(location), "{response:?}");
    assert_eq!(json!(sandbox.faults()[0])["effect"], json!({ "stallAfterCommit": {} }));
    assert_eq!(json!(sandbox.faults()[0])["match"]["times"], 0);
    assert_eq!(post(&mut page, "clear", "").status, 303);
    assert!(sandbox.faults().is_empty());
    for (action, wrong) in [
        ("arm", "fault=flood&operation=purchase&times=1"),
        ("arm", "fault=slow&operation=none&times=1"),
        ("arm", "fault=slow&operation=purchase&times=x"),
        ("clear", "id=x"),
        ("clock", "change=soon"),
        ("limit", "rate=fast"),
        ("world", "name=flat"),
        ("certificate", "certificate=good"),
    ] {
        assert_eq!(post(&mut page, action, wrong).status, 400, "{action} {wrong}");
    }

    assert_eq!(post(&mut page, "clock", "change=%2B1d").status, 303);
    assert_eq!(sandbox.clock().offset_ms(), 86_400_000);
    assert!(page.get("/").body.contains("+1d"));
    post(&mut page, "clock", "change=now");
    assert_eq!(sandbox.clock().offset_ms(), 0);

    post(&mut page, "judge", "journal=%5B%7B%7D%5D");
    assert!(page.get("/_sandbox/dashboard/store").body.contains("line 1: [0].operationId: missing field"));
    let id = "10000000-0000-4000-8000-000000000001";
    post(&mut page, "judge", &format!("journal=%7B%22operationId%22:%22{id}%22,%22outcome%22:%22completed%22%7D"));
    assert!(page.get("/_sandbox/dashboard/store").body.contains("completed-is-deducted: 1000"));
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    post(&mut page, "reset", "");
    assert_eq!(sandbox.balance(ASTRID), Some(1200));
    assert!(page.get("/_sandbox/dashboard/store").body.contains("No till was judged yet"));
    post(&mut page, "undo-reset", "");
    assert_eq!(sandbox.balance(ASTRID), Some(1100));
    assert_eq!(sandbox.requests().len(), 1);
    assert!(!sandbox.undo_reset());
}

#[test]
fn the_till_sells_without_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("till.db");
    let sandbox = Sandbox::builder().till_journal(&journal).start();
    let mut page = Connection::open(&sandbox);
    assert_eq!(post(&mut page, "till-buy?page=till", &format!("item={COFFEE}")).status, 409);
    assert_eq!(post(&mut page, "till-find?page=till", "member=1001").status, 303);
    let response = post(&mut page, "till-buy?page=till", &format!("item={COFFEE}"));
    assert_eq!(response.status, 303, "{response:?}");
    let body = page.get("/_sandbox/dashboard/till").body;
    for shown in ["THE SANDBOX SHOP", "1100 points", "R-1001", "acknowledged"] {
        assert!(body.contains(shown), "{shown} is not in {body}");
    }
    assert_eq!(sandbox.balance(ASTRID), Some(1100));
    drop(sandbox);
    assert!(journal.exists());
}

#[test]
fn each_store_has_a_dashboard_with_its_key_escaped() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    let key = "\"><script>&'";
    assert_eq!(page.post("/_sandbox/stores", &json!({ "key": key })).status, 201);
    assert!(
        page.get("/").body.contains("<a href=\"/?store=%22%3E%3Cscript%3E%26%27\">&quot;&gt;&lt;script&gt;&amp;'</a>")
    );
    for path in ["/", "/_sandbox/dashboard/till", "/_sandbox/dashboard/store", "/_sandbox/dashboard/start"] {
        let body = page.get(&format!("{path}?store=%22%3E%3Cscript%3E%26%27")).body;
        assert!(body.contains("<code>&quot;&gt;&lt;script&gt;&amp;'</code>") && !body.contains(key), "{body}");
    }
    assert_eq!(page.get("/?store=unknown").status, 404);
}
