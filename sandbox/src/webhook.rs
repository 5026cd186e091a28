//! The webhook `point.balance.updated`, for a listener on this computer. It can be signed, repeated
//! and reordered.
//! The envelope, the payload and the signature are documented. It is assumed that points held for a
//! purchase in progress count.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::clock::Time;
use crate::ledger::{BalanceChange, Invalid};
use crate::store::Store;

/// The timeout and the number of attempts of a delivery.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 5;
/// The interval between two checks of the store, and the time that a single event waits for another
/// to swap with.
const INTERVAL: Duration = Duration::from_millis(20);
const SWAP_WAIT: Duration = Duration::from_secs(2);

/// The receiver of balance changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// An `http://` URL with an address of this computer.
    pub url: String,
    /// The number of additional deliveries of each event.
    #[serde(default)]
    pub repeat: u32,
    /// Whether two events are swapped.
    #[serde(default)]
    pub reorder: bool,
    /// `whsec_` and the signing secret in Base64. Without it nothing is signed.
    #[serde(default, skip_serializing)]
    pub secret: Option<String>,
}

impl Webhook {
    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        self.target()?;
        self.key().map(|_| ())
    }

    fn target(&self) -> Result<(SocketAddr, Uri), Invalid> {
        let wrong =
            || Invalid::new("url", "must be http:// and an address of this computer, like http://127.0.0.1:8080/hook");
        let uri: Uri = self.url.parse().map_err(|_| wrong())?;
        let host = match uri.host().map(|host| host.trim_matches(['[', ']'])) {
            Some("localhost") => IpAddr::from([127, 0, 0, 1]),
            Some(host) => host.parse().map_err(|_| wrong())?,
            None => return Err(wrong()),
        };
        if uri.scheme_str() != Some("http") || !host.is_loopback() {
            return Err(wrong());
        }
        Ok((SocketAddr::new(host, uri.port_u16().unwrap_or(80)), uri))
    }

    fn key(&self) -> Result<Option<hmac::Key>, Invalid> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let bytes = secret.strip_prefix("whsec_").and_then(|secret| BASE64_STANDARD.decode(secret).ok());
        let bytes = bytes.ok_or_else(|| Invalid::new("secret", "must be whsec_ and Base64"))?;
        Ok(Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// A webhook that is set, and its counters.
#[derive(Debug)]
pub(crate) struct Set {
    pub webhook: Webhook,
    pub delivered: AtomicU64,
    pub failed: AtomicU64,
}

/// Delivers balance changes until another webhook is set or the webhook is removed.
pub(crate) async fn deliver(store: Arc<Store>, set: Arc<Set>) {
    let (Ok((address, uri)), Ok(key)) = (set.webhook.target(), set.webhook.key()) else { return };
    let sender = Sender { address, uri, key };
    let mut waiting: Vec<Event> = Vec::new();
    let mut since = Instant::now();
    loop {
        let Some(changes) = store.balance_changes(&set) else { return };
        if waiting.is_empty() {
            since = Instant::now();
        }
        waiting.extend(changes.into_iter().map(|change| Event::of(change, store.api_key())));
        if set.webhook.reorder && waiting.len() < 2 && since.elapsed() < SWAP_WAIT {
            tokio::time::sleep(INTERVAL).await;
            continue;
        }
        if set.webhook.reorder {
            waiting.reverse();
        }
        for event in waiting.drain(..) {
            for _ in 0..=set.webhook.repeat {
                let count = if sender.send(&event).await { &set.delivered } else { &set.failed };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A balance change to deliver.
struct Event {
    id: String,
    at: Time,
    body: Bytes,
}

impl Event {
    fn of(change: BalanceChange, store: &str) -> Event {
        let BalanceChange { contact_id, balance, at } = change;
        let id = format!("msg_{}", Uuid::new_v4().simple());
        // The documentation has an integer here. The account's own id may be a GUID.
        let account = contact_id.as_u128() & 0x7fff_ffff;
        let body = json!({
            "eventType": "point.balance.updated",
            "id": id,
            "isEncrypted": false,
            "payload": {
                "balance": f64::from(balance),
                "contactId": contact_id,
                "accountId": u32::try_from(account).unwrap_or_default(),
                "definitionId": "1",
                "balanceExpires": null,
            },
            "tenant": store,
        });
        Event { id, at, body: Bytes::from(body.to_string()) }
    }
}

struct Sender {
    address: SocketAddr,
    uri: Uri,
    key: Option<hmac::Key>,
}

impl Sender {
    /// Sends an event until the receiver accepts it or the attempts are used up.
    async fn send(&self, event: &Event) -> bool {
        for attempt in 0..ATTEMPTS {
            if matches!(timeout(TIMEOUT, self.attempt(event)).await, Ok(Ok(true))) {
                return true;
            }
            tokio::time::sleep(INTERVAL * 2_u32.pow(attempt)).await;
        }
        false
    }

    async fn attempt(&self, event: &Event) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = client.send_request(self.request(event)?).await?;
        let accepted = response.status().is_success();
        let _ = response.into_body().collect().await;
        connection.abort();
        Ok(accepted)
    }

    fn request(&self, event: &Event) -> hyper::http::Result<Request<Full<Bytes>>> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let timestamp = event.at.millis() / 1000;
        let mut request = Request::post(path)
            .header(HOST, self.uri.authority().map_or("localhost", |authority| authority.as_str()))
            .header(CONTENT_TYPE, "application/json")
            .header("svix-id", &event.id)
            .header("svix-timestamp", timestamp);
        if let Some(key) = &self.key {
            let mut signing = hmac::Context::with_key(key);
            signing.update(format!("{}.{timestamp}.", event.id).as_bytes());
            signing.update(&event.body);
            let signature = BASE64_STANDARD.encode(signing.sign());
            request = request.header("svix-signature", format!("v1,{signature}"));
        }
        request.body(Full::new(event.body.clone()))
    }
}
