//! The names and paths of Engage's API that Voyado's public pages do not state, and those that they
//! state for other versions only. No other module assumes any. The configuration's `apiMapping`
//! object overrides them for a tenant that differs, so that no release is needed.
//!
//! A name may be a path of names, with dots: `purchase.status`. Names match in any case.

use super::fields::Fields;
use crate::core::error::Result;

/// One row a name: its field, its kind, its key in the configuration and its assumed value.
macro_rules! mapping {
    ($($(#[$doc:meta])* $field:ident: $kind:ident $key:literal = $assumed:expr;)*) => {
        /// The parts of Engage's API that are not documented.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct ApiMapping { $($(#[$doc])* pub $field: mapping!(@type $kind),)* }

        impl Default for ApiMapping {
            fn default() -> Self {
                Self { $($field: mapping!(@value $kind $assumed),)* }
            }
        }

        impl ApiMapping {
            fn read(fields: &mut Fields) -> Result<Self> {
                let assumed = Self::default();
                Ok(Self { $($field: mapping!(@read $kind fields, $key, assumed.$field),)* })
            }

            /// Returns the object that would configure this mapping.
            pub fn to_json(&self) -> serde_json::Value {
                serde_json::json!({ $($key: self.$field,)* })
            }
        }
    };
    (@type names) => { Vec<String> };
    (@type $kind:ident) => { String };
    (@value names $assumed:expr) => { $assumed.iter().map(|name: &&str| (*name).to_owned()).collect() };
    (@value $kind:ident $assumed:expr) => { $assumed.to_owned() };
    (@read names $fields:ident, $key:literal, $assumed:expr) => { $fields.strings($key, $assumed)? };
    (@read name $fields:ident, $key:literal, $assumed:expr) => { $fields.string($key)?.unwrap_or($assumed) };
    (@read path $fields:ident, $key:literal, $assumed:expr) => { path($fields, $key, $assumed)? };
}

mapping! {
    /// The header that carries the key: the general page says `apikey`, another one `x-api-key`.
    key_header: name "keyHeader" = "apikey";
    /// The header that carries the library's own id of a request. Its name is not documented.
    request_id_header: name "requestIdHeader" = "x-request-id";
    /// The path that finds a member; the search is added as a query.
    contact_path: path "contactPath" = "/api/v3/contacts/id";
    /// The path of a member's point accounts.
    points_path: path "pointsPath" = "/api/v3/point-accounts?contactId={contactId}";
    /// The path of the items that a member can buy.
    items_path: path "itemsPath" = "/api/v3/point-shop-items?contactId={contactId}";
    /// The path of a purchase.
    purchase_path: path "purchasePath" = "/api/v3/point-shop-items/purchase";
    /// The path of a member's purchases.
    purchases_path: path "purchasesPath" = "/api/v3/point-shop-item-purchases?contactId={contactId}";
    /// The path of a member's rewards. Only a v2 path is documented.
    rewards_path: path "rewardsPath" =
        "/api/v3/promotion-assignments?contactId={contactId}&redemptionChannelType={channel}";
    /// The path of a redeem.
    redeem_path: path "redeemPath" = "/api/v3/promotion-assignments/{assignmentId}/redeem";
    /// The field that names the member, in a purchase request and in a purchase.
    contact_id_field: name "contactIdField" = "contactId";
    /// The field of a purchase request that holds the id that the till made.
    purchase_id_field: name "purchaseIdField" = "pointShopItemPurchaseId";
    /// The field of a purchase request that names the item. Its meaning is documented, its name is
    /// not.
    item_id_field: name "itemIdField" = "pointShopItemId";
    /// The field of a redeem request that names the channel.
    channel_field: name "channelField" = "redemptionChannel";
    /// The fields around a list.
    envelope_fields: names "envelopeFields" = ["items", "data"];
    /// The fields of an envelope that count all elements, of which the list may be a page.
    total_count_fields: names "totalCountFields" = ["totalCount"];
    /// The fields of an envelope that hold the place of the page.
    offset_fields: names "offsetFields" = ["offset"];
    /// The fields of a purchase that may hold the id that the till made, in order of preference.
    purchase_id_fields: names "purchaseIdFields" = ["pointShopItemPurchaseId", "id"];
    /// The field of a purchase that holds its status. The status is documented for the history.
    status_field: name "statusField" = "status";
    /// The statuses of a completed purchase. Only `Processing` is documented.
    completed: names "statusCompleted" = ["Completed"];
    /// The statuses of a purchase that has no end yet.
    processing: names "statusProcessing" = ["Processing"];
    /// The statuses of a failed purchase.
    failed: names "statusFailed" = ["Failed"];
    /// The fields of a reward that hold the id by which it is redeemed.
    reward_id_fields: names "rewardIdFields" = ["id"];
    /// The fields of a purchase or a reward that name the reward's template. They are documented
    /// for items and rewards, and assumed for purchases.
    promotion_id_fields: names "promotionIdFields" = ["promotionId"];
    /// The fields of a purchase that may name the reward it gave.
    assignment_id_fields: names "assignmentIdFields" = ["promotionAssignmentId", "assignmentId"];
    /// The fields of a purchase that hold the time at which it was made.
    created_on_fields: names "createdOnFields" = ["createdOn"];
    /// The fields of a reward that state whether it was redeemed. These and the next ones are
    /// documented for v2.
    redeemed_fields: names "redeemedFields" = ["redeemed"];
    /// The fields of a reward that state when it was redeemed.
    redeemed_on_fields: names "redeemedOnFields" = ["redeemedOn"];
    /// The field of a reward that lists its channels.
    channels_field: name "channelsField" = "redemptionChannels";
    /// The fields of a reward that are printed and shown.
    title_fields: names "titleFields" = ["heading", "title", "name"];
    /// The longer text.
    description_fields: names "descriptionFields" = ["description"];
    /// The time at which the reward expires.
    expires_on_fields: names "expiresOnFields" = ["expiresOn"];
    /// The public pages describe the barcode without its field's name.
    barcode_fields: names "barcodeFields" = ["barcode", "barCode"];
}

/// The placeholders that a path must have, and those that it may have beside them.
const PLACEHOLDERS: &[(&str, &[&str], &[&str])] = &[
    ("pointsPath", &["{contactId}"], &[]),
    ("itemsPath", &["{contactId}"], &[]),
    ("purchasesPath", &["{contactId}"], &[]),
    ("rewardsPath", &["{contactId}"], &["{channel}"]),
    ("redeemPath", &["{assignmentId}"], &[]),
];

/// Reads a path. It is written into the request line as it is.
fn path(fields: &mut Fields, key: &'static str, assumed: String) -> Result<String> {
    let Some(path) = fields.string(key)? else { return Ok(assumed) };
    let rules = PLACEHOLDERS.iter().find(|(of, ..)| *of == key);
    let (required, optional) = rules.map_or((&[][..], &[][..]), |(_, required, optional)| (*required, *optional));
    if !path.starts_with('/') {
        return Err(fields.error(key, "must start with /"));
    }
    if let Some(missing) = required.iter().find(|name| !path.contains(**name)) {
        return Err(fields.error(key, &format!("must hold {missing}")));
    }
    let mut rest = path.clone();
    for name in required.iter().chain(optional) {
        rest = rest.replace(name, "");
    }
    if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"#{}".contains(&byte)) {
        let message = "holds an unknown {placeholder}, a space, a control character, # or a character outside of \
                       ASCII; write it as %XX";
        return Err(fields.error(key, message));
    }
    Ok(path)
}

/// The headers of every request, and those that the HTTP library sets.
const OWN_HEADERS: [&str; 9] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Content-Type",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Cache-Control",
];

impl ApiMapping {
    /// Reads the `apiMapping` object. A key that it lacks keeps the assumed value.
    pub fn parse(mut fields: Fields) -> Result<Self> {
        let api_mapping = Self::read(&mut fields)?;
        let (key, request_id) = (&api_mapping.key_header, &api_mapping.request_id_header);
        for (name, header, others) in [("keyHeader", key, ""), ("requestIdHeader", request_id, key.as_str())] {
            if ureq::http::HeaderName::from_bytes(header.as_bytes()).is_err() {
                return Err(fields.error(name, "is not the name of an HTTP header"));
            }
            if OWN_HEADERS.iter().chain([&others]).any(|own| own.eq_ignore_ascii_case(header)) {
                return Err(fields.error(name, "is a header that the library sets itself; name another one"));
            }
        }
        fields.finish()?;
        Ok(api_mapping)
    }
}
