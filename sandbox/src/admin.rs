//! The `/_sandbox/...` routes: look into a store, change its circumstances, arm faults. `?store=KEY` or the header
//! `x-sandbox-store` says which store, else the first; bad input is answered 400 with what is wrong, in which field and on which line.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api;
use crate::clock::ClockChange;
use crate::dialect::{Dialect, Query};
use crate::fault::Fault;
use crate::judge::{Case, Journal, judge};
use crate::magic;
use crate::script::Script;
use crate::seed::{BadJson, Seed, from_json};
use crate::state::App;
use crate::store::{Invalid, Item, Member};
use crate::tenant::{LimitsChange, Settings, Snapshot, Tenant};
use crate::tls::{Tls, TlsFault};
use crate::webhook::{Webhook, deliver};

/// Whether a path is the sandbox's own, not Engage's.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/_sandbox/")
}

/// The store that a request is for.
pub(crate) struct For(pub Arc<Tenant>);

impl FromRequestParts<Arc<App>> for For {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<For, Response> {
        let query = Query::parse(head.uri.query());
        let header = head.headers.get("x-sandbox-store").and_then(|key| key.to_str().ok());
        match query.get("store").or(header) {
            None => Ok(For(Arc::clone(&app.first))),
            Some(key) => app.tenant(key).map(For).ok_or_else(|| {
                json(StatusCode::NOT_FOUND, &json!({ "error": "no store has this key", "field": "store" }))
            }),
        }
    }
}

type Answered = Result<Response, Bad>;

