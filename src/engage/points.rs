//! `GET /api/v3/point-accounts`: the member's points.

use super::list_check::{Field, Kind};
use super::{Engage, contact_path, get_ok};
use crate::core::error::Result;
use crate::core::id::ContactId;
use crate::transport::Call;
use std::sync::Arc;

/// The required field of an account: points, with decimals. Ids may be numbers or GUIDs and are
/// passed on unchecked.
const ACCOUNT: &[Field] = &[("balance", Kind::Number)];

impl Engage {
    /// Returns the point accounts: a JSON array, checked for shape. An envelope `{"items": […]}` is
    /// removed.
    pub fn points(&self, contact: ContactId, call: &Arc<Call>) -> Result<Vec<u8>> {
        let response = get_ok(self, "points", contact_path(&self.api_mapping.points_path, contact), call)?;
        self.checked_list(response, "point accounts", ACCOUNT, call)
    }
}
