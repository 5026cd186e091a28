//! The dashboard's forms. Each returns a redirect to the page that has sent it, or to the script of
//! the page a text: what has changed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION};

use super::controls::OPERATIONS;
use super::page::{At, Tab};
use crate::active::{Active, RESET, RESET_UNDONE, active, changes, operation_name};
use crate::admin::ForStore;
use crate::api_mapping::Query;
use crate::app::App;
use crate::clock::{Clock, ClockChange};
use crate::effects::{CERTIFICATES, named};
use crate::fault::Fault;
use crate::judge::{Case, Journal, judge};
use crate::store::Store;
use crate::till::Till;
use crate::tls::{Tls, TlsFault};
use crate::world::World;

/// Returns the routes of the forms.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/_sandbox/dashboard/arm", post(arm))
        .route("/_sandbox/dashboard/clear", post(clear))
        .route("/_sandbox/dashboard/chaos", post(end_chaos))
        .route("/_sandbox/dashboard/certificate", post(arm_certificate))
        .route("/_sandbox/dashboard/clear-certificates", post(clear_certificates))
        .route("/_sandbox/dashboard/clock", post(set_clock))
        .route("/_sandbox/dashboard/limit", post(set_limit))
        .route("/_sandbox/dashboard/world", post(set_world))
        .route("/_sandbox/dashboard/api-mapping", post(reset_api_mapping))
        .route("/_sandbox/dashboard/webhook", post(remove_webhook))
        .route("/_sandbox/dashboard/reset", post(reset))
        .route("/_sandbox/dashboard/undo-reset", post(undo_reset))
        .route("/_sandbox/dashboard/judge", post(judge_till))
        .route("/_sandbox/dashboard/guide", post(choice))
        .route("/_sandbox/dashboard/till-find", post(till_find))
        .route("/_sandbox/dashboard/till-buy", post(till_buy))
        .route("/_sandbox/dashboard/till-press-again", post(till_press_again))
        .route("/_sandbox/dashboard/till-print", post(till_print))
        .route("/_sandbox/dashboard/till-redeem", post(till_redeem))
        .route("/_sandbox/dashboard/till-restart", post(till_restart))
}

type FormResult = Result<Response, FormError>;
type FormError = (StatusCode, String);

/// A form that the dashboard has sent, and the store that it is about.
pub(super) struct Form {
    app: Arc<App>,
    tls: Arc<Tls>,
    store: Arc<Store>,
    fields: Query,
    tab: Tab,
    /// Everything active before, if the page's script has sent the form.
    before: Option<Vec<Active>>,
}

