//! `GET /api/v3/point-shop-items`: what a member can buy now. Documented in full.

use super::shape::{self, Guid};
use super::{Engage, get_ok};
use crate::error::Result;
use crate::id::ContactId;
use crate::transport::Call;
use serde::Deserialize;
use std::sync::Arc;

/// What an item must have for a till to sell it. Everything else is passed on unseen.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "id")]
    _id: Guid,
    /// Points, a whole number.
    #[serde(rename = "cost")]
    _cost: u64,
}

impl Engage {
    /// The items as Engage sent them: a JSON array, checked for shape.
    pub fn items(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let answer = get_ok(self, format!("/api/v3/point-shop-items?contactId={contact}"), call)?;
        shape::check_list::<Item>(answer, "items")
    }
}
