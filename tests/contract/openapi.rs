//! The sandbox's OpenAPI document, compared with the sandbox's responses and the library's
//! requests. Every route and every status is used. Any undocumented part is a failure.

use crate::support::{ASTRID, COFFEE, Store, buy, id_of, parse};
use engage_point_shop::AssignmentId;
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation, RequestEntry, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use uuid::Uuid;

/// The document, stricter than it is published: an object has the named fields and no others.
struct Contract {
    document: Value,
    seen: BTreeSet<(String, String)>,
}

impl Contract {
    fn of(sandbox: &Sandbox) -> Contract {
        let mut document = send(sandbox, "GET", "/_sandbox/openapi.json", "", "").1;
        close(&mut document);
        Contract { document, seen: BTreeSet::new() }
    }

    /// Fails unless the value matches the schema.
    #[track_caller]
    fn check(&self, schema: &Value, value: &Value, of: &str) {
        // The schema's references point into the components.
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{of}\n{value:#}\n{}", errors.join("\n"));
    }

    /// Returns the document's path of a request, and the values of its parameters.
    fn path(&self, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let paths = self.document["paths"].as_object().unwrap();
        paths.keys().find_map(|template| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            if wanted.clone().count() != given.clone().count() {
                return None;
            }
            let mut filled = Vec::new();
            for (wanted, given) in wanted.zip(given) {
                match wanted.strip_prefix('{').and_then(|wanted| wanted.strip_suffix('}')) {
                    Some(name) => filled.push((name.to_owned(), given.to_owned())),
                    None if wanted == given => {}
                    None => return None,
                }
            }
            Some((template.clone(), filled))
        })
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                self.document.pointer(reference.strip_prefix('#').unwrap()).expect("the reference leads nowhere")
            }
            None => value,
        }
    }

    /// Fails unless the route documents this response. Records the response.
    #[track_caller]
    fn check_response(&mut self, method: &str, path: &str, status: u16, body: &[u8]) {
        let of = format!("{method} {path} responses {status}");
        let (template, _) = self.path(path).unwrap_or_else(|| panic!("{of}: the document has no such path"));
        let operation = &self.document["paths"][&template][method.to_lowercase()];
        let response = self.resolved(&operation["responses"][status.to_string()]);
        assert!(response.is_object(), "{of}, which the document does not say");
        match response["content"].as_object().and_then(|content| content.iter().next()) {
            Some((media, kind)) if media.ends_with("json") => {
                let body = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{of}: not JSON"));
                self.check(&kind["schema"], &body, &of);
            }
            Some(_) => assert!(!body.is_empty(), "{of}: without a body"),
            None => assert!(body.is_empty(), "{of}: with a body"),
        }
        let operation = operation["operationId"].as_str().unwrap().to_owned();
        self.seen.insert((operation, status.to_string()));
    }

    /// Fails unless the request matches the document, and returns its operation.
    #[track_caller]
    fn check_request(&self, entry: &RequestEntry) -> String {
        let of = format!("{} {}", entry.method, entry.path);
        let (path, query) = entry.path.split_once('?').unwrap_or((&entry.path, ""));
        let (template, filled) = self.path(path).unwrap_or_else(|| panic!("{of}: the document has no such path"));
        let operation = &self.document["paths"][&template][entry.method.to_lowercase()];
        assert!(operation.is_object(), "{of}: the document has no such method");
        let mut given: Vec<(&str, String, String)> =
            filled.into_iter().map(|(name, value)| ("path", name, value)).collect();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            given.push(("query", name.to_owned(), value.to_owned()));
        }
        for (name, value) in &entry.request.headers {
            given.push(("header", name.to_string(), value.to_str().unwrap().to_owned()));
        }

        let parameters: Vec<&Value> =
            operation["parameters"].as_array().unwrap().iter().map(|parameter| self.resolved(parameter)).collect();
        let named = |place: &str, name: &str| {
            parameters.iter().find(|parameter| {
                parameter["in"] == place && parameter["name"].as_str().unwrap().eq_ignore_ascii_case(name)
            })
        };
        for parameter in parameters.iter().filter(|parameter| parameter["required"] == true) {
            let is_given = given.iter().any(|(place, name, _)| {
                parameter["in"] == *place && parameter["name"].as_str().unwrap().eq_ignore_ascii_case(name)
            });
            assert!(is_given, "{of}: without {}", parameter["name"]);
        }
        for (place, name, value) in &given {
            match named(place, name) {
                // The log omits the search key of a person.
                Some(_) if value == "***" => {}
                Some(parameter) => self.check(&parameter["schema"], &json!(value), &of),
                None => assert_eq!(*place, "header", "{of}: the document has no parameter {name}"),
            }
        }
        let has = |wanted: &str| given.iter().find(|(place, name, _)| *place == "header" && name == wanted);
        assert!(has("apikey").is_some(), "{of}: without the key");
        assert!(has("content-type").is_some_and(|(_, _, kind)| kind == "application/json"), "{of}: without its type");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if body.is_null() {
            assert!(entry.request.body.is_empty(), "{of}: with a body");
        } else {
            self.check(body, &serde_json::from_slice(&entry.request.body).unwrap(), &of);
        }
        operation["operationId"].as_str().unwrap().to_owned()
    }

    /// Returns the documented responses of the routes with this tag: operation and status.
    fn promised(&self, tag: &str) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let operations = operations.filter(|operation| operation["tags"] == json!([tag]));
        let responses = operations.flat_map(|operation| {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            operation["responses"].as_object().unwrap().keys().map(move |status| (name.clone(), status.clone()))
        });
        responses.collect()
    }

    /// Fails unless every documented response of these routes has been seen.
    #[track_caller]
    fn check_all_seen(&self, tag: &str) {
        let unseen: Vec<_> = self.promised(tag).difference(&self.seen).cloned().collect();
        assert!(unseen.is_empty(), "documented and never returned: {unseen:?}");
    }
}

