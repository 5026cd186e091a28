//! The routes under `/_sandbox/`: they read a store, change its settings and arm faults.
//! The query parameter `store` or the header `x-sandbox-store` names the store by its key; the
//! default is the first store.
//! Invalid input has status 400 and a body that names the mistake, its field and its line.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::active::active;
use crate::api;
use crate::api_mapping::{ApiMapping, Query};
use crate::app::App;
use crate::clock::ClockChange;
use crate::fault::Fault;
use crate::judge::{Case, Journal, judge};
use crate::ledger::{Invalid, Item, Member};
use crate::magic;
use crate::script::Script;
use crate::seed::{BadJson, Seed, from_json};
use crate::store::{LimitsChange, Settings, Snapshot, Store};
use crate::tls::{Tls, TlsFault};
use crate::webhook::{Webhook, deliver};
use crate::world::{MemberDeparture, World};

/// Returns whether a path belongs to the sandbox, not to Engage.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/_sandbox/")
}

/// The store that a request of the sandbox's own routes is for.
pub(crate) struct ForStore(pub Arc<Store>);

impl FromRequestParts<Arc<App>> for ForStore {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<ForStore, Response> {
        let query = Query::parse(head.uri.query());
        let header = head.headers.get("x-sandbox-store").and_then(|key| key.to_str().ok());
        match query.get("store").or(header) {
            None => Ok(ForStore(Arc::clone(&app.first))),
            Some(key) => app.store(key).map(ForStore).ok_or_else(|| {
                json(
                    StatusCode::NOT_FOUND,
                    &json!({ "error": "no store has this key. See GET /_sandbox/stores", "field": "store" }),
                )
            }),
        }
    }
}

type AdminResult = Result<Response, BadRequest>;

/// Returns the sandbox's own routes.
pub(crate) fn routes(app: &Arc<App>, tls: &Arc<Tls>) -> Router {
    Router::new()
        .route("/_sandbox/health", get(health))
        .route("/_sandbox/openapi.json", get(openapi))
        .route("/_sandbox/status", get(status))
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/state", get(state))
        .route("/_sandbox/requests", get(requests))
        .route("/_sandbox/faults", get(faults).post(arm).delete(clear_faults))
        .route("/_sandbox/faults/{id}", delete(remove_fault))
        .route("/_sandbox/chaos", get(chaos).post(set_chaos))
        .route("/_sandbox/script", post(apply_script))
        .route("/_sandbox/webhook", get(webhook).post(set_webhook).delete(remove_webhook))
        .route("/_sandbox/tls", get(tls_faults).post(arm_tls).delete(clear_tls_faults))
        .route("/_sandbox/judge", post(judge_tills))
        .route("/_sandbox/magic", get(async || json(StatusCode::OK, &json!(magic::all()))))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/undo-reset", post(undo_reset))
        .route("/_sandbox/clock", get(clock).post(set_clock))
        .route("/_sandbox/snapshot", post(snapshot))
        .route("/_sandbox/restore", post(restore))
        .route("/_sandbox/limits", get(limits).post(set_limits))
        .route("/_sandbox/api-mapping", get(api_mapping).post(set_api_mapping))
        .route("/_sandbox/stores", get(stores).post(add_store).delete(remove_store))
        .route("/_sandbox/world", get(world).post(set_world))
        .route("/_sandbox/members", post(add_member))
        .route("/_sandbox/departures", post(depart))
        .route("/_sandbox/items", post(add_item))
        .route("/_sandbox/{*rest}", any(unknown))
        .layer(Extension(Arc::clone(tls)))
        .with_state(Arc::clone(app))
}

async fn health() -> Response {
    json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("../openapi.json"))
}

/// Everything active in words, and all settings.
async fn status(ForStore(store): ForStore, Extension(tls): Extension<Arc<Tls>>) -> Response {
    let body = json!({
        "active": active(&store, &tls),
        "canUndoReset": store.can_undo_reset(),
        "faults": store.faults(),
        "chaos": store.chaos(),
        "certificates": tls.armed(),
        "limits": limits_of(&store),
        "world": store.settings().world,
        "clock": clock_of(&store),
        "apiMapping": store.settings().api_mapping,
        "webhook": webhook_of(&store),
    });
    json(StatusCode::OK, &body)
}

async fn ledger(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.ledger()))
}

