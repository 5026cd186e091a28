//! The member's rewards (multichannel promotions). The path of the list and some names are assumptions; most of an element may be null.

use super::assumptions::Wire;
use super::order::Channel;
use super::scan::{Field, Kind};
use super::shape::{self, Object};
use super::{Engage, get_ok, push_encoded, time};
use crate::error::Result;
use crate::id::{AssignmentId, ContactId};
use crate::time::Millis;
use crate::transport::Call;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// What a till needs of a reward: the id by which it is redeemed. Everything else may be null and is passed on unseen.
const REWARD: &[Field] = &[("id", Kind::Guid)];

impl Engage {
    /// The rewards that can be used on a channel: a JSON array, checked for shape. An envelope `{"items": […]}` is taken off.
    pub fn rewards(&self, contact: ContactId, channel: Channel, call: &Arc<Call>) -> Result<Vec<u8>> {
        let mut encoded = String::new();
        push_encoded(&mut encoded, channel.word());
        let path = self.wire.rewards_path.replace("{contactId}", &contact.to_string()).replace("{channel}", &encoded);
        shape::check_list(shape::without_envelope(get_ok(self, path, call)?), "rewards", REWARD)
    }

    /// The rewards of a checked list.
    pub fn read_rewards<'a>(&self, list: &'a [u8]) -> Vec<(&'a RawValue, Reward)> {
        let elements = serde_json::from_slice::<Vec<&RawValue>>(list).unwrap_or_default();
        elements.into_iter().filter_map(|raw| Some((raw, Reward::read(raw, &self.wire)?))).collect()
    }

    /// What a receipt and a screen need of a reward.
    pub fn receipt(&self, reward: &RawValue, channel: Channel) -> Option<Receipt> {
        Receipt::read(reward, channel, &self.wire)
    }
}

/// What is decided by of a reward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reward {
    pub id: Option<AssignmentId>,
    /// The template it was made from: that of the item.
    pub promotion: Option<Uuid>,
    pub redeemed: Option<bool>,
    /// When, by Engage's clock.
    pub redeemed_on: Option<Millis>,
}

impl Reward {
    /// None if it is no object.
    pub fn read(raw: &RawValue, wire: &Wire) -> Option<Self> {
        let fields = Object::read(raw)?;
        let redeemed_on = fields.text(&wire.redeemed_on_fields);
        let redeemed = fields.one(&wire.redeemed_fields);
        Some(Self {
            id: fields.guid(&["id"]).map(AssignmentId::from_uuid),
            promotion: fields.guid(&wire.promotion_id_fields),
            // A time of use says that it was used.
            redeemed: redeemed.or(redeemed_on.as_ref().map(|_| true)),
            redeemed_on: redeemed_on.as_deref().and_then(time::of_engage),
        })
    }
}

/// A reward in the words of the till, from whichever of Engage's fields has them. Owned: it outlives the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    title: Option<String>,
    description: Option<String>,
    barcode: Option<String>,
    expires_on: Option<String>,
    /// What the cashier has to do.
    instruction: Option<String>,
    /// `PERCENT`, `MONEY`, `EXTERNALOFFER`, `MANUAL`, `SWIPE`, or a newer one.
    value_type: Option<String>,
    /// As it came: a number, an object with amount and currency, or a text.
    value: Option<Box<RawValue>>,
}

impl Receipt {
    fn read(raw: &RawValue, channel: Channel, wire: &Wire) -> Option<Self> {
        let fields = Object::read(raw)?;
        let channels: Vec<&RawValue> = fields.one(&["redemptionChannels"]).unwrap_or_default();
        let here = channels
            .into_iter()
            .filter_map(Object::read)
            .find(|there| there.text(&["type"]).is_some_and(|name| name.eq_ignore_ascii_case(channel.word())));
        let here = here.unwrap_or_default();
        Some(Self {
            title: fields.text(&wire.title_fields),
            description: fields.text(&wire.description_fields),
            barcode: fields.digits(&wire.barcode_fields).or_else(|| here.digits(&wire.barcode_fields)),
            expires_on: fields.text(&wire.expires_on_fields),
            instruction: here.text(&["instruction"]),
            value_type: here.text(&["valueType"]),
            value: here.one::<&RawValue>(&["value"]).map(ToOwned::to_owned),
        })
    }
}
