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
        (
            "/",
            "requests",
            &["Astrid Lind", "purchase", "POST /api/v3/point-shop-items/purchase", "Nothing is active"][..],
        ),
        ("/_sandbox/dashboard/store", "store", &["Free coffee", "Completed", "1100", "Magda Magic"]),
        ("/_sandbox/dashboard/till", "till", &["Find a member", "Astrid Lind", "journal.db", "response-lost"]),
        (
            "/_sandbox/dashboard/start",
            "start",
            &["baseUrl", "demo-key", "What next", "ca.pem", "--ca-out ca.pem", "removed when the sandbox ends"],
        ),
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
    assert!(page.get("/_sandbox/dashboard/store").body.contains("completed-is-deducted: 1000"));
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

#[test]
fn each_form_returns_its_changes_to_the_script() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    let mut sent = |action: &str, form: &str| {
        let path = format!("/_sandbox/dashboard/{action}");
        let headers = "Content-Type: application/x-www-form-urlencoded\r\nAccept: text/plain\r\n";
        page.send(&with_headers("POST", &path, headers, form));
        let response = page.response().unwrap();
        (response.status, response.body)
    };
    for (action, form, expected) in [
        ("arm", "fault=slow&operation=purchase&times=1", "slow: next purchase request (fault 1)"),
        ("arm", "fault=slow&operation=any&times=0", "slow: every request (fault 2)"),
        ("clear", "id=1", "off: slow (fault 1)"),
        ("clear", "", "off: slow (fault 2)"),
        ("clear", "", "nothing has changed"),
        ("certificate", "certificate=certificate-expired", "certificate-expired: next connection"),
        ("clear-certificates", "", "off: certificate-expired next connection"),
        ("world", "name=late-history", "world: late-history"),
        ("world", "name=paged-history", "world: paged-history, in place of late-history"),
        ("limit", "rate=1/s", "limit: 1/s"),
        ("reset", "", "the store is reset. off: limit 1/s. off: world paged-history"),
        ("reset", "", "the store is reset"),
        ("undo-reset", "", "the reset is undone"),
        ("undo-reset", "", "nothing has changed"),
        ("judge", "journal=[]", ""),
    ] {
        assert_eq!(sent(action, form), (200, expected.to_owned()), "{action} {form}");
    }
}

#[test]
fn chaos_says_which_part_of_which_requests_fails() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    let rates = json!([
        { "rate": 0.05, "operation": "purchase", "effect": { "resetAfterCommit": {} } },
        { "rate": 0.005, "effect": { "delay": { "ms": 1 } } },
    ]);
    page.post("/_sandbox/chaos", &json!({ "seed": 1, "rates": rates }));
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let shown = "<b>chaos</b> 5 % of the purchase requests get response-reset, 0.5 % of all requests get delay; 0 of 1 requests hit so far";
    let body = page.get("/").body;
    assert!(body.contains(shown), "{body}");
}

#[test]
fn a_request_of_no_route_has_the_reason_and_its_whole_path() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    for (method, path, reason) in [
        ("GET", "/api/v3/point-shop-item?contactId=1", "no such route; did you mean /api/v3/point-shop-items?"),
        ("GET", "/v3/point-accounts", "no such route; did you mean /api/v3/point-accounts?"),
        ("GET", "/api/api/v3/contacts/id", "no such route; did you mean /api/v3/contacts/id?"),
        ("GET", "/api/v3/promotion-assignment", "no such route; did you mean /api/v3/promotion-assignments?"),
        (
            "POST",
            "/api/v3/promotion-assignments/c0000000-0000-4000-8000-000000000001/redem",
            "no such route; did you mean /api/v3/promotion-assignments/{assignmentId}/redeem?",
        ),
        ("POST", "/api/v3/point-account", "no such route; did you mean GET /api/v3/point-accounts?"),
        ("GET", "/shop", "no such route; /_sandbox/openapi.json has the routes"),
        ("GET", "/api/v3/point-shop-items/purchase", "the route takes POST, not GET"),
    ] {
        page.send(&with_headers(method, path, "apikey: demo-key\r\n", ""));
        // Engage's own body is empty.
        let response = page.response().unwrap();
        assert_eq!((response.status / 100, response.body), (4, String::new()), "{method} {path}");
        let seen = sandbox.requests().pop().unwrap();
        assert_eq!(seen.reason.as_deref(), Some(reason), "{method} {path}");
        // The suggested route exists.
        if let Some((_, meant)) = reason.trim_end_matches('?').split_once("did you mean ") {
            let (method, meant) = meant.split_once(' ').unwrap_or((method, meant));
            page.send(&with_headers(method, &meant.replace("{assignmentId}", "1"), "", ""));
            page.response().unwrap();
            assert!(sandbox.requests().pop().unwrap().operation.is_some(), "{method} {meant}");
        }
        let list = page.get("/").body;
        let path = path.split('?').next().unwrap();
        assert!(list.contains(&format!(">{method} {path}</code>")) && list.contains(reason), "{method} {path}: {list}");
    }
    page.post("/_sandbox/faults", &json!({ "match": { "operation": "any" }, "effect": { "html": {} } }));
    page.get("/api/v3/nothing");
    assert_eq!(sandbox.requests().pop().unwrap().reason, None);
}

#[test]
fn the_start_says_how_the_root_certificate_stays() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::builder().ca_out(&folder.path().join("my-ca.pem")).start();
    let body = Connection::open(&sandbox).get("/_sandbox/dashboard/start").body;
    assert!(body.contains("my-ca.pem") && !body.contains("removed when the sandbox ends"), "{body}");
    assert!(body.contains(&format!("curl -o ca.pem {}/_sandbox/dashboard/ca.pem", sandbox.http_url())), "{body}");
}
