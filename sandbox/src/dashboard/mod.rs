//! The dashboard: a web page that shows a store live, arms faults and moves the clock.
//! The server renders the page, and a small script replaces the parts that changed.
//! Every form works without the script. The page loads nothing from other servers.

mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use serde_json::Value;

use crate::admin::ForStore;
use crate::api_mapping::Query;
use crate::app::App;
use crate::clock::Clock;
use crate::fault::{Effect, Fault, FaultResponse, Operation};
use crate::judge::{Case, Journal, judge};
use crate::store::Store;

/// Returns the dashboard's routes.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(dashboard))
        .route("/_sandbox/dashboard/parts", get(parts))
        .route(
            "/_sandbox/dashboard/style.css",
            get(async || text("text/css; charset=utf-8", include_str!("style.css"))),
        )
        .route(
            "/_sandbox/dashboard/script.js",
            get(async || text("text/javascript; charset=utf-8", include_str!("script.js"))),
        )
        .route("/_sandbox/dashboard/arm", post(arm))
        .route("/_sandbox/dashboard/clear-faults", post(clear_faults))
        .route("/_sandbox/dashboard/clock", post(set_clock))
        .route("/_sandbox/dashboard/judge", post(judge_till))
        .route("/_sandbox/dashboard/reset", post(reset))
        .with_state(Arc::clone(app))
}

/// A fault that one click arms. Its label ends the sentence "Engage processes it, but …".
struct Preset {
    /// The value of the form field `fault`.
    id: &'static str,
    /// Whether Engage processes the request.
    processed: bool,
    label: &'static str,
    effect: fn() -> Effect,
}

const PRESETS: [Preset; 10] = [
    Preset { id: "response-lost", processed: true, label: "the response is lost", effect: || Effect::CloseAfterCommit },
    Preset { id: "no-response", processed: true, label: "no response arrives", effect: || Effect::StallAfterCommit },
    Preset {
        id: "response-truncated",
        processed: true,
        label: "the response is truncated",
        effect: || Effect::Truncate { bytes: 200 },
    },
    Preset {
        id: "gateway-timeout",
        processed: true,
        label: "a gateway returns 504",
        effect: || Effect::StatusAfterCommit(FaultResponse::status(504)),
    },
    Preset { id: "slow", processed: true, label: "5 seconds late", effect: || Effect::Delay { ms: 5000 } },
    Preset {
        id: "request-lost",
        processed: false,
        label: "the connection is reset",
        effect: || Effect::ResetBeforeCommit,
    },
    Preset { id: "web-page", processed: false, label: "a web filter returns a page", effect: || Effect::Html },
    Preset {
        id: "server-error",
        processed: false,
        label: "Engage returns 500",
        effect: || Effect::Status(FaultResponse::status(500)),
    },
    Preset {
        id: "too-many",
        processed: false,
        label: "Engage returns 429",
        effect: || Effect::Status(FaultResponse::status(429)),
    },
    Preset {
        id: "unauthorized",
        processed: false,
        label: "Engage rejects the key",
        effect: || Effect::Status(FaultResponse::error(401, "Unauthorized")),
    },
];

/// A kind of request that a preset applies to.
struct Target {
    /// The value of the form field `operation`.
    id: &'static str,
    label: &'static str,
    operation: Operation,
}

const TARGETS: [Target; 6] = [
    Target { id: "purchase", label: "purchase", operation: Operation::Purchase },
    Target { id: "purchases", label: "purchase history", operation: Operation::Purchases },
    Target { id: "redeem", label: "redeem", operation: Operation::Redeem },
    Target { id: "rewards", label: "list of rewards", operation: Operation::Rewards },
    Target { id: "items", label: "list of items", operation: Operation::Items },
    Target { id: "any", label: "request", operation: Operation::Any },
];

type FormResult = Result<Response, FormError>;
type FormError = (StatusCode, &'static str);

fn text(media_type: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-cache")], text).into_response()
}

async fn dashboard(State(app): State<Arc<App>>, ForStore(store): ForStore) -> Response {
    let stores: Vec<String> = app.stores().iter().map(|store| store.api_key().to_owned()).collect();
    let html = view::dashboard(&store, &stores);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, html).into_response()
}

async fn parts(ForStore(store): ForStore) -> Response {
    let parts: serde_json::Map<String, Value> =
        view::parts(&store).into_iter().map(|(id, part)| (id.to_owned(), part.into_string().into())).collect();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], Value::from(parts).to_string()).into_response()
}

/// Parses a form that the dashboard itself sent. A page of another site must not arm faults.
fn form(headers: &HeaderMap, body: &Bytes) -> Result<Query, FormError> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(Query::parse(std::str::from_utf8(body).ok())),
        Some(_) => Err((StatusCode::FORBIDDEN, "the form comes from another site's page. Send it from the dashboard")),
    }
}

fn bad(why: &'static str) -> FormError {
    (StatusCode::BAD_REQUEST, why)
}

/// Redirects to the dashboard.
fn redirect(store: &Store) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, view::address("/", store.api_key()))]).into_response()
}

async fn arm(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let preset = form.get("fault").and_then(|id| PRESETS.iter().find(|preset| preset.id == id));
    let preset = preset.ok_or_else(|| bad("the field fault names no preset of the dashboard"))?;
    let target = form.get("operation").and_then(|name| TARGETS.iter().find(|target| target.id == name));
    let target = target.ok_or_else(|| bad("the field operation names no request of the dashboard"))?;
    let times = u32::from(form.get("times") != Some("0"));
    store.arm(Fault::on(target.operation, (preset.effect)()).times(times));
    Ok(redirect(&store))
}

async fn clear_faults(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    form(&headers, &body)?;
    store.clear_faults();
    Ok(redirect(&store))
}

async fn set_clock(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let ms: i64 = form
        .get("ms")
        .and_then(|ms| ms.parse().ok())
        .ok_or_else(|| bad("the field ms is not a number of milliseconds"))?;
    // 0 stands for the computer's time.
    store.set_clock(if ms == 0 { Clock::default() } else { store.clock().advanced(ms) });
    Ok(redirect(&store))
}

async fn judge_till(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let journal = Journal::from_json("", form.get("journal").unwrap_or_default().as_bytes());
    let judged = journal.map(|journal| {
        let (resolved, partial) = (form.get("resolved").is_some(), form.get("partial").is_some());
        judge(&Case { ledger: &store.ledger(), journals: &[journal], resolved, partial, attempts: None })
    });
    store.note_verdict(judged.map_err(|bad| bad.to_string()));
    Ok(redirect(&store))
}

async fn reset(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    form(&headers, &body)?;
    store.reset();
    Ok(redirect(&store))
}
