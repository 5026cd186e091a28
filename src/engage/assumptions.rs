//! Everything this library assumes of Engage that Voyado's public pages do not say. Nothing outside this module may assume more.
//! Where a real tenant turns out otherwise, the configuration's `wire` object says so: a change of configuration, not a release.

use crate::error::Result;
use crate::fields::Fields;

/// The parts of the wire format that are not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wire {
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
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            key_header: "apikey".into(),
            item_id_field: "pointShopItemId".into(),
            purchase_id_fields: vec!["pointShopItemPurchaseId".into(), "id".into()],
            status_field: "status".into(),
            completed: "Completed".into(),
            processing: "Processing".into(),
            failed: "Failed".into(),
            rewards_path: "/api/v3/promotion-assignments?contactId={contactId}&redemptionChannelType={channel}".into(),
        }
    }
}

impl Wire {
    /// Reads the `wire` object; what it does not name stays as assumed.
    pub fn parse(mut fields: Fields) -> Result<Self> {
        let assumed = Self::default();
        let mut text = |key, assumed: String| fields.string(key).map(|given| given.unwrap_or(assumed));
        let wire = Self {
            key_header: text("keyHeader", assumed.key_header)?,
            item_id_field: text("itemIdField", assumed.item_id_field)?,
            status_field: text("statusField", assumed.status_field)?,
            completed: text("statusCompleted", assumed.completed)?,
            processing: text("statusProcessing", assumed.processing)?,
            failed: text("statusFailed", assumed.failed)?,
            rewards_path: text("rewardsPath", assumed.rewards_path)?,
            purchase_id_fields: fields.strings("purchaseIdFields", assumed.purchase_id_fields)?,
        };
        if ureq::http::HeaderName::from_bytes(wire.key_header.as_bytes()).is_err() {
            return Err(fields.error("keyHeader", "is not the name of an HTTP header"));
        }
        if !wire.rewards_path.starts_with('/') || !wire.rewards_path.contains("{contactId}") {
            return Err(
                fields.error("rewardsPath", "must start with / and hold {contactId}; {channel} stands for the channel")
            );
        }
        fields.finish()?;
        Ok(wire)
    }
}
