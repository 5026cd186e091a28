//! The member's rewards (multichannel promotions). The path and some names are assumptions. Most
//! fields may be null.

use super::list_check::{Field, Kind};
use super::shape::Object;
use super::{Engage, contact_path, get_ok, server_clock};
use crate::config::ApiMapping;
use crate::core::domain::{Channel, Millis};
use crate::core::error::Result;
use crate::core::granted_reward::Reward;
use crate::core::id::{AssignmentId, ContactId};
use crate::transport::{Call, Response};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The required field of a reward: the id by which it is redeemed.
const REWARD: &[Field] = &[("id", Kind::Guid)];

impl Engage {
    /// Lists the rewards that can be used on a channel: a JSON array, checked for shape. An
    /// envelope `{"items": […]}` is removed.
    pub fn rewards(&self, contact: ContactId, channel: Channel, call: &Arc<Call>) -> Result<Vec<u8>> {
        self.checked_list(self.reward_list(contact, channel, call)?, "rewards", REWARD, call)
    }

    /// As [`Engage::rewards`], and the response's `Date`. None: the list is a cache's copy, and
    /// says nothing of now.
    pub fn rewards_of_now(
        &self,
        contact: ContactId,
        channel: Channel,
        call: &Arc<Call>,
    ) -> Result<Option<(Vec<u8>, Option<Millis>)>> {
        let response = self.reward_list(contact, channel, call)?;
        let is_cached = response.extent.is_cached;
        let date = response.date.as_deref().and_then(server_clock::of_header);
        self.checked_list(response, "rewards", REWARD, call).map(|list| (!is_cached).then_some((list, date)))
    }

    fn reward_list(&self, contact: ContactId, channel: Channel, call: &Arc<Call>) -> Result<Response> {
        // A channel's name has unreserved characters only.
        let path = contact_path(&self.api_mapping.rewards_path, contact).replace("{channel}", channel.name());
        get_ok(self, "rewards", path, call)
    }

    /// Reads the rewards of a checked list.
    pub fn read_rewards<'a>(&self, list: &'a [u8]) -> Vec<(&'a RawValue, Reward)> {
        let elements = serde_json::from_slice::<Vec<&RawValue>>(list).unwrap_or_default();
        elements.into_iter().filter_map(|raw| Some((raw, read_reward(raw, &self.api_mapping)?))).collect()
    }

    /// Reads a reward's texts for a receipt and a screen.
    pub fn receipt(&self, reward: &RawValue, channel: Channel) -> Option<Receipt> {
        Receipt::read(reward, channel, &self.api_mapping)
    }
}

/// Reads a reward's deciding fields. None if it is no object.
pub(super) fn read_reward(raw: &RawValue, api_mapping: &ApiMapping) -> Option<Reward> {
    let fields = Object::read(raw)?;
    let redeemed_on = fields.text(&api_mapping.redeemed_on_fields);
    let redeemed = fields.flag(&api_mapping.redeemed_fields);
    Some(Reward {
        id: fields.guid(&api_mapping.reward_id_fields).map(AssignmentId::from_uuid),
        promotion: fields.guid(&api_mapping.promotion_id_fields),
        // A time of redeem proves the redeem.
        redeemed: redeemed.or(redeemed_on.as_ref().map(|_| true)),
        redeemed_on: redeemed_on.as_deref().and_then(server_clock::of_engage),
    })
}

/// A reward's texts for a receipt and a screen, from the fields that the API mapping names.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub title: Option<String>,
    pub description: Option<String>,
    pub barcode: Option<String>,
    pub expires_on: Option<String>,
    /// An instruction to the cashier.
    pub instruction: Option<String>,
    /// `PERCENT`, `MONEY`, `EXTERNALOFFER`, `MANUAL`, `SWIPE`, or a newer one.
    pub value_type: Option<String>,
    /// As it came: a number, an object with amount and currency, or a text.
    pub value: Option<Box<RawValue>>,
}

impl Receipt {
    fn read(raw: &RawValue, channel: Channel, api_mapping: &ApiMapping) -> Option<Self> {
        let fields = Object::read(raw)?;
        let channels: Vec<&RawValue> = fields.one(&[&api_mapping.channels_field]).unwrap_or_default();
        let here = channels
            .into_iter()
            .filter_map(Object::read)
            .find(|there| there.text(&["type"]).is_some_and(|name| name.eq_ignore_ascii_case(channel.name())));
        let here = here.unwrap_or_default();
        Some(Self {
            title: fields.text(&api_mapping.title_fields),
            description: fields.text(&api_mapping.description_fields),
            barcode: fields.digits(&api_mapping.barcode_fields).or_else(|| here.digits(&api_mapping.barcode_fields)),
            expires_on: fields.text(&api_mapping.expires_on_fields),
            instruction: here.text(&["instruction"]),
            value_type: here.text(&["valueType"]),
            value: here.one::<&RawValue>(&["value"]).map(ToOwned::to_owned),
        })
    }
}
