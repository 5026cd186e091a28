//! Engage's routes: HTTP and JSON in front of a store's ledger.
//! Behaviour that Voyado documents is in this file. Behaviour that the public documentation leaves
//! open is in [`assumptions`] and in the [`ApiMapping`].

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api_mapping::{ApiMapping, Query};
use crate::fault::{HttpResponse, Operation};
use crate::ledger::{Channel, Presentation, Purchase, PurchaseDecline, PurchaseResult, RedeemDecline, SearchKey};
use crate::log::KeySeen;
use crate::nearest::nearest;
use crate::pictures;
use crate::store::{State, Store};

type ApiResult = Result<HttpResponse, ErrorResponse>;

/// The operation of a request, and the ids that the request names.
#[derive(Debug, Default)]
pub(crate) struct ParsedRequest {
    /// `None`: the route is not one of Engage's.
    pub operation: Option<Operation>,
    pub contact_id: Option<Uuid>,
    pub purchase_id: Option<Uuid>,
    pub item_id: Option<Uuid>,
    pub assignment_id: Option<Uuid>,
}

/// Parses as much of a request as possible, whether or not the request is served later.
pub(crate) fn parse_request(state: &State, head: &Parts, body: &[u8]) -> ParsedRequest {
    let query = Query::parse(head.uri.query());
    let Route { operation: Ok(operation), contact, assignment, .. } = Route::of(head, &query, &state.api_mapping)
    else {
        return ParsedRequest::default();
    };
    let id = |text: &str| Uuid::parse_str(text).ok();
    let mut asked =
        ParsedRequest { operation: Some(operation), contact_id: contact.and_then(id), ..ParsedRequest::default() };
    match operation {
        Operation::Purchase => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let field = |name: &str| guid(&body, name).ok();
            asked.contact_id = field("contactId");
            asked.purchase_id = field("pointShopItemPurchaseId");
            asked.item_id = field(&state.api_mapping.item_id_field);
        }
        Operation::Redeem => {
            asked.assignment_id = assignment.and_then(id);
            let known = asked.assignment_id.and_then(|id| state.ledger.assignment(id));
            asked.contact_id = known.map(|known| known.contact_id);
            asked.item_id = known.map(|known| known.item_id);
        }
        Operation::Contacts => {
            // A search without exactly one match names no contact.
            if let [only] = search(state, &query).unwrap_or_default()[..] {
                asked.contact_id = Some(only);
            }
        }
        _ => {}
    }
    asked
}

/// Returns Engage's response to a request.
pub(crate) fn respond(store: &Store, key: KeySeen, head: &Parts, body: &[u8]) -> HttpResponse {
    respond_locked(&mut store.state(), key, head, body)
}

/// Returns Engage's response to a request. The caller holds the store's lock.
pub(crate) fn respond_locked(state: &mut State, key: KeySeen, head: &Parts, body: &[u8]) -> HttpResponse {
    let api_mapping = Arc::clone(&state.api_mapping);
    let query = Query::parse(head.uri.query());
    let Route { operation, contact, channel, assignment } = Route::of(head, &query, &api_mapping);
    let operation = match operation {
        Ok(operation) => operation,
        Err(declined) => return declined,
    };
    let response = base_rules(state, key, &head.headers).and_then(|()| match operation {
        Operation::Items => items(state, head, guid_of(contact)?),
        Operation::Purchase => purchase(state, body),
        Operation::Purchases => purchases(state, guid_of(contact)?),
        Operation::Rewards => rewards(state, head, guid_of(contact)?, channel),
        Operation::Redeem => redeem(state, head, assignment.unwrap_or_default(), body),
        Operation::Contacts => contacts(state, &query),
        Operation::Points => points(state, guid_of(contact)?),
        Operation::Any => Err(ErrorResponse::plain(StatusCode::NOT_FOUND, "")),
    });
    response.unwrap_or_else(ErrorResponse::response)
}

/// Returns Engage's response to a redeem that took too long. The status and the code are
/// documented; the message is assumed.
pub(crate) fn redeem_timeout() -> HttpResponse {
    ErrorResponse::coded(StatusCode::GATEWAY_TIMEOUT, "RequestTimeOut", "The request took too long").response()
}

