//! Engage's routes: HTTP and JSON on one side, the store on the other.
//! What Voyado documents is here; what the public documentation leaves open is in [`assumptions`] alone.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{StatusCode, Uri};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault::Operation;
use crate::log::KeySeen;
use crate::state::App;
use crate::store::{Bought, Channel, NotRedeemed, Refused, SearchKey};

type Shared = State<Arc<App>>;
type Answered = Result<Response, Refusal>;

/// The routes, with the rules that hold for all of them.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v3/point-shop-items", get(items))
        .route("/api/v3/point-shop-items/purchase", post(purchase))
        .route("/api/v3/point-shop-item-purchases", get(purchases))
        .route("/api/v3/promotion-assignments/{assignment_id}/redeem", post(redeem))
        .route("/api/v3/contacts/id", get(contacts))
        .route("/api/v3/point-accounts", get(points))
        .route("/api/v2/contacts/{contact_id}/promotions", get(rewards_v2))
        .route(assumptions::REWARDS_PATH, get(rewards_v3))
        .route_layer(middleware::from_fn_with_state(Arc::clone(app), base_rules))
        .with_state(Arc::clone(app))
}

/// The key that a request carries, judged.
pub(crate) fn key_seen(app: &App, headers: &HeaderMap) -> KeySeen {
    match headers.get("apikey").or_else(|| headers.get("x-api-key")) {
        None => KeySeen::Missing,
        Some(key) if key.as_bytes() == app.key.as_bytes() => KeySeen::Right,
        Some(_) => KeySeen::Wrong,
    }
}

/// The purchase id and the contact that a request names.
pub(crate) fn subjects(
    app: &App,
    operation: Option<Operation>,
    uri: &Uri,
    body: &[u8],
) -> (Option<Uuid>, Option<Uuid>) {
    let step = |n: usize| uri.path().split('/').nth(n).and_then(|step| Uuid::parse_str(step).ok());
    match operation {
        Some(Operation::Purchase) => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            (guid(&body, "pointShopItemPurchaseId").ok(), guid(&body, "contactId").ok())
        }
        Some(Operation::Redeem) => (None, step(4).and_then(|assignment| app.state().store.owner_of(assignment))),
        Some(Operation::Rewards) if uri.path().starts_with("/api/v2/") => (None, step(4)),
        _ => (None, Query::parse(uri.query()).get("contactId").and_then(|id| Uuid::parse_str(id).ok())),
    }
}

/// What Engage asks of every request, in the order in which it is checked.
async fn base_rules(State(app): Shared, request: Request, next: Next) -> Answered {
    let headers = request.headers();
    if key_seen(&app, headers) != KeySeen::Right {
        return Err(assumptions::unauthorized());
    }
    if headers.get(USER_AGENT).is_none_or(|agent| agent.as_bytes().trim_ascii().is_empty()) {
        return Err(assumptions::user_agent_missing());
    }
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err(Refusal::plain(StatusCode::INTERNAL_SERVER_ERROR, "An error has occurred"));
    }
    if !app.state().rate.accepts(Instant::now()) {
        return Err(Refusal::plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests"));
    }
    Ok(next.run(request).await)
}

