//! The rewards that members had at the last list, so that a new reward can be distinguished.

use crate::core::granted_reward::Reward;
use crate::core::id::{AssignmentId, ContactId};
use crate::rt::{BootTime, Mutex, lock};
use std::collections::HashMap;
use std::time::Duration;

/// How long a list of rewards counts as the state before a purchase.
const RECENT: Duration = Duration::from_secs(600);
/// Members that one till may keep within that time.
const CAPACITY: usize = 256;

/// The last known rewards of members, with the time of the list.
#[derive(Default)]
pub(crate) struct RewardSnapshots(Mutex<HashMap<ContactId, (BootTime, Vec<AssignmentId>)>>);

impl RewardSnapshots {
    /// Stores the rewards of a list that was requested at `listed_at`.
    pub fn store(&self, contact: ContactId, listed_at: BootTime, rewards: &[Reward]) {
        let mut snapshots = lock(&self.0);
        snapshots.retain(|_, (at, _)| at.elapsed() < RECENT);
        if snapshots.len() < CAPACITY {
            snapshots.insert(contact, (listed_at, rewards.iter().filter_map(|reward| reward.id).collect()));
        }
    }

    /// Takes a recent snapshot out: a purchase changes the rewards.
    pub fn take(&self, contact: ContactId) -> Option<Vec<AssignmentId>> {
        let snapshot = lock(&self.0).remove(&contact);
        snapshot.filter(|(at, _)| at.elapsed() < RECENT).map(|(_, rewards)| rewards)
    }

    /// Whether a recent snapshot exists.
    pub fn has(&self, contact: ContactId) -> bool {
        lock(&self.0).get(&contact).is_some_and(|(at, _)| at.elapsed() < RECENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn snapshot_taken_twice_is_given_once() {
        let snapshots = RewardSnapshots::default();
        let contact = ContactId::from_uuid(Uuid::from_u128(1));
        let reward = AssignmentId::from_uuid(Uuid::from_u128(2));
        assert_eq!(snapshots.take(contact), None);
        snapshots.store(contact, BootTime::now(), &[Reward { id: Some(reward), ..Reward::default() }]);
        assert!(snapshots.has(contact));
        assert_eq!(snapshots.take(contact), Some(vec![reward]));
        assert_eq!(snapshots.take(contact), None);
    }
}