/// The route of a request, and the parameters in its path and query, not yet checked.
struct Route<'a> {
    operation: Result<Operation, HttpResponse>,
    contact: Option<&'a str>,
    channel: Option<&'a str>,
    assignment: Option<&'a str>,
}

impl<'a> Route<'a> {
    fn of(head: &'a Parts, query: &'a Query, api_mapping: &ApiMapping) -> Route<'a> {
        let path = head.uri.path();
        let steps: Vec<&str> = path.split('/').skip(1).collect();
        let (mut contact, mut channel, mut assignment) = (query.get("contactId"), None, None);
        let known = match steps.as_slice() {
            ["api", "v3", "point-shop-items"] => Some((Method::GET, Operation::Items)),
            ["api", "v3", "point-shop-items", "purchase"] => Some((Method::POST, Operation::Purchase)),
            ["api", "v3", "point-shop-item-purchases"] => Some((Method::GET, Operation::Purchases)),
            ["api", "v3", "promotion-assignments", id, "redeem"] => {
                assignment = Some(*id);
                Some((Method::POST, Operation::Redeem))
            }
            ["api", "v3", "contacts", "id"] => Some((Method::GET, Operation::Contacts)),
            ["api", "v3", "point-accounts"] => Some((Method::GET, Operation::Points)),
            ["api", "v2", "contacts", id, "promotions"] => {
                (contact, channel) = (Some(*id), query.get("redemptionChannelType"));
                Some((Method::GET, Operation::Rewards))
            }
            _ => api_mapping.rewards_request(path, query).map(|asked| {
                (contact, channel) = (asked.contact, asked.channel);
                (Method::GET, Operation::Rewards)
            }),
        };
        let operation = match known {
            Some((method, operation)) if method == head.method => Ok(operation),
            Some((method, _)) => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                if let Ok(method) = HeaderValue::try_from(method.as_str()) {
                    response.headers_mut().insert(ALLOW, method);
                }
                Err(response)
            }
            None => Err(empty(StatusCode::NOT_FOUND)),
        };
        Route { operation, contact, channel, assignment }
    }
}

/// Returns the mistake in a request whose route is not one of Engage's. The response does not have
/// it, because Engage's has not.
pub(crate) fn mistake_in_route(state: &State, head: &Parts) -> Option<String> {
    let query = Query::parse(head.uri.query());
    let declined = Route::of(head, &query, &state.api_mapping).operation.err()?;
    if let Some(allowed) = declined.headers().get(ALLOW) {
        return Some(format!("the route takes {}, not {}", String::from_utf8_lossy(allowed.as_bytes()), head.method));
    }
    let asked: Vec<&str> = head.uri.path().split('/').collect();
    // An id stands where the route has one.
    let path = |route: &str| {
        let steps = route.split('/').enumerate();
        let step = |(at, step): (usize, &str)| match asked.get(at) {
            Some(&id) if step.starts_with('{') => id.to_owned(),
            _ => step.to_owned(),
        };
        steps.map(step).collect::<Vec<_>>().join("/")
    };
    let rewards = state.api_mapping.rewards_path.split('?').next().unwrap_or_default();
    let routes: Vec<(&str, &str)> = ROUTES.into_iter().chain([("GET", rewards)]).collect();
    let paths: Vec<String> = routes.iter().map(|(_, route)| path(route)).collect();
    let nearest = nearest(head.uri.path(), paths.iter().map(String::as_str));
    let meant = nearest.and_then(|nearest| routes.get(paths.iter().position(|path| path == nearest)?));
    Some(match meant {
        Some((method, route)) if *method == head.method.as_str() => format!("no such route; did you mean {route}?"),
        Some((method, route)) => format!("no such route; did you mean {method} {route}?"),
        None => "no such route; /_sandbox/openapi.json has the routes".to_owned(),
    })
}

/// The routes for a person who has misspelt one.
const ROUTES: [(&str, &str); 7] = [
    ("GET", "/api/v3/point-shop-items"),
    ("POST", "/api/v3/point-shop-items/purchase"),
    ("GET", "/api/v3/point-shop-item-purchases"),
    ("POST", "/api/v3/promotion-assignments/{assignmentId}/redeem"),
    ("GET", "/api/v3/contacts/id"),
    ("GET", "/api/v3/point-accounts"),
    ("GET", "/api/v2/contacts/{contactId}/promotions"),
];

