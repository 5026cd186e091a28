//! The first page of a new user: the addresses, a configuration to copy, and the next steps.

use maud::{Markup, html};
use serde_json::json;

use super::page::{At, copy, section};
use crate::app::{App, Place};

/// Renders the page.
pub(super) fn page(at: At<'_>, app: &App) -> Markup {
    html! {
        h1 { "Start" }
        div.columns {
            div.column { (connect(at, app)) }
            div.column { (section("next", "What next", &next(at))) }
        }
    }
}

/// Renders the same for an empty list of requests.
pub(super) fn first_steps(at: At<'_>, app: &App) -> Markup {
    html! {
        h2 { "No request yet" }
        @if app.guide.get().is_none() { p { "Point a till at this sandbox, or sell with the " a href=(at.address("/_sandbox/dashboard/till")) { "till in the browser" } "." } }
        (connect(at, app))
    }
}

fn connect(at: At<'_>, app: &App) -> Markup {
    if app.guide.get().is_some() {
        return html! { p { "The certification at the top of the page names the configuration of the till." } };
    }
    let Some(place) = app.place.get() else { return html! {} };
    let ca = place.ca_file.display().to_string();
    let rows = [("URL", "url", &place.https), ("Root certificate", "ca", &ca), ("API key", "key", &at.key.to_owned())];
    html! {
        section aria-label="Addresses" {
            dl.connect {
                @for (name, id, value) in rows {
                    dt { (name) } dd { code id={ "start-" (id) } { (value) } (copy(&format!("start-{id}"), "Copy")) }
                }
            }
            p.quiet {
                "Without TLS: " code { (place.http) } " · "
                a href="/_sandbox/dashboard/ca.pem" download="engage-sandbox-ca.pem" { "Download the root certificate" }
            }
            (ca_in_a_file(place))
        }
        section aria-labelledby="h-config" {
            div.bar { h2 #h-config { "Configuration of a till" } (copy("start-config", "Copy")) }
            pre #start-config tabindex="0" { (config(place, at.key)) }
        }
    }
}

/// Renders how the root certificate gets into a file that stays.
fn ca_in_a_file(place: &Place) -> Markup {
    let curl = format!("curl -o ca.pem {}/_sandbox/dashboard/ca.pem", place.http);
    html! {
        p.quiet {
            @if place.ca_is_temporary {
                "The certificate's file is removed when the sandbox ends. For a file that stays, start with "
                code { "engage-sandbox --ca-out ca.pem" } "; with " code { "--ca-dir DIR" }
                " the certificate stays the same. Or copy it now: "
            } @else {
                "The certificate in another file: "
            }
            code #start-curl { (curl) } " " (copy("start-curl", "Copy"))
        }
    }
}

fn config(place: &Place, key: &str) -> String {
    let config = json!({
        "baseUrl": place.https,
        "apiKey": key,
        "caFile": std::path::absolute(&place.ca_file).unwrap_or_else(|_| place.ca_file.clone()),
        "userAgent": "MyTill/1.0",
        "journalPath": std::path::absolute("journal.db").unwrap_or_default(),
    });
    serde_json::to_string_pretty(&config).unwrap_or_default()
}

fn next(at: At<'_>) -> Markup {
    let till = at.address("/_sandbox/dashboard/till");
    html! {
        ol.steps {
            li { "Open a client with the configuration. It opens offline; the first call shows up under " a href=(at.address("/")) { "Requests" } "." }
            li { "Find Astrid: " code { "email astrid@example.com" } ", 1200 points. Buy her the free coffee for 100." }
            li { "Arm " b { "response-lost" } " and buy again. Engage deducts, and the response is lost; the library asks Engage, and the sale is completed, deducted once." }
            li { "See the same with the " a href=(till) { "till in the browser" } ", with the journal beside it." }
            li {
                "Certify the till: "
                code #start-certify { "engage-sandbox certify -- my-till --url {url} --ca {ca} --key {key} --journal {journal} --shown {shown} --contact {contact} --item {item} --reference {reference} --wait {wait}" }
                (copy("start-certify", "Copy"))
            }
        }
        p.quiet {
            "The same from a shell: " code { "engage-sandbox arm purchase response-lost" } ", " code { "status" } ", "
            code { "clear" } ", " code { "clock +1d" } ", " code { "tail" } ". "
            a href="/_sandbox/openapi.json" { "OpenAPI document" } "."
        }
    }
}
