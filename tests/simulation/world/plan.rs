//! A run as plain data: the world, the tills and what their cashiers press, and every fault. A plan
//! is made from a seed, can be made smaller, and is kept as JSON.

use super::engage::Rules;
use serde::{Deserialize, Serialize};

/// Everything that a run is made of, but the order of its threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub rules: Rules,
    pub slots: Vec<Slot>,
    pub faults: Vec<Fault>,
    /// When the faults end, in s. From then on every intent must reach its end.
    pub calm_after_s: u64,
    /// The longest sync of the disk, in µs.
    pub sync_us: u64,
    /// Of 256 steps: time goes on although a task can run.
    pub slow_threads: u64,
    /// Of 256 steps: the running task goes on.
    pub stay: u64,
    pub priorities: bool,
    /// Rewards that the member has before, and that another channel may use.
    pub gifts: u8,
}

impl Plan {
    /// Whether a process that died is started again: always, if no other one of its till goes on.
    pub fn starts_again(&self, slot: usize) -> bool {
        let goes_on = |other: &Slot| other.till == self.slots[slot].till && !other.ends_for_ever;
        !self.slots[slot].ends_for_ever || !self.slots.iter().any(goes_on)
    }

    /// Whether only responses are slow: no disk, no connection, no thread.
    pub fn is_quick(&self) -> bool {
        let slow = |fault: &Fault| {
            matches!(
                fault,
                Fault::Write { .. }
                    | Fault::Pause { .. }
                    | Fault::Request { fate: Fate::Pause { .. }, .. }
                    | Fault::Request { fate: Fate::SlowConnection { .. }, .. }
                    | Fault::Outage { fate: Fate::SlowConnection { .. }, .. }
            )
        };
        let snapshots = |action: &Action| matches!(action, Action::Purchase { snapshot: true, .. });
        let mut actions = self.slots.iter().flat_map(|slot| slot.callers.iter().flatten());
        // A list of rewards before a purchase takes from the purchase's wait.
        !actions.any(snapshots) && self.slow_threads == 0 && self.sync_us <= 2_000 && !self.faults.iter().any(slow)
    }
}

/// A process of a till, started again after it was killed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub till: usize,
    pub opens_at_ms: u64,
    pub request_timeout_ms: u64,
    pub retry_schedule_ms: Vec<u64>,
    pub resend_limit_ms: u64,
    /// Of a world whose history is later than the default.
    pub history_lag_ms: Option<u64>,
    /// A process that died is not started again: see `Plan::starts_again`.
    #[serde(default)]
    pub ends_for_ever: bool,
    /// The lines of the log are kept.
    #[serde(default)]
    pub logs: bool,
    /// Cashiers, each with the actions of one after the other.
    pub callers: Vec<Vec<Action>>,
}

/// What the POS does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Purchase {
        contact: u8,
        item: u8,
        receipt: Option<u32>,
        wait_ms: u64,
        /// The sale's number, where a receipt number comes again for another sale.
        #[serde(default)]
        sale: u32,
        #[serde(default)]
        snapshot: bool,
        /// The outcome is acknowledged at once.
        #[serde(default)]
        acknowledge: bool,
    },
    /// Redeems the reward of this cashier's last completed purchase.
    UseReward {
        wait_ms: u64,
    },
    /// Redeems a reward that the member had before.
    UseGift {
        gift: u8,
        receipt: Option<u32>,
        wait_ms: u64,
        name_contact: bool,
    },
    /// Acknowledges every operation that is listed with an outcome.
    AcknowledgeAll,
    Resolve {
        wait_ms: u64,
    },
    CancelAll,
    Sleep {
        ms: u64,
    },
    /// Closes the client and opens it again.
    Reopen {
        after_ms: u64,
    },
}

/// A fault. It names its place by a number, so that one can be left out without a change of the
/// others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// The `number`th POST, or the `number`th GET.
    Request { post: bool, number: u64, fate: Fate },
    /// All requests in a time.
    Outage { from_ms: u64, until_ms: u64, fate: Fate },
    /// The process dies at an effect on the disk or the network. `power`: all processes of the
    /// till, and unsynced writes.
    Crash { slot: usize, effect: u64, power: bool },
    /// The `number`th write of a till's disk.
    Write { till: usize, number: u64, failure: WriteFailure },
    /// The `number`th read of a till's disk fails.
    Read { till: usize, number: u64 },
    /// From a time on, the till's clock is so much ahead.
    Clock { till: usize, at_ms: u64, offset_ms: i64 },
    /// A till does not run for a time. `suspended`: its monotonic clock stands, too.
    Pause { till: usize, at_ms: u64, ms: u64, suspended: bool },
    /// The member's contact id ends.
    Merge { at_ms: u64 },
    /// The promotion ends.
    Expire { at_ms: u64 },
    /// Another channel uses a reward that the member had before. At 0: an hour before the run.
    OtherUses { gift: u8, at_ms: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum WriteFailure {
    /// Nothing is written.
    Fails,
    /// The commit's sync fails: the record is in the write-ahead log.
    SyncFails,
    /// The sync fails, and so does the write that withdraws the record.
    SyncAndWithdrawalFail,
    /// The disk hangs.
    Hangs { ms: u64 },
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fate {
    /// No connection.
    Offline,
    /// The connection takes so long.
    SlowConnection { ms: u64 },
    /// The request is lost.
    LoseRequest,
    /// Engage processes the request; the response is lost.
    LoseResponse,
    /// The till does not run for a time, between its gate and the send. The response is lost.
    Pause { ms: u64, suspended: bool },
    /// The request arrives after this time, but not after its deadline.
    SlowRequest { ms: u64 },
    /// The request arrives after this time, however late.
    LateRequest { ms: u64 },
    /// The response comes after this time.
    SlowResponse { ms: u64 },
    /// The connection is reset without a response; the request has arrived or not.
    Reset { arrived: bool },
    /// A proxy sends a POST again after this time.
    Repeat { after_ms: u64 },
    /// Somebody on the way responds. `arrived`: Engage has processed the request.
    Gateway { status: u16, page: bool, arrived: bool },
    /// Engage fails with this status. `processed`: after it has processed the request.
    ServerError { status: u16, processed: bool },
    /// Engage responds with `PromotionAssignmentError`. `goes_on`: and completes the purchase all
    /// the same.
    AssignmentError { goes_on: bool },
    /// Engage responds with 429. `goes_on`: and processes the request all the same.
    RateLimited { goes_on: bool },
    /// Engage goes on processing. After this time the purchase is completed, or it fails.
    Processing { ms: u64, fails: bool },
    /// Engage processes the purchase for ever.
    ProcessingForEver,
    /// The purchase fails. `completes_ms`: and is completed later.
    Fails { completes_ms: Option<u64> },
}