fn is_json(content_type: &HeaderValue) -> bool {
    let media_type = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

async fn items(State(app): Shared, RawQuery(query): RawQuery) -> Answered {
    let contact = Query::parse(query.as_deref()).contact()?;
    let state = &mut *app.state();
    let now = state.clock.now();
    let items = state.store.items_for(now, contact).ok_or_else(invalid_contact)?;
    let items = items.map(|item| {
        json!({
            "id": item.id,
            "name": item.name,
            "cost": item.cost,
            "pointDefinitionId": item.point_definition_id,
            "promotionId": item.promotion_id,
            "validFrom": item.valid_from,
            "validTo": item.valid_to,
            "presentation": item.presentation,
        })
    });
    Ok(json(StatusCode::OK, &items.collect()))
}

async fn purchase(State(app): Shared, body: Bytes) -> Answered {
    let body = object(&body)?;
    let contact = guid(&body, "contactId")?;
    let purchase_id = guid(&body, "pointShopItemPurchaseId")?;
    let item = guid(&body, assumptions::ITEM_ID)?;

    let state = &mut *app.state();
    let now = state.clock.now();
    match state.store.purchase(now, contact, purchase_id, item) {
        Ok(Bought::New(purchase) | Bought::Existing(purchase)) => {
            Ok(json(StatusCode::OK, &assumptions::purchase(purchase)))
        }
        Ok(Bought::TimedOut) => Err(Refusal::coded(
            StatusCode::CONFLICT,
            "PointShopItemPurchaseProcessingTimedOut",
            "The purchase is still being processed",
        )),
        Ok(Bought::Failed) => {
            Err(Refusal::coded(StatusCode::CONFLICT, "PointShopItemPurchaseFailed", "The purchase failed"))
        }
        Err(refused) => Err(refused.into()),
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        let bad = |code, message| Refusal::coded(StatusCode::BAD_REQUEST, code, message);
        match refused {
            Refused::ContactNotFound => bad("PromotionAssignmentContactNotFound", "The contact does not exist"),
            Refused::PromotionRemoved => bad("PromotionAssignmentPromotionNotFound", "The promotion does not exist"),
            Refused::PromotionExpired => bad("PromotionAssignmentPromotionExpired", "The promotion has expired"),
            Refused::PurchaseIdOfAnotherContact => {
                Refusal::plain(StatusCode::BAD_REQUEST, "Invalid request: the purchase id belongs to another contact")
            }
            Refused::ItemNotFound => Refusal::plain(StatusCode::NOT_FOUND, "The point shop item does not exist"),
            Refused::NotOnSale => assumptions::unprocessable("The item cannot be bought at this time"),
            Refused::NotEligible => assumptions::unprocessable("The contact is not eligible for the item"),
            Refused::OutOfStock => assumptions::unprocessable("The item is out of stock"),
            Refused::NotEnoughPoints => assumptions::unprocessable("The contact has not enough points"),
        }
    }
}

async fn purchases(State(app): Shared, RawQuery(query): RawQuery) -> Answered {
    let contact = Query::parse(query.as_deref()).contact()?;
    let state = &mut *app.state();
    let now = state.clock.now();
    let purchases = state.store.purchases_of(now, contact).ok_or_else(invalid_contact)?;
    let purchases: Vec<Value> = purchases.map(assumptions::purchase).collect();
    if purchases.is_empty() {
        return Err(Refusal::plain(StatusCode::NOT_FOUND, "No purchases found or invalid reference"));
    }
    Ok(json(StatusCode::OK, &purchases.into()))
}

async fn rewards_v3(State(app): Shared, RawQuery(query): RawQuery) -> Answered {
    let query = Query::parse(query.as_deref());
    rewards(&app, query.contact()?, &query)
}

async fn rewards_v2(State(app): Shared, Path(contact): Path<String>, RawQuery(query): RawQuery) -> Answered {
    let contact = Uuid::parse_str(&contact).map_err(|_| invalid_contact())?;
    rewards(&app, contact, &Query::parse(query.as_deref()))
}

fn rewards(app: &App, contact: Uuid, query: &Query) -> Answered {
    let channel = match query.get("redemptionChannelType") {
        None => None,
        Some(name) => Some(Channel::parse(name).ok_or_else(not_a_channel)?),
    };
    let state = &mut *app.state();
    let now = state.clock.now();
    let rewards = state.store.rewards_of(now, contact).ok_or_else(invalid_contact)?;
    let rewards = rewards
        .filter(|(_, item)| {
            channel.is_none_or(|wanted| item.reward.redemption_channels.iter().any(|other| other.channel == wanted))
        })
        .map(|(assignment, item)| assumptions::reward(assignment, item));
    Ok(json(StatusCode::OK, &rewards.collect()))
}

async fn redeem(State(app): Shared, Path(assignment): Path<String>, body: Bytes) -> Answered {
    let body = object(&body)?;
    let channel = body["redemptionChannel"].as_str().and_then(Channel::parse).ok_or_else(not_a_channel)?;
    let not_found = || Refusal::coded(StatusCode::NOT_FOUND, "PromotionNotFound", "The promotion does not exist");
    let assignment = Uuid::parse_str(&assignment).map_err(|_| not_found())?;

    let state = &mut *app.state();
    let now = state.clock.now();
    let redeemed = state.store.redeem(now, assignment, channel).cloned().map_err(|why| match why {
        NotRedeemed::NotFound => not_found(),
        NotRedeemed::AlreadyRedeemed => {
            Refusal::coded(StatusCode::CONFLICT, "PromotionAlreadyRedeemed", "The promotion is already redeemed")
        }
        NotRedeemed::OtherChannel => Refusal::coded(
            StatusCode::CONFLICT,
            "PromotionNotValidForRedemptionChannel",
            "The promotion is not valid for the redemption channel",
        ),
    })?;
    Ok(json(StatusCode::OK, &assumptions::reward(&redeemed, state.store.item_of(&redeemed))))
}

async fn contacts(State(app): Shared, RawQuery(query): RawQuery) -> Answered {
    const KEYS: [(&str, SearchKey, &str); 5] = [
        ("email", SearchKey::Email, "InvalidEmailAddress"),
        ("mobilePhone", SearchKey::MobilePhone, "InvalidPhoneNumber"),
        ("socialSecurityNumber", SearchKey::SocialSecurityNumber, "InvalidSocialSecurityNumber"),
        ("customKey", SearchKey::CustomKey, "InvalidSearchQuery"),
        ("any", SearchKey::Any, "InvalidSearchQuery"),
    ];
    let bad = |code, message| Refusal::coded(StatusCode::BAD_REQUEST, code, message);
    let query = Query::parse(query.as_deref());
    let mut given = KEYS.iter().filter_map(|(name, key, code)| Some((key, code, query.get(name)?)));
    let (Some((key, code, value)), None) = (given.next(), given.next()) else {
        return Err(bad("InvalidSearchQuery", "Search by exactly one key"));
    };
    if !key.accepts(value) {
        return Err(bad(code, "The value has the wrong form"));
    }
    let of_type = match query.get("contactType") {
        None => true,
        Some(kind) if kind.eq_ignore_ascii_case("Member") => true,
        Some(kind) if kind.eq_ignore_ascii_case("Contact") => false,
        Some(_) => return Err(bad("InvalidContactType", "The contact type does not exist")),
    };
    let found = if of_type { app.state().store.find(*key, value) } else { Vec::new() };
    match found[..] {
        [] => Err(Refusal::coded(StatusCode::NOT_FOUND, "ContactNotFound", "No contact matches")),
        [contact] => Ok(json(StatusCode::OK, &json!(contact))),
        _ => Err(Refusal::coded(StatusCode::CONFLICT, "MultipleMatches", "More than one contact matches")),
    }
}

async fn points(State(app): Shared, RawQuery(query): RawQuery) -> Answered {
    let contact = Query::parse(query.as_deref()).contact()?;
    let state = &mut *app.state();
    let now = state.clock.now();
    let account = state.store.account(now, contact).ok_or_else(invalid_contact)?;
    Ok(json(StatusCode::OK, &assumptions::point_accounts(account)))
}

/// What the public documentation leaves open: the one place to change when a real tenant shows otherwise.
pub mod assumptions {
    use hyper::StatusCode;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::Refusal;
    use crate::store::{Account, Assignment, Item, Purchase};

    /// The field of a purchase request that names the item.
    pub const ITEM_ID: &str = "pointShopItemId";

    /// Where v3 lists a member's rewards.
    pub const REWARDS_PATH: &str = "/api/v3/promotion-assignments";

    pub(super) fn unauthorized() -> Refusal {
        Refusal::coded(StatusCode::UNAUTHORIZED, "Unauthorized", "The API key is missing or wrong")
    }

    pub(super) fn user_agent_missing() -> Refusal {
        Refusal::coded(StatusCode::BAD_REQUEST, "UserAgentMissing", "The header User-Agent is missing")
    }

    /// 422 is documented, its body is not.
    pub(super) fn unprocessable(message: &'static str) -> Refusal {
        Refusal::plain(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(super) fn purchase(purchase: &Purchase) -> Value {
        json!({
            "id": purchase.id,
            "pointShopItemPurchaseId": purchase.purchase_id,
            "contactId": purchase.contact_id,
            "pointShopItemId": purchase.item_id,
            "promotionId": purchase.promotion_id,
            "assignmentId": purchase.assignment_id,
            "cost": purchase.cost,
            "status": purchase.status,
            "createdOn": purchase.created_on,
        })
    }

    /// Documented for v2; also what v3 is taken to answer, to a redeem as well.
    pub(super) fn reward(assignment: &Assignment, item: &Item) -> Value {
        let channels = item.reward.redemption_channels.iter().map(|channel| {
            json!({
                "type": channel.channel,
                "valueType": channel.value_type,
                "value": channel.value,
                "localValues": null,
                "instruction": channel.instruction,
            })
        });
        json!({
            "id": assignment.id,
            "promotionId": item.promotion_id,
            "externalId": item.reward.external_id,
            "type": "OFFER",
            "name": item.name,
            "expiresOn": item.reward.expires_on,
            "heading": item.reward.heading,
            "description": item.reward.description,
            "imageUrl": item.presentation.image_url,
            "link": item.presentation.link,
            "redeemed": assignment.redeemed_on.is_some(),
            "redeemedOn": assignment.redeemed_on,
            "redemptionChannels": channels.collect::<Value>(),
        })
    }

    pub(super) fn point_accounts(account: &Account) -> Value {
        let contact = account.member.contact_id;
        json!([{
            "id": Uuid::new_v5(&contact, b"points"),
            "definitionId": 1,
            "balance": f64::from(account.balance),
            "pendingPoints": 0.0,
            "balanceExpires": null,
            "contactId": contact,
        }])
    }
}

/// Engage's way to say no. That the body is an object with these members is assumed.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
}

impl Refusal {
    fn coded(status: StatusCode, code: &'static str, message: &str) -> Refusal {
        Refusal { status, code: Some(code), message: message.to_owned() }
    }

    fn plain(status: StatusCode, message: &str) -> Refusal {
        Refusal { status, code: None, message: message.to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match self.code {
            Some(code) => json!({ "errorCode": code, "message": self.message }),
            None => json!({ "message": self.message }),
        };
        json(self.status, &body)
    }
}

fn invalid_contact() -> Refusal {
    Refusal::coded(StatusCode::BAD_REQUEST, "InvalidContact", "contactId names no contact")
}

fn not_a_channel() -> Refusal {
    Refusal::coded(StatusCode::BAD_REQUEST, "NotAValidRedemptionChannel", "The channel is none of POS, ECOM, OTHER")
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

fn object(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::plain(StatusCode::BAD_REQUEST, "The body is not a JSON object"))
}

fn guid(body: &Value, field: &str) -> Result<Uuid, Refusal> {
    body[field]
        .as_str()
        .and_then(|text| Uuid::parse_str(text).ok())
        .ok_or_else(|| Refusal::plain(StatusCode::BAD_REQUEST, &format!("{field} is missing or not a GUID")))
}

/// A query string, its names without regard to case.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: Option<&str>) -> Query {
        Query(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn contact(&self) -> Result<Uuid, Refusal> {
        self.get("contactId").and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(invalid_contact)
    }
}
