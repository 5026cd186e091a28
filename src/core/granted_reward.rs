//! Which reward a purchase gave. Engage may name it. Where Engage does not, the rewards before and
//! after the purchase are compared. An ambiguity is reported, so that no other reward is redeemed.

use super::domain::Millis;
use super::id::AssignmentId;
use serde::Serialize;
use uuid::Uuid;

/// The fields of a reward that a decision needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reward {
    /// The member's own instance.
    pub id: Option<AssignmentId>,
    /// The template of the reward, which the item names too.
    pub promotion: Option<Uuid>,
    /// Whether it is redeemed, if known.
    pub redeemed: Option<bool>,
    /// The time of the redeem, by Engage's clock.
    pub redeemed_on: Option<Millis>,
}

/// The fields of a completed purchase that say which reward it gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The reward itself, where Engage names it.
    pub assignment: Option<AssignmentId>,
    /// The template of the reward.
    pub promotion: Option<Uuid>,
    /// The time of the purchase, by Engage's clock.
    pub made_on: Option<Millis>,
}

/// Which operation of the journal has a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    /// Another purchase gave it.
    Purchase,
    /// It was redeemed before the purchase, and which purchase gave it is not known.
    Redeem,
}

/// How certain the reward of a purchase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Certainty {
    /// Engage names it in the purchase.
    Explicit,
    /// It is the only reward that is new since the list before the purchase.
    NewSincePurchase,
    /// It is the only reward of the item's promotion that is not known to have another source.
    OnlyCandidate,
    /// Several rewards may be the one.
    Ambiguous,
    /// No reward may be the one yet.
    None,
}

