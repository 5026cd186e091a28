//! The names and paths of Engage's API that Voyado's public pages do not state. No other module
//! assumes any. The configuration's `apiMapping` object overrides them for a tenant that differs,
//! so that no release is needed.

use super::fields::Fields;
use crate::core::error::Result;

/// The parts of Engage's API that are not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiMapping {
    /// The header that carries the key: the general page says `apikey`, another one `x-api-key`.
    pub key_header: String,
    /// The field of a purchase request that names the item. Its meaning is documented, its name is
    /// not.
    pub item_id_field: String,
    /// The fields of a purchase that may hold the id that the till made, in order of preference.
    pub purchase_id_fields: Vec<String>,
    /// The field of a purchase that holds its status. The status is documented for the history.
    pub status_field: String,
    /// Of the statuses, only `Processing` is documented.
    pub completed: String,
    pub processing: String,
    pub failed: String,
    /// The path of a member's rewards, with `{contactId}` and `{channel}` as placeholders. Only a
    /// v2 path is documented.
    pub rewards_path: String,
    /// The fields of a purchase or a reward that name the reward's template. They are documented
    /// for items and rewards, and assumed for purchases.
    pub promotion_id_fields: Vec<String>,
    /// The fields of a purchase that may name the reward it gave.
    pub assignment_id_fields: Vec<String>,
    /// The fields of a purchase that hold the time at which it was made.
    pub created_on_fields: Vec<String>,
    /// The fields of a reward that state whether and when it was redeemed. These and the next ones
    /// are documented for v2.
    pub redeemed_fields: Vec<String>,
    pub redeemed_on_fields: Vec<String>,
    /// The fields of a reward that are printed and shown.
    pub title_fields: Vec<String>,
    pub description_fields: Vec<String>,
    pub expires_on_fields: Vec<String>,
    /// The public pages describe the barcode without its field's name.
    pub barcode_fields: Vec<String>,
}

impl Default for ApiMapping {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            key_header: "apikey".into(),
            item_id_field: "pointShopItemId".into(),
            purchase_id_fields: names(&["pointShopItemPurchaseId", "id"]),
            status_field: "status".into(),
            completed: "Completed".into(),
            processing: "Processing".into(),
            failed: "Failed".into(),
            rewards_path: "/api/v3/promotion-assignments?contactId={contactId}&redemptionChannelType={channel}".into(),
            promotion_id_fields: names(&["promotionId"]),
            assignment_id_fields: names(&["promotionAssignmentId", "assignmentId"]),
            created_on_fields: names(&["createdOn"]),
            redeemed_fields: names(&["redeemed"]),
            redeemed_on_fields: names(&["redeemedOn"]),
            title_fields: names(&["heading", "title", "name"]),
            description_fields: names(&["description"]),
            expires_on_fields: names(&["expiresOn"]),
            barcode_fields: names(&["barcode", "barCode"]),
        }
    }
}

/// The headers of every request, and those that the HTTP library sets.
const OWN_HEADERS: [&str; 8] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Content-Type",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
];

impl ApiMapping {
    /// Reads the `apiMapping` object. A key that it lacks keeps the assumed value.
    pub fn parse(mut fields: Fields) -> Result<Self> {
        let assumed = Self::default();
        let mut text = |key, assumed: String| fields.string(key).map(|given| given.unwrap_or(assumed));
        let api_mapping = Self {
            key_header: text("keyHeader", assumed.key_header)?,
            item_id_field: text("itemIdField", assumed.item_id_field)?,
            status_field: text("statusField", assumed.status_field)?,
            completed: text("statusCompleted", assumed.completed)?,
            processing: text("statusProcessing", assumed.processing)?,
            failed: text("statusFailed", assumed.failed)?,
            rewards_path: text("rewardsPath", assumed.rewards_path)?,
            purchase_id_fields: fields.strings("purchaseIdFields", assumed.purchase_id_fields)?,
            promotion_id_fields: fields.strings("promotionIdFields", assumed.promotion_id_fields)?,
            assignment_id_fields: fields.strings("assignmentIdFields", assumed.assignment_id_fields)?,
            created_on_fields: fields.strings("createdOnFields", assumed.created_on_fields)?,
            redeemed_fields: fields.strings("redeemedFields", assumed.redeemed_fields)?,
            redeemed_on_fields: fields.strings("redeemedOnFields", assumed.redeemed_on_fields)?,
            title_fields: fields.strings("titleFields", assumed.title_fields)?,
            description_fields: fields.strings("descriptionFields", assumed.description_fields)?,
            expires_on_fields: fields.strings("expiresOnFields", assumed.expires_on_fields)?,
            barcode_fields: fields.strings("barcodeFields", assumed.barcode_fields)?,
        };
        let header = &api_mapping.key_header;
        if ureq::http::HeaderName::from_bytes(header.as_bytes()).is_err() {
            return Err(fields.error("keyHeader", "is not the name of an HTTP header"));
        }
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(header)) {
            return Err(fields.error("keyHeader", "is a header that the library sets itself; name another one"));
        }
        let path = &api_mapping.rewards_path;
        if !path.starts_with('/') || !path.contains("{contactId}") {
            return Err(
                fields.error("rewardsPath", "must start with / and hold {contactId}; {channel} stands for the channel")
            );
        }
        // The path is written into the request line as it is.
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(fields.error(
                "rewardsPath",
                "holds a space, a control character, # or a character outside of ASCII; write it as %XX",
            ));
        }
        fields.finish()?;
        Ok(api_mapping)
    }
}