impl Form {
    fn get(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// Redirects to the page of the form, or returns the changes to the script.
    fn done(&self) -> Response {
        self.did(None)
    }

    /// The same, and says first what was done, whatever was active.
    fn did(&self, what: Option<&str>) -> Response {
        match &self.before {
            Some(before) => changes(what, before, &active(&self.store, &self.tls)).join(". ").into_response(),
            None => self.back(),
        }
    }

    /// Redirects to the page of the form. It shows the result.
    fn back(&self) -> Response {
        if self.before.is_some() {
            return StatusCode::OK.into_response();
        }
        let at = At { key: self.store.api_key(), tab: self.tab };
        (StatusCode::SEE_OTHER, [(LOCATION, at.address(self.tab.path()))]).into_response()
    }

    /// Calls the till, which blocks, and redirects.
    async fn till(self, call: impl FnOnce(&Till, &Form) -> Result<(), String> + Send + 'static) -> FormResult {
        let called = tokio::task::spawn_blocking(move || {
            let till = self.app.till(&self.store)?;
            call(&till, &self).map(|()| self.back())
        });
        let failed = |why: String| (StatusCode::CONFLICT, why);
        called.await.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Response;

    /// Parses a form that the dashboard itself sent. A page of another site must not arm faults.
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Form, Response> {
        let (mut head, body) = request.into_parts();
        let ForStore(store) = ForStore::from_request_parts(&mut head, app).await?;
        if !is_own(&head.headers) {
            let why = "the form comes from another site's page. Send it from the dashboard";
            return Err((StatusCode::FORBIDDEN, why).into_response());
        }
        let tls = head.extensions.get::<Arc<Tls>>().cloned();
        let tls = tls.ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        let is_script = head.headers.get(ACCEPT).is_some_and(|accepted| accepted == "text/plain");
        let before = is_script.then(|| active(&store, &tls));
        let tab = Tab::named(Query::parse(head.uri.query()).get("page").unwrap_or_default());
        let request = Request::from_parts(head, body);
        let body = Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        let fields = Query::parse(std::str::from_utf8(&body).ok());
        Ok(Form { app: Arc::clone(app), tls, store, fields, tab, before })
    }
}

fn is_own(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

fn bad(why: &str) -> FormError {
    (StatusCode::BAD_REQUEST, why.to_owned())
}

async fn arm(form: Form) -> FormResult {
    let effect = named(form.get("fault")).ok_or_else(|| bad("the field fault names no effect"))?;
    let operation = OPERATIONS.into_iter().find(|operation| operation_name(*operation) == form.get("operation"));
    let operation = operation.ok_or_else(|| bad("the field operation names no kind of request"))?;
    let times = form.get("times").parse().map_err(|_| bad("the field times is not a number"))?;
    form.store.arm(Fault::on(operation, effect.effect()).times(times));
    Ok(form.done())
}

/// Disarms one fault, or every fault and chaos.
async fn clear(form: Form) -> FormResult {
    match form.get("id") {
        "" => form.store.clear_faults(),
        id => {
            let id = id.parse().map_err(|_| bad("the field id is not the number of a fault"))?;
            form.store.state().faults.remove(id);
        }
    }
    Ok(form.done())
}

async fn end_chaos(form: Form) -> FormResult {
    form.store.set_chaos(None).map_err(|invalid| bad(&invalid.to_string()))?;
    Ok(form.done())
}

async fn arm_certificate(form: Form) -> FormResult {
    let certificate = CERTIFICATES.iter().find(|(name, ..)| *name == form.get("certificate"));
    let (_, certificate, _) = certificate.ok_or_else(|| bad("the field certificate names no certificate"))?;
    let armed = form.tls.arm(TlsFault { certificate: *certificate, connections: 1 });
    armed.map_err(|error| bad(&format!("a certificate cannot be made: {error}")))?;
    Ok(form.done())
}

async fn clear_certificates(form: Form) -> FormResult {
    form.tls.clear();
    Ok(form.done())
}

async fn set_clock(form: Form) -> FormResult {
    let change: ClockChange = form.get("change").parse().map_err(|()| bad("the field change names no time"))?;
    let is_now = form.get("change") == "now";
    form.store.set_clock(if is_now { Clock::default() } else { change.of(form.store.clock()) });
    Ok(form.done())
}

async fn set_limit(form: Form) -> FormResult {
    let start = form.store.start_settings();
    if form.get("redeem") == "start" {
        let changed = form.store.set(|settings| settings.redeem_gives_up_after_ms = start.redeem_gives_up_after_ms);
        changed.map_err(|invalid| bad(&invalid.to_string()))?;
        return Ok(form.done());
    }
    let limit = match form.get("rate") {
        "start" => start.requests_per_second,
        "off" => None,
        rate => {
            let number = rate.strip_suffix("/s").unwrap_or(rate).parse();
            Some(number.map_err(|_| bad("the field rate is not a number of requests a second"))?)
        }
    };
    form.store.set_requests_per_second(limit);
    Ok(form.done())
}

async fn set_world(form: Form) -> FormResult {
    let world = World::named(form.get("name")).ok_or_else(|| bad("the field name names no world"))?;
    form.store.set_world(world);
    Ok(form.done())
}

async fn reset_api_mapping(form: Form) -> FormResult {
    let changed = form.store.set_api_mapping(form.store.start_settings().api_mapping);
    changed.map_err(|invalid| bad(&invalid.to_string()))?;
    Ok(form.done())
}

async fn remove_webhook(form: Form) -> FormResult {
    form.store.set_webhook(None).map_err(|invalid| bad(&invalid.to_string()))?;
    Ok(form.done())
}

async fn reset(form: Form) -> FormResult {
    form.store.reset();
    Ok(form.did(Some(RESET)))
}

async fn undo_reset(form: Form) -> FormResult {
    Ok(form.did(form.store.undo_reset().then_some(RESET_UNDONE)))
}

async fn judge_till(form: Form) -> FormResult {
    let journal = Journal::from_json("", form.get("journal").as_bytes());
    let judged = journal.map(|journal| {
        let is_given = |name: &str| form.fields.get(name).is_some();
        let (resolved, partial) = (is_given("resolved"), is_given("partial"));
        judge(&Case { ledger: &form.store.ledger(), journals: &[journal], resolved, partial, attempts: None })
    });
    form.store.note_verdict(judged.map_err(|bad| bad.to_string()));
    Ok(form.back())
}

/// Takes the choice of a person at a real till.
async fn choice(form: Form) -> FormResult {
    let number = form.get("question").parse().map_err(|_| bad("the field question is not a number"))?;
    let taken = form.app.guide.get().is_some_and(|terminal| terminal.choice(number, form.get("choice")));
    if taken {
        Ok(form.back())
    } else {
        Err((StatusCode::CONFLICT, "the question has another choice already".to_owned()))
    }
}

async fn till_find(form: Form) -> FormResult {
    form.till(|till, form| till.find(form.get("member"))).await
}

async fn till_buy(form: Form) -> FormResult {
    form.till(|till, form| till.buy(form.get("item"))).await
}

async fn till_press_again(form: Form) -> FormResult {
    form.till(|till, _| till.press_again()).await
}

async fn till_print(form: Form) -> FormResult {
    form.till(|till, form| till.print(form.get("operation"))).await
}

async fn till_redeem(form: Form) -> FormResult {
    form.till(|till, _| till.redeem()).await
}

async fn till_restart(form: Form) -> FormResult {
    form.till(|till, _| till.restart()).await
}
