//! `POST /api/v3/promotion-assignments/{id}/redeem`: using a reward, and what became of it. There is no idempotency key and no undo.

use super::errors::{self, ErrorBody};
use super::order::{Facts, RedeemOrder, Redeemed, Verdict};
use super::rewards::Reward;
use super::{Engage, purchases, shape};
use crate::code::{Code, Outcome};
use crate::error::Detail;
use crate::secret::Secret;
use crate::transport::{Answer, Call, Request};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

impl Engage {
    /// Uses the reward. Never repeated in here.
    pub(super) fn redeem(&self, order: &RedeemOrder, call: &Arc<Call>) -> Verdict {
        let request = Request {
            path: Secret::new(format!("/api/v3/promotion-assignments/{}/redeem", order.assignment)),
            body: Some(json!({ "redemptionChannel": order.channel.word() }).to_string().into_bytes()),
            operation: Some(order.operation),
        };
        match self.send(&request, call) {
            Ok(answer) => self.judge_redeem(order, answer),
            Err(failure) => purchases::judge_failure(&failure),
        }
    }

    fn judge_redeem(&self, order: &RedeemOrder, answer: Answer) -> Verdict {
        if !matches!(answer.status, 200 | 201 | 204) {
            let body = ErrorBody::of(&answer);
            let code = errors::redeem(answer.status, &body);
            let detail = errors::detail(&answer, &body);
            return match code.row().outcome {
                _ if code == Code::AlreadyRedeemed => Verdict::Redeemed(Redeemed { detail, ..Redeemed::default() }),
                Outcome::Declined => Verdict::Declined(Facts { code, detail, cause: errors::cause(&answer, &body) }),
                _ => Verdict::Unknown(Facts { code, detail, cause: errors::cause(&answer, &body) }),
            };
        }
        let detail = Detail { http_status: Some(answer.status), ..Detail::default() };
        let bad = || Verdict::Unknown(Facts { detail: detail.clone(), ..Facts::of(Code::PendingInvalidResponse) });
        let Ok(text) = String::from_utf8(shape::body_without_bom(answer.body)) else { return bad() };
        // What a success carries is documented nowhere. Nothing at all is a yes as well; a page is not Engage's.
        if text.trim().is_empty() {
            return Verdict::Completed { answer: String::new() };
        }
        let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else { return bad() };
        match Reward::read(raw, &self.wire) {
            Some(reward) if reward.id.is_some_and(|id| id != order.assignment) => bad(),
            Some(reward) if reward.redeemed == Some(false) => bad(),
            _ => Verdict::Completed { answer: raw.get().to_owned() },
        }
    }

    /// Looks at the reward among the member's.
    pub(super) fn find_redeem(&self, order: &RedeemOrder, call: &Arc<Call>) -> Verdict {
        let Some(contact) = order.contact else { return Verdict::Unseen };
        let rewards = match self.rewards(contact, order.channel, call) {
            Ok(rewards) => rewards,
            Err(error) if error.code() == Code::InvalidContact => return Verdict::Unseen,
            Err(error) => return Verdict::Unknown(purchases::unknown_look(&error)),
        };
        let rewards = self.read_rewards(&rewards);
        let Some((raw, reward)) = rewards.into_iter().find(|(_, reward)| reward.id == Some(order.assignment)) else {
            return Verdict::Unseen;
        };
        match reward.redeemed {
            Some(false) => Verdict::Absent,
            Some(true) => Verdict::Redeemed(Redeemed {
                reward: Some(raw.get().to_owned()),
                on: reward.redeemed_on,
                detail: Detail { http_status: Some(200), ..Detail::default() },
            }),
            None => Verdict::Unseen,
        }
    }
}
