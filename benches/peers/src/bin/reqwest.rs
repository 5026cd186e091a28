//! `reqwest`'s blocking client with its defaults and typed responses.

use engage_bench_peers::{ITEM, Order, What, fresh_id, measure, member};
use reqwest::blocking::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;

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
    let authority = reqwest::Certificate::from_der(&order.authority()).expect("an authority");
    let client = Client::builder().add_root_certificate(authority).user_agent("Fixture/1.0").build().expect("a client");
    let json = "application/json";
    measure(order.count, |number| match order.what {
        What::Items(items) => {
            let url = format!("{}/api/v3/point-shop-items?contactId={}", order.base, member(items));
            let request = client.get(url).header(CONTENT_TYPE, json).header(ACCEPT, json).header("apikey", "key");
            let body = request.send().and_then(|response| response.bytes()).expect("a response");
            let list: Vec<Item> = serde_json::from_slice(&body).expect("items");
            assert!(list.len() == items as usize && list.iter().all(|item| item.cost > 0 && !item.id.is_empty()));
        }
        _ => {
            let body = format!(
                r#"{{"contactId":"{}","pointShopItemPurchaseId":"{}","pointShopItemId":"{ITEM}"}}"#,
                fresh_id(number + 500_000),
                fresh_id(number)
            );
            let request = client.post(format!("{}/api/v3/point-shop-items/purchase", order.base)).body(body);
            let request = request.header(CONTENT_TYPE, json).header(ACCEPT, json).header("apikey", "key");
            let response = request.send().and_then(|response| response.bytes()).expect("a response");
            let purchase: Purchase = serde_json::from_slice(&response).expect("a purchase");
            assert_eq!(purchase.status, "Completed");
        }
    });
}
