//! The `/_sandbox/...` routes: look into the store, change the circumstances, arm faults.
//! They need no key; bad input is answered 400 with what is wrong, in which field and on which line.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use hyper::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::api::json;
use crate::fault::Fault;
use crate::judge::{Case, Journal, judge};
use crate::seed::{BadJson, from_json};
use crate::state::{App, RateLimit};
use crate::store::{Invalid, Item, Member};

/// Whether a path is the sandbox's own, not Engage's.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/_sandbox/")
}

type Shared = State<Arc<App>>;
type Answered = Result<Response, Bad>;

/// The routes.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/_sandbox/health", get(health))
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/state", get(state))
        .route("/_sandbox/requests", get(requests))
        .route("/_sandbox/faults", get(faults).post(arm).delete(clear_faults))
        .route("/_sandbox/judge", post(judge_tills))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/clock", post(set_clock))
        .route("/_sandbox/limits", post(set_limits))
        .route("/_sandbox/members", post(add_member))
        .route("/_sandbox/items", post(add_item))
        .route("/_sandbox/{*rest}", any(unknown))
        .with_state(Arc::clone(app))
}

async fn health() -> Response {
    json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn ledger(State(app): Shared) -> Response {
    let state = &mut *app.state();
    let now = state.clock.now();
    json(StatusCode::OK, &json!(state.store.ledger(now)))
}

async fn state(State(app): Shared) -> Response {
    let state = &mut *app.state();
    let now = state.clock.now();
    let members: Value = state.store.accounts(now).map(|account| json!(account)).collect();
    let body = json!({
        "now": now,
        "clockOffsetMs": state.clock.offset_ms(),
        "requestsPerSecond": state.rate.limit(),
        "members": members,
        "items": state.store.items(),
        "purchases": state.store.purchases(now),
        "assignments": state.store.assignments(now),
    });
    json(StatusCode::OK, &body)
}

async fn requests(State(app): Shared) -> Response {
    let requests: Value = app.state().log.entries().iter().map(|entry| json!(entry)).collect();
    json(StatusCode::OK, &requests)
}

async fn judge_tills(State(app): Shared, body: Bytes) -> Answered {
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
    let state = &mut *app.state();
    let now = state.clock.now();
    let ledger = state.store.ledger(now);
    Ok(json(StatusCode::OK, &json!(judge(&Case { ledger, journals: &journals, settled, partial }))))
}

async fn faults(State(app): Shared) -> Response {
    json(StatusCode::OK, &json!(app.state().faults.armed()))
}

async fn arm(State(app): Shared, body: Bytes) -> Answered {
    let id = app.state().faults.arm(from_json::<Fault>(&body)?)?;
    Ok(json(StatusCode::CREATED, &json!({ "id": id })))
}

async fn clear_faults(State(app): Shared) -> StatusCode {
    app.clear_faults();
    StatusCode::NO_CONTENT
}

async fn reset(State(app): Shared) -> StatusCode {
    app.reset();
    StatusCode::NO_CONTENT
}

async fn set_clock(State(app): Shared, body: Bytes) -> Answered {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct SetClock {
        offset_ms: i64,
    }

    let SetClock { offset_ms } = from_json(&body)?;
    let mut state = app.state();
    state.clock.set_offset_ms(offset_ms);
    Ok(json(StatusCode::OK, &json!({ "offsetMs": offset_ms, "now": state.now() })))
}

async fn set_limits(State(app): Shared, body: Bytes) -> Answered {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct SetLimits {
        #[serde(deserialize_with = "given")]
        requests_per_second: Option<u32>,
    }

    /// `null` says something, a missing field does not.
    fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
        Option::deserialize(deserializer)
    }

    let SetLimits { requests_per_second } = from_json(&body)?;
    app.state().rate = RateLimit::new(requests_per_second);
    Ok(json(StatusCode::OK, &json!({ "requestsPerSecond": requests_per_second })))
}

async fn add_member(State(app): Shared, body: Bytes) -> Answered {
    let member: Member = from_json(&body)?;
    let answer = json!(member);
    app.state().store.add_member(member)?;
    Ok(json(StatusCode::CREATED, &answer))
}

async fn add_item(State(app): Shared, body: Bytes) -> Answered {
    let item: Item = from_json(&body)?;
    let answer = json!(item);
    app.state().store.add_item(item)?;
    Ok(json(StatusCode::CREATED, &answer))
}

async fn unknown() -> Response {
    json(StatusCode::NOT_FOUND, &json!({ "error": "no such route of the sandbox" }))
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