/// Forbids fields that are not named, in every object.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type").is_some_and(|kind| kind == "object") && fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(false.into());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Sends a request, and returns the status and the body: JSON as such, anything else as a string.
fn send(sandbox: &Sandbox, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value, Vec<u8>) {
    let mut stream = TcpStream::connect(sandbox.http_url().strip_prefix("http://").unwrap()).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let json = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (status, json, bytes)
}

const HEADERS: &str = "apikey: demo-key\r\nUser-Agent: Contract/1.0\r\nContent-Type: application/json\r\n";
const NO_TYPE: &str = "apikey: demo-key\r\nUser-Agent: Contract/1.0\r\n";

#[test]
fn engage_routes_return_every_documented_response() {
    let store = Store::open();
    let sandbox = &store.sandbox;
    let mut contract = Contract::of(sandbox);
    let (astrid, bjorn) = (demo::ASTRID, demo::BJORN);
    let order = |contact: Uuid, id: Uuid, item: Uuid| {
        json!({ "contactId": contact, "pointShopItemPurchaseId": id, "pointShopItemId": item }).to_string()
    };
    let pos = json!({ "redemptionChannel": "POS" }).to_string();
    let purchase = "/api/v3/point-shop-items/purchase";
    let used = Uuid::new_v4();
    send(sandbox, "POST", purchase, HEADERS, &order(astrid, used, demo::GIFT_CARD));
    send(sandbox, "POST", purchase, HEADERS, &order(demo::LOAD, Uuid::new_v4(), demo::COFFEE));
    send(sandbox, "POST", purchase, HEADERS, &order(demo::LOAD, Uuid::new_v4(), demo::SLOW));
    let [given, taken] = [sandbox.assignments(astrid)[0].id, sandbox.assignments(demo::LOAD)[0].id]
        .map(|id| format!("/api/v3/promotion-assignments/{id}/redeem"));

    let get = |path: &str, contact: &str| format!("/api/v3/{path}?contactId={contact}");
    let find = |query: &str| format!("/api/v3/contacts/id?{query}");
    let mut requests: Vec<(&str, String, String)> = Vec::new();
    for path in ["point-shop-items", "point-shop-item-purchases", "promotion-assignments", "point-accounts"] {
        for contact in [&astrid.to_string(), &demo::LOAD.to_string(), "nobody"] {
            requests.push(("GET", get(path, contact), String::new()));
        }
    }
    requests.push(("GET", get("point-shop-item-purchases", &bjorn.to_string()), String::new()));
    for query in ["?redemptionChannelType=POS", "", "?redemptionChannelType=SHOP"] {
        requests.push(("GET", format!("/api/v2/contacts/{astrid}/promotions{query}"), String::new()));
    }
    for query in ["customKey=1001", "customKey=9", "customKey=2017", "email=a"] {
        requests.push(("GET", find(query), String::new()));
    }
    for (contact, id, item) in [
        (astrid, used, demo::GIFT_CARD),
        (bjorn, used, demo::GIFT_CARD),
        (astrid, Uuid::new_v4(), demo::ASTRID),
        (astrid, Uuid::new_v4(), demo::FAILS),
        (bjorn, Uuid::new_v4(), demo::COFFEE),
    ] {
        requests.push(("POST", purchase.to_owned(), order(contact, id, item)));
    }
    requests.push(("POST", purchase.to_owned(), "{}".to_owned()));
    for path in [&given, &given, &"/api/v3/promotion-assignments/none/redeem".to_owned()] {
        requests.push(("POST", path.clone(), pos.clone()));
    }
    requests.push(("POST", given, json!({ "redemptionChannel": "SHOP" }).to_string()));
    let mut go = |headers: &str, method: &str, path: &str, body: &str| {
        let (status, _, bytes) = send(sandbox, method, path, headers, body);
        contract.check_response(method, path.split('?').next().unwrap(), status, &bytes);
    };
    for (method, path, body) in &requests {
        go(HEADERS, method, path, body);
        go("", method, path, body);
        go(NO_TYPE, method, path, body);
    }
    sandbox.set(|settings| settings.redeem_gives_up_after_ms = 1).unwrap();
    sandbox.arm(Fault::on(Operation::Redeem, Effect::Slow { ms: 5, point_of_no_return_ms: None }));
    go(HEADERS, "POST", &taken, &pos);
    sandbox.set_requests_per_second(Some(0));
    for (method, path, body) in &requests {
        go(HEADERS, method, path, body);
    }
    contract.check_all_seen("Engage");
}