async fn state(ForStore(store): ForStore) -> Response {
    let state = &mut *store.state();
    let now = state.clock.now();
    let members: Value = state.ledger.accounts(now).map(|account| json!(account)).collect();
    let body = json!({
        "now": now,
        "clockOffsetMs": state.clock.offset_ms(),
        "clockFrozen": state.clock.is_frozen(),
        "requestsPerSecond": state.rate.limit(),
        "members": members,
        "items": state.ledger.items(),
        "purchases": state.ledger.purchases(now),
        "assignments": state.ledger.assignments(now),
    });
    json(StatusCode::OK, &body)
}

async fn requests(ForStore(store): ForStore, RawQuery(query): RawQuery) -> AdminResult {
    let query = Query::parse(query.as_deref());
    let after: u64 = match query.get("after") {
        None => 0,
        Some(seq) => seq.parse().map_err(|_| Invalid::new("after", "must be the number of a request"))?,
    };
    let state = store.state();
    let entries = state.log.entries().iter().filter(|entry| entry.seq > after);
    Ok(json(StatusCode::OK, &entries.map(|entry| json!(entry)).collect()))
}

async fn judge_tills(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Tills {
        journals: Vec<Journal>,
        #[serde(default)]
        resolved: bool,
        #[serde(default)]
        partial: bool,
    }

    let Tills { journals, resolved, partial } = from_json(&body)?;
    let verdict = judge(&Case { ledger: &store.ledger(), journals: &journals, resolved, partial, attempts: None });
    let created = json(StatusCode::OK, &json!(verdict));
    store.note_verdict(Ok(verdict));
    Ok(created)
}

async fn faults(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.faults()))
}

async fn arm(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    let id = store.state().faults.arm(from_json::<Fault>(&body)?)?;
    Ok(json(StatusCode::CREATED, &json!({ "id": id })))
}

async fn clear_faults(ForStore(store): ForStore) -> StatusCode {
    store.clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(ForStore(store): ForStore, Path(id): Path<String>) -> Response {
    let removed = id.parse().is_ok_and(|id| store.state().faults.remove(id));
    if removed {
        return StatusCode::NO_CONTENT.into_response();
    }
    json(
        StatusCode::NOT_FOUND,
        &json!({ "error": format!("no fault has the number {id}. The status lists the armed faults") }),
    )
}

async fn chaos(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.chaos()))
}

async fn set_chaos(store: ForStore, body: Bytes) -> AdminResult {
    store.0.set_chaos(from_json(&body)?)?;
    Ok(chaos(store).await)
}

async fn apply_script(ForStore(store): ForStore, Extension(tls): Extension<Arc<Tls>>, body: Bytes) -> AdminResult {
    let text = std::str::from_utf8(&body).map_err(|_| Invalid::new("", "the script is not UTF-8"))?;
    let script = Script::parse(text)?;
    apply(&store, &tls, script)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Applies a whole script: the store's part and the TLS faults.
pub(crate) fn apply(store: &Store, tls: &Tls, script: Script) -> Result<(), Invalid> {
    let faults = script.tls.clone();
    store.apply(script)?;
    tls.clear();
    for fault in faults {
        tls.arm(fault).map_err(|error| Invalid::new("tls", &format!("a certificate cannot be made: {error}")))?;
    }
    Ok(())
}

async fn webhook(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &webhook_of(&store))
}

fn webhook_of(store: &Store) -> Value {
    let Some(set) = store.webhook() else { return Value::Null };
    let mut webhook = json!(set.webhook);
    webhook["delivered"] = set.delivered.load(Ordering::Relaxed).into();
    webhook["failed"] = set.failed.load(Ordering::Relaxed).into();
    webhook
}

async fn set_webhook(store: ForStore, body: Bytes) -> AdminResult {
    if let Some(set) = store.0.set_webhook(Some(from_json::<Webhook>(&body)?))? {
        tokio::spawn(deliver(Arc::clone(&store.0), set));
    }
    Ok(webhook(store).await)
}

async fn remove_webhook(ForStore(store): ForStore) -> AdminResult {
    store.set_webhook(None)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn tls_faults(Extension(tls): Extension<Arc<Tls>>) -> Response {
    json(StatusCode::OK, &json!(tls.armed()))
}

async fn arm_tls(Extension(tls): Extension<Arc<Tls>>, body: Bytes) -> AdminResult {
    let fault = from_json::<TlsFault>(&body)?;
    tls.arm(fault).map_err(|error| Invalid::new("certificate", &format!("cannot be made: {error}")))?;
    Ok(StatusCode::CREATED.into_response())
}

async fn clear_tls_faults(Extension(tls): Extension<Arc<Tls>>) -> StatusCode {
    tls.clear();
    StatusCode::NO_CONTENT
}

async fn reset(ForStore(store): ForStore) -> StatusCode {
    store.reset();
    StatusCode::NO_CONTENT
}

async fn undo_reset(ForStore(store): ForStore) -> Response {
    if store.undo_reset() {
        return StatusCode::NO_CONTENT.into_response();
    }
    json(StatusCode::CONFLICT, &json!({ "error": "no reset can be undone" }))
}

async fn clock(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &clock_of(&store))
}