/// Chooses among the member's `rewards`. `earlier`: the reward that was found before, which stays
/// the one. Returns the certainty, and the places of the rewards that may be the one: exactly one
/// where the certainty names one, or none where the list lacks a reward that is known. Where
/// `owner` fails, nothing is chosen: the only reward of a list that lags may be another purchase's.
/// `others`: this till's other purchases of the item for the member whose rewards are not known.
/// Where the list shows fewer rewards than purchases, none is certain.
pub(crate) fn choose<E>(
    grant: &Grant,
    earlier: Option<AssignmentId>,
    before: Option<&[AssignmentId]>,
    rewards: &[Reward],
    others: usize,
    owner: impl Fn(AssignmentId) -> Result<Owner, E>,
) -> Result<(Certainty, Vec<usize>), E> {
    let places = |fits: &dyn Fn(&Reward) -> Result<bool, E>| {
        let each = rewards.iter().enumerate().map(|(at, reward)| Ok(fits(reward)?.then_some(at)));
        each.filter_map(Result::transpose).collect::<Result<Vec<_>, E>>()
    };
    if let known @ Some(_) = earlier.or(grant.assignment) {
        let certainty = match (grant.assignment, before) {
            (Some(_), _) => Certainty::Explicit,
            (None, Some(_)) => Certainty::NewSincePurchase,
            (None, None) => Certainty::OnlyCandidate,
        };
        return Ok((certainty, places(&|reward| Ok(reward.id == known))?));
    }
    // A used reward of the promotion was that of one of the other purchases.
    let is_spent = |reward: &Reward| match reward.id {
        Some(id) if grant.promotion.is_some() && reward.promotion == grant.promotion => Ok(owner(id)? == Owner::Redeem),
        _ => Ok(false),
    };
    let is_free = |reward: &Reward| {
        let Some(id) = reward.id else { return Ok(false) };
        let other_promotion = grant.promotion.is_some() && reward.promotion != grant.promotion;
        // Both times are Engage's, so the till's clock does not matter.
        let used_before = reward.redeemed_on.zip(grant.made_on).is_some_and(|(used, made)| used < made);
        Ok(!other_promotion && !used_before && owner(id)? == Owner::Nobody)
    };
    let free = places(&is_free)?;
    let others = others.saturating_sub(places(&is_spent)?.len());
    let known_before = |at: &usize| before.is_some_and(|before| rewards[*at].id.is_some_and(|id| before.contains(&id)));
    let found: Vec<usize> = free.iter().copied().filter(|at| !known_before(at)).collect();
    let certainty = match (found.len(), before, grant.promotion) {
        (0, ..) => Certainty::None,
        _ if free.len() <= others => Certainty::Ambiguous,
        (1, Some(_), _) => Certainty::NewSincePurchase,
        (1, None, Some(_)) => Certainty::OnlyCandidate,
        _ => Certainty::Ambiguous,
    };
    Ok((certainty, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use uuid::Uuid;

    const OURS: Uuid = Uuid::from_u128(1);

    fn id(number: u128) -> AssignmentId {
        AssignmentId::from_uuid(Uuid::from_u128(number))
    }

    fn reward(number: u128, promotion: u128) -> Reward {
        Reward { id: Some(id(number)), promotion: Some(Uuid::from_u128(promotion)), ..Reward::default() }
    }

    fn chosen(grant: &Grant, before: Option<&[AssignmentId]>, rewards: &[Reward]) -> (Certainty, Vec<usize>) {
        choose::<Infallible>(grant, None, before, rewards, 0, |_| Ok(Owner::Nobody)).unwrap()
    }

    #[test]
    fn reward_that_was_found_stays_the_one() {
        let of = |grant: &Grant, before: Option<&[AssignmentId]>| {
            choose::<Infallible>(grant, Some(id(2)), before, &[reward(1, 1), reward(2, 1)], 9, |_| Ok(Owner::Purchase))
                .unwrap()
        };
        let named = Grant { assignment: Some(id(2)), ..Grant::default() };
        assert_eq!(of(&named, None), (Certainty::Explicit, vec![1]));
        assert_eq!(of(&Grant::default(), None), (Certainty::OnlyCandidate, vec![1]));
        assert_eq!(of(&Grant::default(), Some(&[])), (Certainty::NewSincePurchase, vec![1]));
    }

    #[test]
    fn fewer_rewards_than_purchases_are_ambiguous() {
        let grant = Grant { promotion: Some(OURS), ..Grant::default() };
        let of = |before: Option<&[AssignmentId]>, rewards: &[Reward], others| {
            let owner = |it| Ok(if it == id(9) { Owner::Redeem } else { Owner::Nobody });
            choose::<Infallible>(&grant, None, before, rewards, others, owner).unwrap().0
        };
        assert_eq!(of(None, &[reward(1, 1)], 1), Certainty::Ambiguous);
        assert_eq!(of(Some(&[]), &[reward(1, 1)], 1), Certainty::Ambiguous);
        // The other one's reward was there before.
        assert_eq!(of(Some(&[id(1)]), &[reward(1, 1), reward(2, 1)], 1), Certainty::NewSincePurchase);
        assert_eq!(of(Some(&[id(1)]), &[reward(1, 1)], 1), Certainty::None);
        // The other one's reward is used.
        assert_eq!(of(None, &[reward(1, 1), reward(9, 1)], 1), Certainty::OnlyCandidate);
        assert_eq!(of(None, &[reward(1, 1), reward(9, 1)], 2), Certainty::Ambiguous);
        assert_eq!(of(None, &[reward(1, 1), reward(9, 2)], 1), Certainty::Ambiguous);
        // One of another promotion does not count.
        assert_eq!(of(None, &[reward(1, 1), reward(2, 2)], 1), Certainty::Ambiguous);
    }

    #[test]
    fn nothing_is_chosen_where_the_journal_fails() {
        let grant = Grant { promotion: Some(OURS), ..Grant::default() };
        assert_eq!(choose(&grant, None, None, &[reward(1, 1)], 0, |_| Err("the disk hangs")), Err("the disk hangs"));
        let explicit = Grant { assignment: Some(id(1)), ..grant };
        let found = choose(&explicit, None, None, &[reward(1, 1)], 0, |_| Err("the disk hangs"));
        assert_eq!(found, Ok((Certainty::Explicit, vec![0])), "nothing is asked");
    }

    #[test]
    fn reward_named_by_engage_is_explicit() {
        let grant = Grant { assignment: Some(id(7)), ..Grant::default() };
        assert_eq!(chosen(&grant, None, &[reward(6, 1), reward(7, 1)]), (Certainty::Explicit, vec![1]));
        assert_eq!(chosen(&grant, None, &[]), (Certainty::Explicit, vec![]));
    }

    #[test]
    fn reward_new_since_the_list_is_the_purchases() {
        let grant = Grant { promotion: Some(OURS), ..Grant::default() };
        let rewards = [reward(1, 1), reward(2, 1), reward(3, 2)];
        assert_eq!(chosen(&grant, Some(&[id(1)]), &rewards), (Certainty::NewSincePurchase, vec![1]));
        assert_eq!(chosen(&grant, Some(&[id(1), id(2)]), &rewards), (Certainty::None, vec![]));
        assert_eq!(chosen(&grant, Some(&[]), &rewards), (Certainty::Ambiguous, vec![0, 1]));
    }

    #[test]
    fn reward_without_list_before_is_certain_only_if_single() {
        let grant = Grant { promotion: Some(OURS), ..Grant::default() };
        assert_eq!(chosen(&grant, None, &[reward(1, 1), reward(3, 2)]), (Certainty::OnlyCandidate, vec![0]));
        assert_eq!(chosen(&grant, None, &[reward(1, 1), reward(2, 1)]), (Certainty::Ambiguous, vec![0, 1]));
        // Nor where it is not known which promotion it is.
        assert_eq!(chosen(&Grant::default(), None, &[reward(1, 1)]), (Certainty::Ambiguous, vec![0]));
    }

    #[test]
    fn reward_of_another_source_is_left_out() {
        let grant = Grant { promotion: Some(OURS), made_on: Some(100), ..Grant::default() };
        let rewards = |used| [reward(1, 1), Reward { redeemed_on: Some(used), ..reward(2, 1) }, reward(3, 1)];
        let found = |used| {
            choose::<Infallible>(&grant, None, None, &rewards(used), 0, |it| {
                Ok(if it == id(1) { Owner::Purchase } else { Owner::Nobody })
            })
            .unwrap()
        };
        assert_eq!(found(99), (Certainty::OnlyCandidate, vec![2]));
        assert_eq!(found(100), (Certainty::Ambiguous, vec![1, 2]));
    }
}
