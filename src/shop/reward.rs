//! Which reward a purchase gave. Engage may say so; where it does not, the member's rewards before and after tell, or they do not,
//! and then that is said: the till must not use up a reward that came from somewhere else.

use crate::engage::{Given, Reward};
use crate::id::{AssignmentId, ContactId};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How sure it is which reward it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Certainty {
    /// Engage names it in the purchase.
    Explicit,
    /// It is the only one that came since the rewards were looked at before the purchase.
    NewSincePurchase,
    /// It is the only one of the item's promotion that the member has and that is not known to be from elsewhere.
    OnlyCandidate,
    /// There are several.
    Ambiguous,
    /// There is none (yet).
    None,
}

/// Chooses among the member's `rewards`: the certainty, and the places of those that may be it. With a certainty that names
/// one, that is exactly one; `Explicit` has none where the reward itself is not in the list.
pub(crate) fn choose(
    given: &Given,
    before: Option<&[AssignmentId]>,
    rewards: &[Reward],
    is_taken: impl Fn(AssignmentId) -> bool,
) -> (Certainty, Vec<usize>) {
    let places = |fits: &dyn Fn(&Reward) -> bool| {
        rewards.iter().enumerate().filter(|(_, reward)| fits(reward)).map(|(at, _)| at).collect::<Vec<_>>()
    };
    if given.assignment.is_some() {
        return (Certainty::Explicit, places(&|reward| reward.id == given.assignment));
    }
    let fits = |reward: &Reward| {
        let Some(id) = reward.id else { return false };
        let other_promotion = given.promotion.is_some() && reward.promotion != given.promotion;
        // Used before the purchase was made: by Engage's clock both, so the till's does not matter.
        let used_before = reward.redeemed_on.zip(given.made_on).is_some_and(|(used, made)| used < made);
        let known_before = before.is_some_and(|before| before.contains(&id));
        !other_promotion && !used_before && !known_before && !is_taken(id)
    };
    let found = places(&fits);
    let certainty = match (found.len(), before, given.promotion) {
        (0, ..) => Certainty::None,
        (1, Some(_), _) => Certainty::NewSincePurchase,
        (1, None, Some(_)) => Certainty::OnlyCandidate,
        _ => Certainty::Ambiguous,
    };
    (certainty, found)
}

/// For how long a look at a member's rewards counts as the state before a purchase.
const RECENT: Duration = Duration::from_secs(600);
/// Members at one till within that time.
const CAPACITY: usize = 256;

/// The rewards that members were last seen to have.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<ContactId, (Instant, Vec<AssignmentId>)>>);

impl Seen {
    /// `rewards` were asked for at `asked`.
    pub fn note(&self, contact: ContactId, asked: Instant, rewards: &[Reward]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| at.elapsed() < RECENT);
        if seen.len() < CAPACITY {
            seen.insert(contact, (asked, rewards.iter().filter_map(|reward| reward.id).collect()));
        }
    }

    /// What was seen lately. Taken: a purchase changes it.
    pub fn take(&self, contact: ContactId) -> Option<Vec<AssignmentId>> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&contact).filter(|(at, _)| at.elapsed() < RECENT).map(|(_, rewards)| rewards)
    }

    pub fn has(&self, contact: ContactId) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&contact).is_some_and(|(at, _)| at.elapsed() < RECENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OURS: Uuid = Uuid::from_u128(1);

    fn id(number: u128) -> AssignmentId {
        AssignmentId::from_uuid(Uuid::from_u128(number))
    }

    fn reward(number: u128, promotion: u128) -> Reward {
        Reward { id: Some(id(number)), promotion: Some(Uuid::from_u128(promotion)), ..Reward::default() }
    }

    fn chosen(given: &Given, before: Option<&[AssignmentId]>, rewards: &[Reward]) -> (Certainty, Vec<usize>) {
        choose(given, before, rewards, |_| false)
    }

    #[test]
    fn what_engage_states_is_believed() {
        let given = Given { assignment: Some(id(7)), ..Given::default() };
        assert_eq!(chosen(&given, None, &[reward(6, 1), reward(7, 1)]), (Certainty::Explicit, vec![1]));
        assert_eq!(chosen(&given, None, &[]), (Certainty::Explicit, vec![]));
    }

    #[test]
    fn what_came_since_the_look_before_is_the_purchases() {
        let given = Given { promotion: Some(OURS), ..Given::default() };
        let rewards = [reward(1, 1), reward(2, 1), reward(3, 2)];
        assert_eq!(chosen(&given, Some(&[id(1)]), &rewards), (Certainty::NewSincePurchase, vec![1]));
        assert_eq!(chosen(&given, Some(&[id(1), id(2)]), &rewards), (Certainty::None, vec![]));
        assert_eq!(chosen(&given, Some(&[]), &rewards), (Certainty::Ambiguous, vec![0, 1]));
    }

    #[test]
    fn without_a_look_before_only_a_single_one_of_the_promotion_is_certain() {
        let given = Given { promotion: Some(OURS), ..Given::default() };
        assert_eq!(chosen(&given, None, &[reward(1, 1), reward(3, 2)]), (Certainty::OnlyCandidate, vec![0]));
        assert_eq!(chosen(&given, None, &[reward(1, 1), reward(2, 1)]), (Certainty::Ambiguous, vec![0, 1]));
        // Nor where it is not known which promotion it is.
        assert_eq!(chosen(&Given::default(), None, &[reward(1, 1)]), (Certainty::Ambiguous, vec![0]));
    }

    #[test]
    fn what_is_known_to_be_from_elsewhere_is_left_out() {
        let given = Given { promotion: Some(OURS), made_on: Some(100), ..Given::default() };
        let rewards = |used| [reward(1, 1), Reward { redeemed_on: Some(used), ..reward(2, 1) }, reward(3, 1)];
        assert_eq!(choose(&given, None, &rewards(99), |it| it == id(1)), (Certainty::OnlyCandidate, vec![2]));
        assert_eq!(choose(&given, None, &rewards(100), |it| it == id(1)), (Certainty::Ambiguous, vec![1, 2]));
    }

    #[test]
    fn a_look_counts_once() {
        let seen = Seen::default();
        let contact = ContactId::from_uuid(OURS);
        assert_eq!(seen.take(contact), None);
        seen.note(contact, Instant::now(), &[reward(1, 1)]);
        assert!(seen.has(contact));
        assert_eq!(seen.take(contact), Some(vec![id(1)]));
        assert_eq!(seen.take(contact), None);
    }
}
