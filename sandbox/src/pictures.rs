//! The pictures of the demo's items, as SVG that the sandbox serves itself.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;

/// The pictures: name, background, and the shapes on it.
const PICTURES: [(&str, &str, &str); 5] = [
    (
        "cinnamon-bun",
        "#f3d9b1",
        r##"<circle cx="60" cy="60" r="38" fill="#b5763a"/><path d="M60 60a8 8 0 1 1 8 8 18 18 0 1 1-18-18 28 28 0 1 1 28 28" fill="none" stroke="#f7ead3" stroke-width="6" stroke-linecap="round"/>"##,
    ),
    (
        "discount",
        "#d5ecd8",
        r##"<circle cx="42" cy="42" r="14" fill="none" stroke="#1f6b3a" stroke-width="9"/><circle cx="78" cy="78" r="14" fill="none" stroke="#1f6b3a" stroke-width="9"/><path d="M84 34 36 86" stroke="#1f6b3a" stroke-width="9" stroke-linecap="round"/>"##,
    ),
    (
        "spa",
        "#d3e6f4",
        r##"<path d="M60 30c14 16 14 30 0 44-14-14-14-28 0-44z" fill="#2a6f97"/><path d="M24 52c20 0 32 8 36 24-20 2-32-6-36-24zm72 0c-20 0-32 8-36 24 20 2 32-6 36-24z" fill="#468faf"/><path d="M24 90h72" stroke="#2a6f97" stroke-width="6" stroke-linecap="round"/>"##,
    ),
    (
        "tasting",
        "#f4d9de",
        r##"<path d="M42 24h36c2 26-4 40-18 40S40 50 42 24z" fill="#8b1e3f"/><path d="M60 64v26M44 94h32" stroke="#5a1230" stroke-width="6" stroke-linecap="round"/>"##,
    ),
    (
        "car-wash",
        "#e4e0f3",
        r##"<path d="M22 78c0-16 6-18 16-18l8-14h28l8 14c10 0 16 2 16 18z" fill="#4b3f8f"/><circle cx="42" cy="80" r="9" fill="#241c52"/><circle cx="78" cy="80" r="9" fill="#241c52"/><path d="M36 22v10m24-14v12m24-8v10" stroke="#6c8fd6" stroke-width="6" stroke-linecap="round"/>"##,
    ),
];

/// The path of a picture by its name.
const FOLDER: &str = "/_sandbox/pictures/";

/// Returns the path of a picture.
pub(crate) fn path(name: &str) -> String {
    format!("{FOLDER}{name}.svg")
}

/// Returns the routes of the pictures.
pub(crate) fn routes() -> Router {
    Router::new().route("/_sandbox/pictures/{name}", get(picture))
}

async fn picture(Path(file): Path<String>) -> Response {
    let found = PICTURES.iter().find(|(name, ..)| file.strip_suffix(".svg") == Some(name));
    match found {
        None => StatusCode::NOT_FOUND.into_response(),
        Some((_, background, shapes)) => {
            let svg = format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" role="img"><rect width="120" height="120" rx="16" fill="{background}"/>{shapes}</svg>"#
            );
            ([(CONTENT_TYPE, "image/svg+xml")], svg).into_response()
        }
    }
}

/// The scheme, host and port of the sandbox's side of a connection, an extension of each request.
#[derive(Clone, Debug)]
pub(crate) struct Origin(pub std::sync::Arc<str>);

/// Returns the address of a picture for the client of this request.
pub(crate) fn address(head: &Parts, url: Option<&str>) -> Option<String> {
    let url = url?;
    match head.extensions.get::<Origin>() {
        Some(Origin(origin)) if url.starts_with(FOLDER) => Some(format!("{origin}{url}")),
        _ => Some(url.to_owned()),
    }
}
