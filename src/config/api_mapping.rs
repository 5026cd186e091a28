//! Everything this library assumes of Engage that Voyado's public pages do not say. Nothing outside this module may assume more.
//! Where a real tenant turns out otherwise, the configuration's `apiMapping` object says so: a change of configuration, not a release.

use super::fields::Fields;
use crate::core::error::Result;

/// The parts of the wire format that are not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiMapping {
    /// The header that carries the key: the general page says `apikey`, another one `x-api-key`.
    pub key_header: String,
    /// The field of a purchase request that names the item. Its meaning is documented, its name is not.
    pub item_id_field: String,
    /// Where a purchase carries the id the till made, in order of preference.
    pub purchase_id_fields: Vec<String>,
    /// Where a purchase carries its status. That there is one is documented for the history.
    pub status_field: String,
    /// Of the statuses, only `Processing` is documented.
    pub completed: String,
    pub processing: String,
    pub failed: String,
    /// Where a member's rewards are listed; `{contactId}` and `{channel}` are filled in. Only a v2 path is documented.
    pub rewards_path: String,
    /// Where a purchase or a reward names the template of the reward. Documented for items and rewards, assumed for purchases.
    pub promotion_id_fields: Vec<String>,
    /// Where a purchase names the very reward it gave, if it does.
    pub assignment_id_fields: Vec<String>,
    /// Where a purchase says when it was made.
    pub created_on_fields: Vec<String>,
    /// Where a reward says whether and when it was redeemed. Documented for v2, as are the next ones.
    pub redeemed_fields: Vec<String>,
    pub redeemed_on_fields: Vec<String>,
    /// Where a reward has what is printed and shown.
    pub title_fields: Vec<String>,
    pub description_fields: Vec<String>,
    pub expires_on_fields: Vec<String>,
    /// Named in words only.
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

impl ApiMapping {
    /// Reads the `apiMapping` object; what it does not name stays as assumed.
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
        if ureq::http::HeaderName::from_bytes(api_mapping.key_header.as_bytes()).is_err() {
            return Err(fields.error("keyHeader", "is not the name of an HTTP header"));
        }
        if !api_mapping.rewards_path.starts_with('/') || !api_mapping.rewards_path.contains("{contactId}") {
            return Err(
                fields.error("rewardsPath", "must start with / and hold {contactId}; {channel} stands for the channel")
            );
        }
        fields.finish()?;
        Ok(api_mapping)
    }
}
