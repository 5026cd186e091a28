//! `POST /api/v3/promotion-assignments/{id}/redeem`: using a reward, and what became of it. There is no idempotency key and no undo.

use super::error_response::{self, ErrorBody};
use super::rewards::read_reward;
use super::{Engage, purchases, shape};
use crate::core::code::{Code, Outcome};
use crate::core::domain::Redeem;
use crate::core::error::Detail;
use crate::core::evidence::{Evidence, Reason, Redemption};
use crate::secret::Secret;
use crate::transport::{Call, Request, Response};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

impl Engage {
    /// Uses the reward. Never repeated in here.
    pub(super) fn redeem(&self, operation: &Redeem, call: &Arc<Call>) -> Evidence {
        let request = Request {
            path: Secret::new(format!("/api/v3/promotion-assignments/{}/redeem", operation.assignment)),
            body: Some(json!({ "redemptionChannel": operation.channel.name() }).to_string().into_bytes()),
            operation: Some(operation.id),
        };
        match self.send(&request, call) {
            Ok(response) => self.judge_redeem(operation, response),
            Err(failure) => purchases::judge_failure(&failure),
        }
    }

    fn judge_redeem(&self, operation: &Redeem, response: Response) -> Evidence {
        if !matches!(response.status, 200 | 201 | 204) {
            let body = ErrorBody::of(&response);
            let code = error_response::redeem(response.status, &body);
            let detail = error_response::detail(&response, &body);
            return match code.row().outcome {
                _ if code == Code::AlreadyRedeemed => {
                    Evidence::Redeemed(Redemption { detail, ..Redemption::default() })
                }
                Outcome::Declined => {
                    Evidence::Declined(Reason { code, detail, cause: error_response::cause(&response, &body) })
                }
                _ => Evidence::InDoubt(Reason { code, detail, cause: error_response::cause(&response, &body) }),
            };
        }
        let detail = Detail { http_status: Some(response.status), ..Detail::default() };
        let bad = || Evidence::InDoubt(Reason { detail: detail.clone(), ..Reason::of(Code::PendingInvalidResponse) });
        let Ok(text) = String::from_utf8(shape::body_without_bom(response.body)) else { return bad() };
        // What a success carries is documented nowhere. Nothing at all is a yes as well; a page is not Engage's.
        if text.trim().is_empty() {
            return Evidence::Completed { response: String::new() };
        }
        let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else { return bad() };
        match read_reward(raw, &self.api_mapping) {
            Some(reward) if reward.id.is_some_and(|id| id != operation.assignment) => bad(),
            Some(reward) if reward.redeemed == Some(false) => bad(),
            _ => Evidence::Completed { response: raw.get().to_owned() },
        }
    }

    /// Looks at the reward among the member's.
    pub(super) fn find_redeem(&self, operation: &Redeem, call: &Arc<Call>) -> Evidence {
        let Some(contact) = operation.contact else { return Evidence::Unseen };
        let rewards = match self.rewards(contact, operation.channel, call) {
            Ok(rewards) => rewards,
            Err(error) if error.code() == Code::InvalidContact => return Evidence::Unseen,
            Err(error) => return Evidence::InDoubt(purchases::failed_query(&error)),
        };
        let rewards = self.read_rewards(&rewards);
        let Some((raw, reward)) = rewards.into_iter().find(|(_, reward)| reward.id == Some(operation.assignment))
        else {
            return Evidence::Unseen;
        };
        match reward.redeemed {
            Some(false) => Evidence::Absent,
            Some(true) => Evidence::Redeemed(Redemption {
                reward: Some(raw.get().to_owned()),
                on: reward.redeemed_on,
                detail: Detail { http_status: Some(200), ..Detail::default() },
            }),
            None => Evidence::Unseen,
        }
    }
}
