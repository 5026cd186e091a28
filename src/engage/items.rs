//! `GET /api/v3/point-shop-items`: the items that a member can buy now. Documented in full.

use super::list_check::{Field, Kind};
use super::{Engage, contact_path, get_ok};
use crate::core::error::Result;
use crate::core::id::ContactId;
use crate::transport::Call;
use std::sync::Arc;

/// The required fields of an item; `cost` is in points. Other fields are passed on unchecked.
const ITEM: &[Field] = &[("id", Kind::Guid), ("cost", Kind::Natural)];

impl Engage {
    /// Returns the items as Engage sent them: a JSON array, checked for shape.
    pub fn items(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let response = get_ok(self, "items", contact_path(&self.api_mapping.items_path, contact), call)?;
        self.checked_list(response, "items", ITEM, call)
    }
}
