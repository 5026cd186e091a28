//! The member's rewards (multichannel promotions). The path of the list is an assumption; what an element must have is documented.

use super::shape::{self, Guid};
use super::{Engage, get_ok, push_encoded};
use crate::error::Result;
use crate::id::ContactId;
use crate::transport::Call;
use serde::Deserialize;
use std::sync::Arc;

/// What a till needs of a reward: the id by which it is redeemed. Everything else may be null and is passed on unseen.
#[derive(Deserialize)]
struct Reward {
    #[serde(rename = "id")]
    _id: Guid,
}

impl Engage {
    /// The rewards that can be used on a channel: a JSON array, checked for shape. An envelope `{"items": […]}` is taken off.
    pub fn rewards(&self, contact: ContactId, channel: &str, call: &Arc<Call>) -> Result<Vec<u8>> {
        let mut encoded = String::new();
        push_encoded(&mut encoded, channel);
        let path = self.wire.rewards_path.replace("{contactId}", &contact.to_string()).replace("{channel}", &encoded);
        shape::check_list::<Reward>(shape::without_envelope(get_ok(self, path, call)?), "rewards")
    }
}