#[test]
fn library_requests_match_and_cover_the_document() {
    let store = Store::open();
    let contract = Contract::of(&store.sandbox);
    let client = store.durable_client();
    let wait = json!({ "waitMs": 9_000 });
    for (key, value) in
        [("email", "astrid@example.com"), ("mobilePhone", "+46701234567"), ("customKey", "1001"), ("any", "1001")]
    {
        assert_eq!(parse(&client.find_contact(key, value, None).unwrap()), json!(demo::ASTRID), "{key}");
    }
    client.list_points(ASTRID, None).unwrap();
    client.list_items(ASTRID, None).unwrap();
    let bought = buy(&client, ASTRID, COFFEE, &wait).unwrap();
    client.list_purchases(ASTRID, None).unwrap();
    client.list_rewards(ASTRID, None).unwrap();
    let found = parse(&client.find_reward(id_of(&bought), None).unwrap());
    let reward = AssignmentId::parse(found["assignmentId"].as_str().unwrap(), "assignmentId").unwrap();
    client.redeem_reward(Some(ASTRID), reward, None).unwrap();
    // A purchase whose response is lost is queried and sent again.
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetBeforeCommit));
    let _ = buy(&client, ASTRID, COFFEE, &json!({ "reference": "lost" }));
    crate::support::eventually("the purchase is made", || (store.deductions().len() == 2).then_some(()));

    let asked: BTreeSet<String> = store.sandbox.requests().iter().map(|entry| contract.check_request(entry)).collect();
    let offered: BTreeSet<String> = contract.promised("Engage").into_iter().map(|(operation, _)| operation).collect();
    let left: Vec<&String> = offered.difference(&asked).collect();
    assert_eq!(left, ["listRewardsV2"], "never asked for");
}

