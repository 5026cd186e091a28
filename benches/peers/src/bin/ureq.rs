//! `ureq` with its defaults and typed responses.

use engage_bench_peers::{ITEM, Order, What, fresh_id, measure, member};
use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

#[derive(Deserialize)]
struct Item {
    id: String,
    cost: u64,
}

#[derive(Deserialize)]
struct Purchase {
    status: String,
}

fn main() {
    let order = Order::read();
    let trust = RootCerts::new_with_certs(&[Certificate::from_der(&order.authority()).to_owned()]);
    let tls = TlsConfig::builder().root_certs(trust).build();
    let agent: Agent = Agent::config_builder().tls_config(tls).user_agent("Fixture/1.0").build().into();
    let headers = [("Content-Type", "application/json"), ("Accept", "application/json"), ("apikey", "key")];
    measure(order.count, |number| match order.what {
        What::Items(items) => {
            let url = format!("{}/api/v3/point-shop-items?contactId={}", order.base, member(items));
            let mut request = agent.get(&url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let body = request.call().expect("a response").into_body().read_to_vec().expect("a body");
            let list: Vec<Item> = serde_json::from_slice(&body).expect("items");
            assert!(list.len() == items as usize && list.iter().all(|item| item.cost > 0 && !item.id.is_empty()));
        }
        _ => {
            let body = format!(
                r#"{{"contactId":"{}","pointShopItemPurchaseId":"{}","pointShopItemId":"{ITEM}"}}"#,
                fresh_id(number + 500_000),
                fresh_id(number)
            );
            let mut request = agent.post(format!("{}/api/v3/point-shop-items/purchase", order.base));
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let response = request.send(body).expect("a response").into_body().read_to_vec().expect("a body");
            let purchase: Purchase = serde_json::from_slice(&response).expect("a purchase");
            assert_eq!(purchase.status, "Completed");
        }
    });
}
