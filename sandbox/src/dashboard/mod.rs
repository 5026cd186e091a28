//! The web page: what a store does, live, and its faults and clock at hand. Rendered here; a little script puts in what changed.
//! Every form works without the script. Nothing comes from elsewhere, and nothing that a till sends can become markup.

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
use serde_json::json;

use crate::admin::ForStore;
use crate::api_mapping::Query;
use crate::app::App;
use crate::clock::Clock;
use crate::fault::{Effect, Fault, FaultResponse, Operation};
use crate::judge::{Case, Journal, judge};
use crate::store::Store;

/// The routes.
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

/// A fault that is armed by a click. With its target it reads as a sentence: "Strike the next purchase: it is done, but the answer is lost".
struct Preset {
    /// Its name in a form.
    id: &'static str,
    /// Whether the store has done what was asked.
    done: bool,
    label: &'static str,
    effect: fn() -> Effect,
}

const PRESETS: [Preset; 10] = [
    Preset { id: "answer-lost", done: true, label: "the answer is lost", effect: || Effect::CloseAfterCommit },
    Preset { id: "silence", done: true, label: "no answer comes", effect: || Effect::StallAfterCommit },
    Preset { id: "answer-cut", done: true, label: "the answer breaks off", effect: || Effect::Truncate { bytes: 200 } },
    Preset {
        id: "gateway-timeout",
        done: true,
        label: "a gateway says 504",
        effect: || Effect::StatusAfterCommit(FaultResponse::status(504)),
    },
    Preset { id: "slow", done: true, label: "5 seconds late", effect: || Effect::Delay { ms: 5000 } },
    Preset { id: "request-lost", done: false, label: "the connection is reset", effect: || Effect::ResetBeforeCommit },
    Preset { id: "web-page", done: false, label: "a web page answers", effect: || Effect::Html },
    Preset {
        id: "server-error",
        done: false,
        label: "Engage says 500",
        effect: || Effect::Status(FaultResponse::status(500)),
    },
    Preset {
        id: "too-many",
        done: false,
        label: "Engage says 429",
        effect: || Effect::Status(FaultResponse::status(429)),
    },
    Preset {
        id: "key-refused",
        done: false,
        label: "the key is refused",
        effect: || Effect::Status(FaultResponse::error(401, "Unauthorized")),
    },
];

/// What a fault of the page can strike.
struct Target {
    /// Its name in a form.
    id: &'static str,
    label: &'static str,
    operation: Operation,
}

const TARGETS: [Target; 6] = [
    Target { id: "purchase", label: "purchase", operation: Operation::Purchase },
    Target { id: "purchases", label: "look at the history", operation: Operation::Purchases },
    Target { id: "redeem", label: "redeem", operation: Operation::Redeem },
    Target { id: "rewards", label: "look at the rewards", operation: Operation::Rewards },
    Target { id: "items", label: "look at the items", operation: Operation::Items },
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
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json!(view::parts(&store)).to_string())
        .into_response()
}

/// A form that was sent from the page itself: another site's page must not arm faults.
fn form(headers: &HeaderMap, body: &Bytes) -> Result<Query, FormError> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(Query::parse(std::str::from_utf8(body).ok())),
        Some(_) => Err((StatusCode::FORBIDDEN, "this form was sent from another site's page")),
    }
}

fn bad(why: &'static str) -> FormError {
    (StatusCode::BAD_REQUEST, why)
}

/// Back to the page.
fn back(store: &Store) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, view::address("/", store.api_key()))]).into_response()
}

async fn arm(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let preset = form.get("fault").and_then(|id| PRESETS.iter().find(|preset| preset.id == id));
    let preset = preset.ok_or_else(|| bad("there is no such fault"))?;
    let target = form.get("operation").and_then(|name| TARGETS.iter().find(|target| target.id == name));
    let target = target.ok_or_else(|| bad("there is no such request"))?;
    let times = u32::from(form.get("times") != Some("0"));
    store.arm(Fault::on(target.operation, (preset.effect)()).times(times));
    Ok(back(&store))
}

async fn clear_faults(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    form(&headers, &body)?;
    store.clear_faults();
    Ok(back(&store))
}

async fn set_clock(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let ms: i64 = form.get("ms").and_then(|ms| ms.parse().ok()).ok_or_else(|| bad("ms is not a number"))?;
    // By nothing: back to the computer's.
    store.set_clock(if ms == 0 { Clock::default() } else { store.clock().advanced(ms) });
    Ok(back(&store))
}

async fn judge_till(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    let form = form(&headers, &body)?;
    let journal = Journal::from_json("", form.get("journal").unwrap_or_default().as_bytes());
    let judged = journal.map(|journal| {
        let (resolved, partial) = (form.get("resolved").is_some(), form.get("partial").is_some());
        judge(&Case { ledger: &store.ledger(), journals: &[journal], resolved, partial })
    });
    store.note_verdict(judged.map_err(|bad| bad.to_string()));
    Ok(back(&store))
}

async fn reset(ForStore(store): ForStore, headers: HeaderMap, body: Bytes) -> FormResult {
    form(&headers, &body)?;
    store.reset();
    Ok(back(&store))
}
