//! The connection of a call: the one that open made, the one of the call before, or a new one where
//! the server does not keep it. Preconnecting delays no call and sends no request.

use crate::alone;
use crate::connect_proxy::{ConnectProxy, Reaction, upstream};
use crate::cutting_proxy::{Kind, Proxy};
use crate::support::{ASTRID, COFFEE, Store, buy, code_of, eventually, parse};
use engage_point_shop::{Client, Code, Level};
use engage_sandbox::{Effect, Fault, FaultResponse, Operation};
use serde_json::{Value, json};
use std::net::TcpListener;

/// Returns the connection numbers of the sandbox's requests.
fn connections(store: &Store) -> Vec<u64> {
    store.sandbox.requests().iter().map(|request| request.connection).collect()
}

/// Returns a client whose connections go through a counting proxy, and that preconnects on open.
fn preconnected_client(store: &Store) -> (Proxy, Client) {
    let proxy = Proxy::start(upstream(store));
    let base_url = format!("https://localhost:{}", proxy.address.port());
    let client = store.client_with(&json!({ "preconnect": true, "baseUrl": base_url }));
    eventually("a connection is made on open", || (proxy.connections() == 1).then_some(()));
    (proxy, client)
}

#[test]
fn list_and_purchase_reuse_the_preconnected_connection() {
    let store = Store::open();
    let (proxy, client) = preconnected_client(&store);
    assert!(store.sandbox.requests().is_empty(), "nothing is asked on open");
    client.list_items(ASTRID, None).unwrap();
    buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    client.list_rewards(ASTRID, None).unwrap();
    // The sandbox counts connections from 1, including those without a request.
    assert_eq!(connections(&store), [1, 1, 1]);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn client_without_preconnect_connects_at_its_first_call() {
    let store = Store::open();
    let proxy = Proxy::start(upstream(&store));
    let base_url = format!("https://localhost:{}", proxy.address.port());
    let client = store.client_with(&json!({ "preconnect": false, "baseUrl": base_url }));
    assert_eq!(proxy.connections(), 0);
    client.list_items(ASTRID, None).unwrap();
    assert_eq!((proxy.connections(), connections(&store)), (1, vec![1]));
}

#[test]
fn dead_preconnected_connection_costs_no_call() {
    let _alone = alone();
    for kind in [Kind::Cut, Kind::Reset] {
        let store = Store::open();
        let (proxy, client) = preconnected_client(&store);
        proxy.end_all(kind);
        client.list_items(ASTRID, None).unwrap();
        let (proxy, client) = preconnected_client(&store);
        proxy.end_all(kind);
        assert_eq!(buy(&client, ASTRID, COFFEE, &json!({})).unwrap()["outcome"], "completed");
        assert_eq!((store.posts(), store.deductions().len()), (1, 1), "{kind:?}");
    }
}

/// A wireless line that carries nothing any more: the request into it is repeated on another
/// connection within the time that the system waits for an acknowledgement.
#[test]
fn purchase_into_a_black_hole_completes_before_its_timeout() {
    let _alone = alone();
    let store = Store::open();
    let proxy = Proxy::start(upstream(&store));
    let base_url = format!("https://localhost:{}", proxy.address.port());
    let client = store.client_with(&json!({ "baseUrl": base_url, "requestTimeoutMs": 300_000 }));
    client.list_items(ASTRID, None).unwrap();
    proxy.end_all(Kind::Hole);
    let bought = buy(&client, ASTRID, COFFEE, &json!({ "waitMs": 25_000 })).unwrap();
    assert_eq!(bought["outcome"], "completed", "{bought}");
    assert_eq!((store.posts(), store.deductions().len()), (1, 1));
}

#[test]
fn open_and_close_with_hanging_connect_return_at_once() {
    let _alone = alone();
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Reaction::Hang);
    let config = json!({ "preconnect": true, "proxy": proxy.url() });
    // The proxy hangs all the time. Open and close return, so that they do not wait for it.
    let client = store.client_with(&config);
    eventually("the first connection is being made", || (proxy.requests().len() == 1).then_some(()));
    client.close();
    let client = store.client_with(&config);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.list_items(ASTRID, Some(r#"{"waitMs":8000}"#)));
        eventually("the list is under way", || {
            (parse(&client.read_stats().unwrap())["reads"] == 1 && proxy.requests().len() == 2).then_some(())
        });
        // A wait ends while the connection is not ready.
        assert_eq!(code_of(client.list_items(ASTRID, Some(r#"{"waitMs":20}"#))), Code::TimedOut);
        proxy.release();
        call.join().unwrap().unwrap();
    });
    // One of the closed client, one of open, and one of the call that came second.
    assert!(proxy.requests().len() <= 3, "{:?}", proxy.requests());
}

#[test]
fn open_without_network_succeeds() {
    let store = Store::open();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (base_url, code) in
        [(format!("https://localhost:{port}"), Code::Offline), ("https://engage.invalid".into(), Code::DnsFailed)]
    {
        let client = store.client_with(&json!({ "preconnect": true, "proxy": "none", "baseUrl": base_url }));
        assert_eq!(code_of(client.list_items(ASTRID, None)), code);
        assert_eq!(code_of(buy(&client, ASTRID, COFFEE, &json!({}))), code);
        assert_eq!(parse(&client.list_unacknowledged(None).unwrap())["operations"][0]["outcome"], "notSent");
    }
}

#[test]
fn connection_is_kept_for_the_keep_alive_of_the_server() {
    let store = Store::open();
    let client = store.client();
    let kept = |header: &str| {
        let response = FaultResponse {
            body: Some("[]".into()),
            content_type: Some("application/json".into()),
            headers: [("Keep-Alive".to_owned(), header.to_owned())].into_iter().collect(),
            ..FaultResponse::status(200)
        };
        store.sandbox.arm(Fault::on(Operation::Items, Effect::Status(response)));
        client.list_items(ASTRID, None).unwrap();
        client.list_items(ASTRID, None).unwrap();
        let used = connections(&store);
        used[used.len() - 2] == used[used.len() - 1]
    };
    assert!(kept("timeout=60"));
    assert!(kept("timeout=600, max=100"));
    // The remainder of a second may be over when the next request arrives.
    assert!(!kept("timeout=1"));
    assert!(!kept("max=9, timeout=0"));
    assert!(kept("timeout=soon"));
}

#[test]
fn request_log_has_durations_and_operation_id() {
    let _alone = alone();
    let store = Store::open();
    let proxy = Proxy::start(upstream(&store));
    let base_url = format!("https://localhost:{}", proxy.address.port());
    let client = store.client_with(&json!({ "baseUrl": base_url }));
    let (send, lines) = std::sync::mpsc::channel();
    client.set_log(Level::Debug, Some(Box::new(move |_, line| send.send(line.to_owned()).unwrap()))).unwrap();
    client.list_items(ASTRID, None).unwrap();
    let operation = buy(&client, ASTRID, COFFEE, &json!({})).unwrap();
    proxy.end_all(Kind::Cut);
    client.list_items(ASTRID, None).unwrap();
    client.close();
    let lines: Vec<Value> = lines.iter().map(|line| parse(line.as_bytes())).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["event"] == "request").collect();
    let (list, purchase) = (requests[0], requests[1]);
    for part in ["resolveMs", "connectMs", "tlsMs", "ms"] {
        assert!(list[part].is_u64(), "{part}: {list}");
        let also_without_connecting = matches!(part, "resolveMs" | "ms");
        assert_eq!(purchase[part].is_u64(), also_without_connecting, "{part}: {purchase}");
    }
    assert_eq!((&list["reused"], &list["attempt"], &list["method"]), (&json!(false), &json!(1), &json!("GET")));
    assert_eq!((&purchase["reused"], &purchase["httpStatus"]), (&json!(true), &json!(200)));
    assert_eq!(purchase["operationId"], operation["operationId"]);
    assert_eq!(requests.last().unwrap()["reused"], false);
    let event = lines.iter().find(|line| line["event"] == "purchase.sent").unwrap();
    assert_eq!((&event["operationId"], &event["attempt"]), (&operation["operationId"], &json!(1)));
}