/// The routes.
pub(crate) fn routes(app: &Arc<App>, tls: &Arc<Tls>) -> Router {
    Router::new()
        .route("/_sandbox/health", get(health))
        .route("/_sandbox/openapi.json", get(openapi))
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/state", get(state))
        .route("/_sandbox/requests", get(requests))
        .route("/_sandbox/faults", get(faults).post(arm).delete(clear_faults))
        .route("/_sandbox/chaos", get(chaos).post(set_chaos))
        .route("/_sandbox/script", post(apply_script))
        .route("/_sandbox/webhook", get(webhook).post(set_webhook).delete(remove_webhook))
        .route("/_sandbox/tls", get(tls_faults).post(arm_tls).delete(clear_tls_faults))
        .route("/_sandbox/judge", post(judge_tills))
        .route("/_sandbox/magic", get(async || json(StatusCode::OK, &json!(magic::all()))))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/clock", get(clock).post(set_clock))
        .route("/_sandbox/snapshot", post(snapshot))
        .route("/_sandbox/restore", post(restore))
        .route("/_sandbox/limits", get(limits).post(set_limits))
        .route("/_sandbox/dialect", get(dialect).post(set_dialect))
        .route("/_sandbox/stores", get(stores).post(add_store).delete(remove_store))
        .route("/_sandbox/members", post(add_member))
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

async fn ledger(For(tenant): For) -> Response {
    json(StatusCode::OK, &json!(tenant.ledger()))
}

async fn state(For(tenant): For) -> Response {
    let state = &mut *tenant.state();
    let now = state.clock.now();
    let members: Value = state.store.accounts(now).map(|account| json!(account)).collect();
    let body = json!({
        "now": now,
        "clockOffsetMs": state.clock.offset_ms(),
        "clockFrozen": state.clock.is_frozen(),
        "requestsPerSecond": state.rate.limit(),
        "members": members,
        "items": state.store.items(),
        "purchases": state.store.purchases(now),
        "assignments": state.store.assignments(now),
    });
    json(StatusCode::OK, &body)
}

async fn requests(For(tenant): For, RawQuery(query): RawQuery) -> Answered {
    let query = Query::parse(query.as_deref());
    let after: u64 = match query.get("after") {
        None => 0,
        Some(seq) => seq.parse().map_err(|_| Invalid::new("after", "is not the number of a request"))?,
    };
    let state = tenant.state();
    let entries = state.log.entries().iter().filter(|entry| entry.seq > after);
    Ok(json(StatusCode::OK, &entries.map(|entry| json!(entry)).collect()))
}

async fn judge_tills(For(tenant): For, body: Bytes) -> Answered {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Tills {
        journals: Vec<Journal>,
        #[serde(default)]
        settled: bool,
        #[serde(default)]
        partial: bool,
    }

    let Tills { journals, settled, partial } = from_json(&body)?;
    let verdict = judge(&Case { ledger: &tenant.ledger(), journals: &journals, settled, partial });
    let answer = json(StatusCode::OK, &json!(verdict));
    tenant.note_verdict(Ok(verdict));
    Ok(answer)
}

async fn faults(For(tenant): For) -> Response {
    json(StatusCode::OK, &json!(tenant.faults()))
}

async fn arm(For(tenant): For, body: Bytes) -> Answered {
    let id = tenant.state().faults.arm(from_json::<Fault>(&body)?)?;
    Ok(json(StatusCode::CREATED, &json!({ "id": id })))
}

async fn clear_faults(For(tenant): For) -> StatusCode {
    tenant.clear_faults();
    StatusCode::NO_CONTENT
}

async fn chaos(For(tenant): For) -> Response {
    json(StatusCode::OK, &json!(tenant.chaos()))
}

async fn set_chaos(tenant: For, body: Bytes) -> Answered {
    tenant.0.set_chaos(from_json(&body)?)?;
    Ok(chaos(tenant).await)
}

async fn apply_script(For(tenant): For, Extension(tls): Extension<Arc<Tls>>, body: Bytes) -> Answered {
    let text = std::str::from_utf8(&body).map_err(|_| Invalid::new("", "the script is not UTF-8"))?;
    let script = Script::parse(text)?;
    apply(&tenant, &tls, script)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Applies all of a script.
pub(crate) fn apply(tenant: &Tenant, tls: &Tls, script: Script) -> Result<(), Invalid> {
    let faults = script.tls.clone();
    tenant.apply(script)?;
    tls.clear();
    for fault in faults {
        tls.arm(fault).map_err(|error| Invalid::new("tls", &format!("no certificate can be made: {error}")))?;
    }
    Ok(())
}

async fn webhook(For(tenant): For) -> Response {
    let told = tenant.webhook().map(|set| {
        let mut told = json!(set.webhook);
        told["delivered"] = set.delivered.load(Ordering::Relaxed).into();
        told["failed"] = set.failed.load(Ordering::Relaxed).into();
        told
    });
    json(StatusCode::OK, &json!(told))
}

async fn set_webhook(tenant: For, body: Bytes) -> Answered {
    if let Some(set) = tenant.0.set_webhook(Some(from_json::<Webhook>(&body)?))? {
        tokio::spawn(deliver(Arc::clone(&tenant.0), set));
    }
    Ok(webhook(tenant).await)
}

async fn remove_webhook(For(tenant): For) -> Answered {
    tenant.set_webhook(None)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn tls_faults(Extension(tls): Extension<Arc<Tls>>) -> Response {
    json(StatusCode::OK, &json!(tls.armed()))
}

async fn arm_tls(Extension(tls): Extension<Arc<Tls>>, body: Bytes) -> Answered {
    let fault = from_json::<TlsFault>(&body)?;
    tls.arm(fault).map_err(|error| Invalid::new("certificate", &format!("cannot be made: {error}")))?;
    Ok(StatusCode::CREATED.into_response())
}

async fn clear_tls_faults(Extension(tls): Extension<Arc<Tls>>) -> StatusCode {
    tls.clear();
    StatusCode::NO_CONTENT
}

async fn reset(For(tenant): For) -> StatusCode {
    tenant.reset();
    StatusCode::NO_CONTENT
}

async fn clock(For(tenant): For) -> Response {
    let clock = tenant.clock();
    let body = json!({ "now": clock.now(), "offsetMs": clock.offset_ms(), "frozen": clock.is_frozen() });
    json(StatusCode::OK, &body)
}

async fn set_clock(tenant: For, body: Bytes) -> Answered {
    let change: ClockChange = from_json(&body)?;
    tenant.0.set_clock(change.of(tenant.0.clock()));
    Ok(clock(tenant).await)
}

async fn set_limits(tenant: For, body: Bytes) -> Answered {
    let change: LimitsChange = from_json(&body)?;
    tenant.0.set(|settings| change.change(settings))?;
    Ok(limits(tenant).await)
}

async fn limits(For(tenant): For) -> Response {
    let Settings { requests_per_second, redeem_gives_up_after_ms, .. } = tenant.settings();
    let body = json!({ "requestsPerSecond": requests_per_second, "redeemGivesUpAfterMs": redeem_gives_up_after_ms });
    json(StatusCode::OK, &body)
}

async fn dialect(For(tenant): For) -> Response {
    json(StatusCode::OK, &json!(tenant.settings().dialect))
}

async fn set_dialect(tenant: For, body: Bytes) -> Answered {
    tenant.0.set_dialect(from_json::<Dialect>(&body)?)?;
    Ok(dialect(tenant).await)
}

async fn snapshot(For(tenant): For) -> Response {
    json(StatusCode::OK, &json!(tenant.snapshot()))
}

async fn restore(For(tenant): For, body: Bytes) -> Answered {
    tenant.restore(from_json::<Snapshot>(&body)?)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_member(For(tenant): For, body: Bytes) -> Answered {
    let member: Member = from_json(&body)?;
    let answer = json!(member);
    tenant.add_member(member)?;
    Ok(json(StatusCode::CREATED, &answer))
}

async fn add_item(For(tenant): For, body: Bytes) -> Answered {
    let item: Item = from_json(&body)?;
    let answer = json!(item);
    tenant.add_item(item)?;
    Ok(json(StatusCode::CREATED, &answer))
}

async fn stores(State(app): State<Arc<App>>) -> Response {
    let keys: Value = app.tenants().iter().map(|tenant| json!({ "key": tenant.api_key() })).collect();
    json(StatusCode::OK, &keys)
}

async fn add_store(State(app): State<Arc<App>>, body: Bytes) -> Answered {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct AddStore {
        key: String,
        /// The demo's, if there is none.
        seed: Option<Seed>,
    }

    let AddStore { key, seed } = from_json(&body)?;
    app.add(&key, seed.unwrap_or_else(Seed::demo))?;
    Ok(json(StatusCode::CREATED, &json!({ "key": key })))
}

async fn remove_store(State(app): State<Arc<App>>, For(tenant): For) -> Answered {
    if tenant.api_key() == app.first.api_key() {
        return Err(Invalid::new("store", "is the first one, which stays").into());
    }
    app.remove(tenant.api_key());
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn unknown() -> Response {
    json(StatusCode::NOT_FOUND, &json!({ "error": "no such route of the sandbox" }))
}

fn json(status: StatusCode, body: &Value) -> Response {
    api::json(status, body).map(Body::from)
}

/// What is wrong with a request, as JSON.
struct Bad(Value);

impl From<BadJson> for Bad {
    fn from(bad: BadJson) -> Bad {
        let mut body = json!({ "error": bad.why });
        if !bad.field.is_empty() {
            body["field"] = bad.field.into();
        }
        if bad.line > 0 {
            body["line"] = bad.line.into();
        }
        Bad(body)
    }
}

impl From<Invalid> for Bad {
    fn from(invalid: Invalid) -> Bad {
        Bad(json!({ "error": invalid.to_string(), "field": invalid.field }))
    }
}

impl IntoResponse for Bad {
    fn into_response(self) -> Response {
        json(StatusCode::BAD_REQUEST, &self.0)
    }
}
