//! The dashboard: web pages that show a store live, arm faults, change its settings, and sell with
//! a till.
//! The server renders the pages, and a small script replaces the parts that changed. Every form
//! works without the script. The pages load nothing from other servers.

mod actions;
mod controls;
mod page;
mod requests;
mod start;
mod store;
mod till;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use maud::Markup;
use serde_json::{Value, json};

use crate::admin::ForStore;
use crate::api_mapping::Query;
use crate::app::App;
use crate::store::Store;
use crate::tls::Tls;
use page::{At, Parts, Tab};

/// The styles: those of a certificate's report, which has the same look, and the dashboard's own.
const STYLE: &str = concat!(include_str!("style.css"), include_str!("dashboard.css"));

/// Returns the dashboard's routes.
pub(crate) fn routes(app: &Arc<App>, tls: &Arc<Tls>) -> Router {
    Router::new()
        .route("/", get(requests_page))
        .route("/_sandbox/dashboard/till", get(till_page))
        .route("/_sandbox/dashboard/store", get(store_page))
        .route("/_sandbox/dashboard/start", get(start_page))
        .route("/_sandbox/dashboard/request", get(request_panel))
        .route("/_sandbox/dashboard/parts", get(parts))
        .route("/_sandbox/dashboard/ca.pem", get(ca))
        .route("/_sandbox/dashboard/style.css", get(async || text("text/css; charset=utf-8", STYLE)))
        .route(
            "/_sandbox/dashboard/script.js",
            get(async || text("text/javascript; charset=utf-8", include_str!("script.js"))),
        )
        .merge(actions::routes())
        .layer(Extension(Arc::clone(tls)))
        .with_state(Arc::clone(app))
}

fn text(media_type: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-cache")], text).into_response()
}

async fn ca(Extension(tls): Extension<Arc<Tls>>) -> Response {
    ([(CONTENT_TYPE, "application/x-pem-file")], tls.ca_pem().to_owned()).into_response()
}

/// Returns a page. It may load the sandbox's own files only.
fn respond(html: Markup) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, html.into_string()).into_response()
}

/// What every page needs.
type Page = (State<Arc<App>>, Extension<Arc<Tls>>, ForStore);

async fn requests_page((State(app), Extension(tls), ForStore(store)): Page, RawQuery(query): RawQuery) -> Response {
    let at = At { key: store.api_key(), tab: Tab::Requests };
    let open = Query::parse(query.as_deref()).get("request").and_then(|seq| seq.parse().ok());
    let parts = common_parts(&app, &store, &tls);
    let content = requests::page(at, &store, &app, &parts, open);
    respond(page::shell(at, &app, &parts, &content))
}

async fn request_panel(ForStore(store): ForStore, RawQuery(query): RawQuery) -> Response {
    let at = At { key: store.api_key(), tab: Tab::Requests };
    let seq = Query::parse(query.as_deref()).get("seq").and_then(|seq| seq.parse().ok());
    match seq.and_then(|seq| requests::panel(at, &store, seq)) {
        Some(panel) => respond(panel),
        None => (StatusCode::NOT_FOUND, "the log does not hold this request any more").into_response(),
    }
}

async fn store_page((State(app), Extension(tls), ForStore(store)): Page) -> Response {
    let at = At { key: store.api_key(), tab: Tab::Store };
    let mut parts = common_parts(&app, &store, &tls);
    parts.extend(store::parts(&store));
    respond(page::shell(at, &app, &parts, &store::page(at, &parts)))
}

async fn start_page((State(app), Extension(tls), ForStore(store)): Page) -> Response {
    let at = At { key: store.api_key(), tab: Tab::Start };
    let parts = common_parts(&app, &store, &tls);
    respond(page::shell(at, &app, &parts, &start::page(at, &app)))
}

async fn till_page((State(app), Extension(tls), ForStore(store)): Page) -> Response {
    let at = At { key: store.api_key(), tab: Tab::Till };
    let mut parts = common_parts(&app, &store, &tls);
    parts.extend(till_parts(&app, &store).await);
    respond(page::shell(at, &app, &parts, &till::page(at, &store, &parts)))
}

/// Returns the parts of the till's page. Reading the journal blocks.
async fn till_parts(app: &Arc<App>, store: &Arc<Store>) -> Parts {
    let (app, store) = (Arc::clone(app), Arc::clone(store));
    let rendered = tokio::task::spawn_blocking(move || {
        let screen = app.till(&store).map(|till| till.screen());
        till::parts(&store, screen)
    });
    rendered.await.unwrap_or_default()
}

/// Returns the parts that every page has.
fn common_parts(app: &App, store: &Store, tls: &Tls) -> Parts {
    Parts::from([
        ("active", controls::active(store, tls)),
        ("clock", controls::clock_now(store)),
        ("guide", page::guide(app, store)),
    ])
}

/// Returns the changed parts of a page as JSON, and the new requests.
async fn parts((State(app), Extension(tls), ForStore(store)): Page, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    let mut parts = common_parts(&app, &store, &tls);
    let mut body = json!({});
    match Tab::named(query.get("page").unwrap_or_default()) {
        Tab::Requests => {
            let get = |name: &str| query.get(name).unwrap_or_default();
            let open = get("open").split(',').filter_map(|seq| seq.parse().ok()).collect();
            body["log"] = requests::log(&store, get("after").parse().unwrap_or(0), get("era"), &open);
        }
        Tab::Store => parts.extend(store::parts(&store)),
        Tab::Till => parts.extend(till_parts(&app, &store).await),
        Tab::Start => {}
    }
    let parts: serde_json::Map<String, Value> =
        parts.into_iter().map(|(id, part)| (id.to_owned(), part.into_string().into())).collect();
    body["parts"] = parts.into();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}