#[test]
fn sandbox_routes_return_every_documented_response() {
    let store = Store::open();
    let sandbox = &store.sandbox;
    let mut contract = Contract::of(sandbox);
    let order = json!({ "contactId": demo::ASTRID, "pointShopItemPurchaseId": Uuid::new_v4(), "pointShopItemId": demo::COFFEE });
    send(sandbox, "POST", "/api/v3/point-shop-items/purchase", HEADERS, &order.to_string());
    let snapshot = send(sandbox, "POST", "/_sandbox/snapshot", "", "").1;
    let fault = |effect: &Value| json!({ "match": { "operation": "any", "contactId": demo::LOAD, "nth": 9 }, "effect": effect });
    let status = json!({ "status": { "status": 503, "headers": { "Retry-After": "1" } } });
    let rates = json!([{ "rate": 0.1, "operation": "items", "effect": { "slow": { "ms": 1 } } }]);
    let item = json!({
        "id": Uuid::new_v4(), "name": "n", "cost": 1, "promotionId": Uuid::new_v4(), "faults": { "purchase": status },
        "behaviour": { "processing": { "forMs": 1 } },
    });
    let script = json!({
        "faults": [fault(&json!({ "delay": { "ms": 1 } }))], "tls": [{ "certificate": "expired" }],
        "chaos": { "seed": 1, "rates": rates }, "clock": { "advanceMs": 1 }, "limits": { "requestsPerSecond": null },
        "apiMapping": { "envelope": true }, "world": { "historyLagMs": 5 },
    });
    let webhook = json!({ "url": "http://127.0.0.1:9/hook", "secret": "whsec_AAAA" });
    let (nothing, wrong) = (Value::Null, json!({ "wrong": true }));
    let posts = [
        ("faults", fault(&status)),
        ("chaos", json!({ "seed": 1, "rates": rates })),
        ("script", script),
        ("webhook", webhook),
        ("tls", json!({ "certificate": "wrongHost", "connections": 0 })),
        ("judge", json!({ "journals": [] })),
        ("clock", json!({ "set": "2030-01-01T00:00:00Z", "frozen": true })),
        ("limits", json!({ "requestsPerSecond": 100, "redeemGivesUpAfterMs": 1 })),
        ("api-mapping", json!({ "itemIdField": "itemId", "purchaseIdFields": ["id"] })),
        ("stores", json!({ "key": "other", "seed": { "members": [], "items": [item] } })),
        ("members", json!({ "contactId": Uuid::new_v4(), "points": 5, "faults": { "any": { "html": {} } } })),
        ("world", json!({ "historyLagMs": 1, "historyPageRows": 2, "idCheckedLast": true, "idBoundToItem": true })),
        ("departures", json!({ "contactId": demo::BJORN, "into": demo::LOAD })),
        ("items", item.clone()),
        ("restore", snapshot),
        ("snapshot", nothing.clone()),
        ("reset", nothing.clone()),
    ];
    let gets = [
        "health",
        "openapi.json",
        "status",
        "ledger",
        "state",
        "requests",
        "requests.har",
        "requests.sh",
        "faults",
        "chaos",
        "webhook",
        "tls",
        "magic",
        "clock",
        "limits",
        "api-mapping",
        "world",
        "stores",
    ];
    let deletes = ["faults", "webhook", "tls"];
    let paths = contract.document["paths"].clone();
    let mut go = |method: &str, route: &str, query: &str, body: &Value| {
        let path = format!("/_sandbox/{route}");
        let of_store = paths[&path][method.to_lowercase()]["responses"]["404"].is_object();
        for store in if of_store { &["", "store=nobody"][..] } else { &[""] } {
            let text = if body.is_null() { String::new() } else { body.to_string() };
            let (status, _, bytes) = send(sandbox, method, &format!("{path}?{query}&{store}"), "", &text);
            assert!(store.is_empty() || status == 404, "{method} {path} of a store that is not there: {status}");
            contract.check_response(method, &path, status, &bytes);
        }
    };
    for route in gets {
        go("GET", route, "", &nothing);
    }
    go("GET", "requests", "after=x", &nothing);
    for (route, body) in &posts {
        // The outgoing requests match the document too.
        go("POST", route, "", body);
        if paths[&format!("/_sandbox/{route}")]["post"]["requestBody"].is_object() {
            go("POST", route, "", &wrong);
        }
        if gets.contains(route) {
            go("GET", route, "", &nothing);
        }
        go("GET", "state", "", &nothing);
        go("GET", "status", "", &nothing);
    }
    go("POST", "faults", "", &json!({ "match": { "operation": "any", "nth": 1000 }, "effect": { "html": {} } }));
    let armed = sandbox.faults().last().unwrap().id;
    go("DELETE", &format!("faults/{armed}"), "", &nothing);
    go("DELETE", &format!("faults/{armed}"), "", &nothing);
    for route in deletes {
        go("DELETE", route, "", &nothing);
    }
    // The second time, there is no reset to undo.
    go("POST", "undo-reset", "", &nothing);
    go("POST", "undo-reset", "", &nothing);
    go("DELETE", "stores", "store=other", &nothing);
    go("DELETE", "stores", "", &nothing);
    for (route, body) in &posts {
        let schema =
            &paths[&format!("/_sandbox/{route}")]["post"]["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            contract.check(schema, body, &format!("the body of {route}"));
        }
    }
    contract.check_all_seen("Sandbox");
}

