//! The dashboard without its script and without a browser: its texts and its forms. A test of the
//! library uses the dashboard in a browser.

use engage_sandbox::Sandbox;
use engage_sandbox::seed::demo::{ASTRID, COFFEE};
use serde_json::json;
use uuid::Uuid;

use crate::client::{Connection, Response, with_headers};

fn post(page: &mut Connection, path: &str, form: &str) -> Response {
    page.send(&with_headers("POST", path, "Content-Type: application/x-www-form-urlencoded\r\n", form));
    page.response().unwrap()
}

#[test]
fn the_dashboard_shows_the_store_and_loads_nothing_else() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    let response = page.get("/");
    assert_eq!(response.status, 200);
    assert!(response.head.contains("content-security-policy: default-src 'none'"), "{}", response.head);
    for shown in ["Astrid Lind", "Free coffee", "Completed", "1100", "Magda Magic", "No fault is armed"] {
        assert!(response.body.contains(shown), "{shown} is not in {}", response.body);
    }
    assert!(!response.body.contains("http://") && !response.body.contains("https://"), "{}", response.body);
    // A request for the dashboard is not a till's request.
    assert_eq!(sandbox.requests().len(), 1);
    let parts = page.get("/_sandbox/dashboard/parts").json();
    for id in parts.as_object().unwrap().keys() {
        assert!(response.body.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn every_form_works_without_the_script() {
    let sandbox = Sandbox::builder().start();
    let mut page = Connection::open(&sandbox);
    let arm = |fault: &str| format!("fault={fault}&operation=purchase&times=0");
    let response = post(&mut page, "/_sandbox/dashboard/arm", &arm("no-response"));
    assert!(response.status == 303 && response.head.contains("location: /?store=demo-key"), "{response:?}");
    assert_eq!(json!(sandbox.faults()[0])["effect"], json!({ "stallAfterCommit": {} }));
    assert_eq!(json!(sandbox.faults()[0])["match"]["times"], 0);
    assert_eq!(post(&mut page, "/_sandbox/dashboard/clear-faults", "").status, 303);
    assert!(sandbox.faults().is_empty());
    assert_eq!(post(&mut page, "/_sandbox/dashboard/arm", &arm("flood")).status, 400);

    assert_eq!(post(&mut page, "/_sandbox/dashboard/clock", "ms=86400000").status, 303);
    assert_eq!(sandbox.clock().offset_ms(), 86_400_000);
    assert!(page.get("/").body.contains("1 d 0 h 0 min ahead"));
    post(&mut page, "/_sandbox/dashboard/clock", "ms=0");
    assert_eq!(sandbox.clock().offset_ms(), 0);

    post(&mut page, "/_sandbox/dashboard/judge", "journal=%5B%7B%7D%5D");
    assert!(page.get("/").body.contains("line 1: [0].operationId: missing field"));
    let id = "10000000-0000-4000-8000-000000000001";
    post(
        &mut page,
        "/_sandbox/dashboard/judge",
        &format!("journal=%7B%22operationId%22:%22{id}%22,%22outcome%22:%22completed%22%7D"),
    );
    assert!(page.get("/").body.contains("completed-is-deducted: 1000"));
    page.buy(ASTRID, Uuid::new_v4(), COFFEE);
    post(&mut page, "/_sandbox/dashboard/reset", "");
    assert_eq!(sandbox.balance(ASTRID), Some(1200));
    assert!(page.get("/").body.contains("No till was judged yet"));
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
    let body = page.get("/?store=%22%3E%3Cscript%3E%26%27").body;
    assert!(body.contains("<code>&quot;&gt;&lt;script&gt;&amp;'</code>") && !body.contains(key), "{body}");
    assert_eq!(page.get("/?store=unknown").status, 404);
}
