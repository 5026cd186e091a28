//! `POST /api/v3/promotion-assignments/{id}/redeem`: a redeem, and the status query about it.
//! Engage has no idempotency key for it and no undo.

use super::error_response;
use super::purchases::{failed_attempt, failed_query};
use super::rewards::read_reward;
use super::{Engage, shape};
use crate::core::code::Code;
use crate::core::domain::Redeem;
use crate::core::error::Detail;
use crate::core::evidence::{AttemptResult, CLOCK_TOLERANCE_MS, QueryResult, Reason, RedeemedReward};
use crate::secret::Secret;
use crate::transport::{Call, Request, Response};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

impl Engage {
    /// Makes one attempt. This module never repeats it.
    pub(super) fn redeem(&self, redeem: &Redeem, call: &Arc<Call>) -> AttemptResult {
        let request = Request {
            name: "redeem",
            path: Secret::new(self.api_mapping.redeem_path.replace("{assignmentId}", &redeem.assignment.to_string())),
            body: Some(json!({ &*self.api_mapping.channel_field: redeem.channel.name() }).to_string().into_bytes()),
            id: self.request_id(),
            operation: Some(redeem.id),
        };
        match self.send(&request, call) {
            Ok(response) => self.redeem_result(redeem, response),
            Err(failure) => failed_attempt(&failure),
        }
    }

    /// A success counts only with a body that does not contradict it. The body is documented
    /// nowhere; none at all is no contradiction.
    fn redeem_result(&self, redeem: &Redeem, response: Response) -> AttemptResult {
        if !matches!(response.status, 200 | 201 | 204) {
            return error_response::redeem(&response);
        }
        let detail = Detail { http_status: Some(response.status), ..Detail::default() };
        let contradicted = |cause: &str| {
            AttemptResult::InDoubt(Reason {
                code: Code::PendingInvalidResponse,
                detail: detail.clone(),
                cause: vec![cause.to_owned()],
            })
        };
        match error_response::redeem(&response) {
            // A code in the body counts, whatever the status says.
            result @ (AttemptResult::Rejected { documented: true, .. }
            | AttemptResult::AlreadyRedeemed(_)
            | AttemptResult::Processing(_)
            | AttemptResult::Over(_)) => return result,
            result if result_has_code(&result) => return contradicted("the response has a success and an error code"),
            _ => {}
        }
        let Ok(text) = String::from_utf8(shape::body_without_bom(response.body)) else {
            return contradicted("the response is not UTF-8");
        };
        if text.trim().is_empty() {
            return AttemptResult::Completed { response: String::new() };
        }
        let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else {
            return contradicted("the response is not JSON");
        };
        let Some(reward) = read_reward(raw, &self.api_mapping) else {
            return contradicted("the response is not a JSON object");
        };
        if reward.id.is_some_and(|id| id != redeem.assignment) {
            return contradicted("the response is about another reward");
        }
        if reward.redeemed == Some(false) {
            return contradicted("the response says that the reward is not redeemed");
        }
        if shape::denies_success(raw) {
            return contradicted("the response says that the redeem was no success");
        }
        AttemptResult::Completed { response: shape::for_hosts(raw) }
    }

    /// Sends the status query of a redeem: the member's rewards.
    pub(super) fn query_redeem(&self, redeem: &Redeem, call: &Arc<Call>) -> QueryResult {
        let Some(contact) = redeem.contact else { return QueryResult::Impossible };
        let invalid = |cause: &str| {
            QueryResult::NoEvidence(Reason {
                cause: vec![cause.to_owned()],
                ..Reason::of(Code::PendingInvalidResponse)
            })
        };
        let (rewards, date) = match self.rewards_of_now(contact, redeem.channel, call) {
            Ok(Some(found)) => found,
            Ok(None) => return invalid("the list of rewards is a cache's copy (Age) and not of now"),
            Err(error) => return QueryResult::NoEvidence(failed_query(&error)),
        };
        let rewards = self.read_rewards(&rewards);
        let Some((raw, reward)) = rewards.into_iter().find(|(_, reward)| reward.id == Some(redeem.assignment)) else {
            return QueryResult::Unseen;
        };
        match reward.redeemed {
            Some(false) => QueryResult::NotRedeemed,
            Some(true) => QueryResult::Redeemed(RedeemedReward {
                reward: Some(shape::for_hosts(raw)).filter(|reward| !reward.is_empty()),
                // One that has not come yet is no time of a redeem.
                on: reward.redeemed_on.filter(|on| date.is_none_or(|date| *on <= date + CLOCK_TOLERANCE_MS)),
                detail: Detail { http_status: Some(200), ..Detail::default() },
                ..RedeemedReward::default()
            }),
            None => invalid("the reward does not say whether it is redeemed"),
        }
    }
}

/// Whether a result carries any code of Engage.
fn result_has_code(result: &AttemptResult) -> bool {
    match result {
        AttemptResult::Rejected { reason, .. } | AttemptResult::InDoubt(reason) => reason.detail.engage_code.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