/// Checks the rules that Engage applies to every request, in Engage's order.
fn base_rules(state: &mut State, key: KeySeen, headers: &HeaderMap) -> Result<(), ErrorResponse> {
    if key != KeySeen::Right {
        return Err(assumptions::unauthorized());
    }
    if headers.get(USER_AGENT).is_none_or(|agent| agent.as_bytes().trim_ascii().is_empty()) {
        return Err(assumptions::user_agent_missing());
    }
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err(ErrorResponse::plain(StatusCode::INTERNAL_SERVER_ERROR, "An error has occurred"));
    }
    if !state.rate.accepts(Instant::now()) {
        return Err(ErrorResponse::plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests"));
    }
    Ok(())
}

fn is_json(content_type: &HeaderValue) -> bool {
    let media_type = content_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn items(state: &mut State, head: &Parts, contact: Uuid) -> ApiResult {
    let now = state.now();
    let items = state.ledger.items_for(now, contact).ok_or_else(invalid_contact)?;
    let items = items.map(|item| {
        let image_url = pictures::address(head, item.presentation.image_url.as_deref());
        json!({
            "id": item.id,
            "name": item.name,
            "cost": item.cost,
            "pointDefinitionId": item.point_definition_id,
            "promotionId": item.promotion_id,
            "validFrom": item.valid_from,
            "validTo": item.valid_to,
            "presentation": Presentation { image_url, ..item.presentation.clone() },
        })
    });
    Ok(json(StatusCode::OK, &items.collect()))
}

fn purchase(state: &mut State, body: &[u8]) -> ApiResult {
    let body = object(body)?;
    let contact = guid(&body, "contactId")?;
    let purchase_id = guid(&body, "pointShopItemPurchaseId")?;
    let item = guid(&body, &state.api_mapping.item_id_field)?;

    let api_mapping = Arc::clone(&state.api_mapping);
    match state.purchase(contact, purchase_id, item)? {
        PurchaseResult::New(purchase) | PurchaseResult::Existing(purchase) => {
            Ok(json(StatusCode::OK, &api_mapping.purchase(purchase)))
        }
        PurchaseResult::TimedOut => Err(ErrorResponse::coded(
            StatusCode::CONFLICT,
            "PointShopItemPurchaseProcessingTimedOut",
            "The purchase is still being processed",
        )),
        PurchaseResult::Failed => {
            Err(ErrorResponse::coded(StatusCode::CONFLICT, "PointShopItemPurchaseFailed", "The purchase failed"))
        }
    }
}

impl From<PurchaseDecline> for ErrorResponse {
    fn from(declined: PurchaseDecline) -> ErrorResponse {
        let bad = |code, message| ErrorResponse::coded(StatusCode::BAD_REQUEST, code, message);
        match declined {
            PurchaseDecline::ContactNotFound => bad("PromotionAssignmentContactNotFound", "The contact does not exist"),
            PurchaseDecline::PromotionRemoved => {
                bad("PromotionAssignmentPromotionNotFound", "The promotion does not exist")
            }
            PurchaseDecline::PromotionExpired => {
                bad("PromotionAssignmentPromotionExpired", "The promotion has expired")
            }
            PurchaseDecline::PurchaseIdOfAnotherContact => ErrorResponse::plain(
                StatusCode::BAD_REQUEST,
                "Invalid request: the purchase id belongs to another contact",
            ),
            PurchaseDecline::PurchaseIdOfAnotherItem => ErrorResponse::plain(
                StatusCode::BAD_REQUEST,
                "Invalid request: the purchase id belongs to another item",
            ),
            PurchaseDecline::ItemNotFound => {
                ErrorResponse::plain(StatusCode::NOT_FOUND, "The point shop item does not exist")
            }
            PurchaseDecline::NotOnSale => assumptions::unprocessable("The item cannot be bought at this time"),
            PurchaseDecline::NotEligible => assumptions::unprocessable("The contact is not eligible for the item"),
            PurchaseDecline::OutOfStock => assumptions::unprocessable("The item is out of stock"),
            PurchaseDecline::NotEnoughPoints => assumptions::unprocessable("The contact has not enough points"),
        }
    }
}

fn purchases(state: &mut State, contact: Uuid) -> ApiResult {
    let now = state.now();
    let world = state.world;
    let purchases = state.ledger.purchases_of(now, contact).ok_or_else(invalid_contact)?;
    let is_shown = |purchase: &&Purchase| purchase.created_on.plus_millis(world.history_lag_ms.into()) <= now;
    let purchases: Vec<Value> =
        purchases.filter(is_shown).map(|purchase| state.api_mapping.purchase(purchase)).collect();
    if purchases.is_empty() {
        return Err(ErrorResponse::plain(StatusCode::NOT_FOUND, "No purchases found or invalid reference"));
    }
    Ok(json(StatusCode::OK, &world.history(purchases)))
}

/// Gives the picture of a reward its address.
fn with_address(head: &Parts, mut reward: Value) -> Value {
    reward["imageUrl"] = pictures::address(head, reward["imageUrl"].as_str()).into();
    reward
}

fn rewards(state: &mut State, head: &Parts, contact: Uuid, channel: Option<&str>) -> ApiResult {
    let channel = match channel {
        None => None,
        Some(name) => Some(Channel::parse(name).ok_or_else(invalid_channel)?),
    };
    let now = state.now();
    let rewards = state.ledger.rewards_of(now, contact).ok_or_else(invalid_contact)?;
    let rewards = rewards
        .filter(|(_, item)| {
            channel.is_none_or(|wanted| item.reward.redemption_channels.iter().any(|other| other.channel == wanted))
        })
        .map(|(assignment, item)| with_address(head, state.api_mapping.reward(assignment, item)));
    Ok(json(StatusCode::OK, &state.api_mapping.list(rewards.collect())))
}

fn redeem(state: &mut State, head: &Parts, assignment: &str, body: &[u8]) -> ApiResult {
    let body = object(body)?;
    let channel = body["redemptionChannel"].as_str().and_then(Channel::parse).ok_or_else(invalid_channel)?;
    let not_found = || ErrorResponse::coded(StatusCode::NOT_FOUND, "PromotionNotFound", "The promotion does not exist");
    let assignment = Uuid::parse_str(assignment).map_err(|_| not_found())?;

    let redeemed = state.redeem(assignment, channel).cloned().map_err(|why| match why {
        RedeemDecline::NotFound => not_found(),
        RedeemDecline::AlreadyRedeemed => {
            ErrorResponse::coded(StatusCode::CONFLICT, "PromotionAlreadyRedeemed", "The promotion is already redeemed")
        }
        RedeemDecline::OtherChannel => ErrorResponse::coded(
            StatusCode::CONFLICT,
            "PromotionNotValidForRedemptionChannel",
            "The promotion is not valid for the redemption channel",
        ),
    })?;
    Ok(json(StatusCode::OK, &with_address(head, state.api_mapping.reward(&redeemed, state.ledger.item_of(&redeemed)))))
}

fn contacts(state: &State, query: &Query) -> ApiResult {
    match search(state, query)?[..] {
        [] => Err(ErrorResponse::coded(StatusCode::NOT_FOUND, "ContactNotFound", "No contact matches")),
        [contact] => Ok(json(StatusCode::OK, &json!(contact))),
        _ => Err(ErrorResponse::coded(StatusCode::CONFLICT, "MultipleMatches", "More than one contact matches")),
    }
}

/// Returns the members that a search finds.
fn search(state: &State, query: &Query) -> Result<Vec<Uuid>, ErrorResponse> {
    const KEYS: [(&str, SearchKey, &str); 5] = [
        ("email", SearchKey::Email, "InvalidEmailAddress"),
        ("mobilePhone", SearchKey::MobilePhone, "InvalidPhoneNumber"),
        ("socialSecurityNumber", SearchKey::SocialSecurityNumber, "InvalidSocialSecurityNumber"),
        ("customKey", SearchKey::CustomKey, "InvalidSearchQuery"),
        ("any", SearchKey::Any, "InvalidSearchQuery"),
    ];
    let bad = |code, message| ErrorResponse::coded(StatusCode::BAD_REQUEST, code, message);
    let mut given = KEYS.iter().filter_map(|(name, key, code)| Some((key, code, query.get(name)?)));
    let (Some((key, code, value)), None) = (given.next(), given.next()) else {
        return Err(bad("InvalidSearchQuery", "Search by exactly one key"));
    };
    if !key.accepts(value) {
        return Err(bad(code, "The value has the wrong format"));
    }
    let of_type = match query.get("contactType") {
        None => true,
        Some(kind) if kind.eq_ignore_ascii_case("Member") => true,
        Some(kind) if kind.eq_ignore_ascii_case("Contact") => false,
        Some(_) => return Err(bad("InvalidContactType", "The contact type does not exist")),
    };
    Ok(if of_type { state.ledger.find(*key, value) } else { Vec::new() })
}

fn points(state: &mut State, contact: Uuid) -> ApiResult {
    let now = state.now();
    let account = state.ledger.account(now, contact).ok_or_else(invalid_contact)?;
    Ok(json(StatusCode::OK, &state.api_mapping.list(vec![assumptions::point_account(account)])))
}

/// Responses that the public documentation leaves open and the API mapping does not name. Change
/// them here when a real tenant differs.
pub mod assumptions {
    use hyper::StatusCode;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::ErrorResponse;
    use crate::ledger::Account;

    pub(super) fn unauthorized() -> ErrorResponse {
        ErrorResponse::coded(StatusCode::UNAUTHORIZED, "Unauthorized", "The API key is missing or wrong")
    }

    pub(super) fn user_agent_missing() -> ErrorResponse {
        ErrorResponse::coded(StatusCode::BAD_REQUEST, "UserAgentMissing", "The header User-Agent is missing")
    }

    /// The status 422 is documented. Its body is assumed.
    pub(super) fn unprocessable(message: &'static str) -> ErrorResponse {
        ErrorResponse::plain(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(super) fn point_account(account: &Account) -> Value {
        let contact = account.member.contact_id;
        json!({
            "id": Uuid::new_v5(&contact, b"points"),
            "definitionId": 1,
            "balance": f64::from(account.balance),
            "pendingPoints": 0.0,
            "balanceExpires": null,
            "contactId": contact,
        })
    }
}

/// An error response of Engage. The members of the JSON body are assumed.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
}

impl ErrorResponse {
    fn coded(status: StatusCode, code: &'static str, message: &str) -> ErrorResponse {
        ErrorResponse { status, code: Some(code), message: message.to_owned() }
    }

    fn plain(status: StatusCode, message: &str) -> ErrorResponse {
        ErrorResponse { status, code: None, message: message.to_owned() }
    }

    fn response(self) -> HttpResponse {
        let body = match self.code {
            Some(code) => json!({ "errorCode": code, "message": self.message }),
            None => json!({ "message": self.message }),
        };
        json(self.status, &body)
    }
}

fn invalid_contact() -> ErrorResponse {
    ErrorResponse::coded(StatusCode::BAD_REQUEST, "InvalidContact", "contactId names no contact")
}

fn invalid_channel() -> ErrorResponse {
    ErrorResponse::coded(
        StatusCode::BAD_REQUEST,
        "NotAValidRedemptionChannel",
        "The channel is none of POS, ECOM, OTHER",
    )
}

/// Returns a response with a JSON body.
pub(crate) fn json(status: StatusCode, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// Returns a response without a body.
fn empty(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::default();
    *response.status_mut() = status;
    response
}

fn object(body: &[u8]) -> Result<Value, ErrorResponse> {
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ErrorResponse::plain(StatusCode::BAD_REQUEST, "The body is not a JSON object"))
}

fn guid_of(contact: Option<&str>) -> Result<Uuid, ErrorResponse> {
    contact.and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(invalid_contact)
}

fn guid(body: &Value, field: &str) -> Result<Uuid, ErrorResponse> {
    body[field]
        .as_str()
        .and_then(|text| Uuid::parse_str(text).ok())
        .ok_or_else(|| ErrorResponse::plain(StatusCode::BAD_REQUEST, &format!("{field} is missing or not a GUID")))
}
