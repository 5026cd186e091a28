//! Everything this library assumes of Engage that Voyado's public pages do not say. Nothing outside this module may assume more.
//! On a real tenant that turns out otherwise, this is the only place to change.

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