#[test]
fn sandbox_routes_are_all_in_the_document() {
    let document: Value = serde_json::from_str(include_str!("../../sandbox/openapi.json")).unwrap();
    let mut count = 0;
    for source in [include_str!("../../sandbox/src/admin.rs"), include_str!("../../sandbox/src/export.rs")] {
        let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        for route in routes.filter(|route| !route.starts_with("/_sandbox/{")) {
            let (path, handlers) = route.split_once('"').unwrap();
            for method in ["get", "post", "delete"] {
                let served = handlers.contains(&format!("{method}("));
                assert_eq!(document["paths"][path][method].is_object(), served, "{method} {path}");
                count += usize::from(served);
            }
        }
    }
    assert!(count > 30, "only {count} routes found: are they still written in this form?");
}

#[test]
fn undocumented_responses_are_reported() {
    let store = Store::open();
    let mut contract = Contract::of(&store.sandbox);
    let drifted = |body: &str| {
        let contract = Contract { document: contract.document.clone(), seen: BTreeSet::new() };
        std::panic::catch_unwind(move || {
            let mut contract = contract;
            contract.check_response("GET", "/api/v3/contacts/id", 200, body.as_bytes());
        })
        .is_err()
    };
    assert!(!drifted("\"a0000000-0000-4000-8000-000000000001\""));
    assert!(drifted("\"nobody\"") && drifted("{}") && drifted("text"));
    store.sandbox.arm(Fault::on(Operation::Points, Effect::Status(FaultResponse::status(418))));
    let path = format!("/api/v3/point-accounts?contactId={}", demo::ASTRID);
    let (status, _, bytes) = send(&store.sandbox, "GET", &path, HEADERS, "");
    let unsaid = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        contract.check_response("GET", "/api/v3/point-accounts", status, &bytes);
    }));
    assert!(unsaid.is_err());
}