fn clock_of(store: &Store) -> Value {
    let clock = store.clock();
    json!({ "now": clock.now(), "offsetMs": clock.offset_ms(), "frozen": clock.is_frozen() })
}

async fn set_clock(store: ForStore, body: Bytes) -> AdminResult {
    let change: ClockChange = from_json(&body)?;
    store.0.set_clock(change.of(store.0.clock()));
    Ok(clock(store).await)
}

async fn set_limits(store: ForStore, body: Bytes) -> AdminResult {
    let change: LimitsChange = from_json(&body)?;
    store.0.set(|settings| change.change(settings))?;
    Ok(limits(store).await)
}

async fn limits(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &limits_of(&store))
}

fn limits_of(store: &Store) -> Value {
    let Settings { requests_per_second, redeem_gives_up_after_ms, .. } = store.settings();
    json!({ "requestsPerSecond": requests_per_second, "redeemGivesUpAfterMs": redeem_gives_up_after_ms })
}

async fn api_mapping(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.settings().api_mapping))
}

async fn set_api_mapping(store: ForStore, body: Bytes) -> AdminResult {
    store.0.set_api_mapping(from_json::<ApiMapping>(&body)?)?;
    Ok(api_mapping(store).await)
}

async fn snapshot(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.snapshot()))
}

async fn restore(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    store.restore(from_json::<Snapshot>(&body)?)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_member(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    let member: Member = from_json(&body)?;
    let created = json!(member);
    store.add_member(member)?;
    Ok(json(StatusCode::CREATED, &created))
}

async fn world(ForStore(store): ForStore) -> Response {
    json(StatusCode::OK, &json!(store.settings().world))
}

async fn set_world(store: ForStore, body: Bytes) -> AdminResult {
    store.0.set_world(from_json::<World>(&body)?);
    Ok(world(store).await)
}

async fn depart(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    store.depart(from_json::<MemberDeparture>(&body)?)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_item(ForStore(store): ForStore, body: Bytes) -> AdminResult {
    let item: Item = from_json(&body)?;
    let created = json!(item);
    store.add_item(item)?;
    Ok(json(StatusCode::CREATED, &created))
}

async fn stores(State(app): State<Arc<App>>) -> Response {
    let keys: Value = app.stores().iter().map(|store| json!({ "key": store.api_key() })).collect();
    json(StatusCode::OK, &keys)
}

async fn add_store(State(app): State<Arc<App>>, body: Bytes) -> AdminResult {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct AddStore {
        key: String,
        /// The default is the demo's seed.
        seed: Option<Seed>,
    }

    let AddStore { key, seed } = from_json(&body)?;
    app.add(&key, seed.unwrap_or_else(Seed::demo))?;
    Ok(json(StatusCode::CREATED, &json!({ "key": key })))
}

async fn remove_store(State(app): State<Arc<App>>, ForStore(store): ForStore) -> AdminResult {
    if store.api_key() == app.first.api_key() {
        return Err(Invalid::new("store", "is the first store, which cannot be removed").into());
    }
    app.remove(store.api_key());
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn unknown() -> Response {
    json(StatusCode::NOT_FOUND, &json!({ "error": "the sandbox has no such route. See GET /_sandbox/openapi.json" }))
}

fn json(status: StatusCode, body: &Value) -> Response {
    api::json(status, body).map(Body::from)
}

/// The JSON body of a status 400.
struct BadRequest(Value);

impl From<BadJson> for BadRequest {
    fn from(bad: BadJson) -> BadRequest {
        let mut body = json!({ "error": bad.why });
        if !bad.field.is_empty() {
            body["field"] = bad.field.into();
        }
        if bad.line > 0 {
            body["line"] = bad.line.into();
        }
        BadRequest(body)
    }
}

impl From<Invalid> for BadRequest {
    fn from(invalid: Invalid) -> BadRequest {
        BadRequest(json!({ "error": invalid.to_string(), "field": invalid.field }))
    }
}

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        json(StatusCode::BAD_REQUEST, &self.0)
    }
}
