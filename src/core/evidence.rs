//! What an HTTP response, or its absence, proves about an operation. The rules need few assumptions
//! about Engage, numbered as in docs/durability.md:
//!
//! - **A1** A repeat with the same purchase id and contact never deducts twice.
//! - **A2** A purchase that was or is being processed is in a complete history of its contact, at
//!   the latest `historyLagMs` after the in-flight window of its attempt.
//! - **A3** A failed purchase was not deducted, and its id stays failed.
//! - **A4** A documented rejection of the only attempt means that nothing was deducted.
//! - **A5** 429 and `PromotionAssignmentError` mean that the attempt is over.
//! - **A6** A 400, 401, 403, 404 or 422 is sent in the place of processing the attempt, not after
//!   it.
//! - **A7** Nobody else uses the reward of a redeem within a minute of the time in which an attempt
//!   of it may be processed: Engage does not state who has used a reward.

use super::code::Code;
use super::domain::Millis;
use super::error::Detail;
use super::intent::{Intent, IntentState};

/// Why an operation is not completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The code that the caller gets.
    pub code: Code,
    /// The response's status and code, if there was one.
    pub detail: Detail,
    /// The failure in text, outermost first.
    pub cause: Vec<String>,
}

impl Reason {
    /// Makes a reason that has a code only.
    pub fn of(code: Code) -> Self {
        Self { code, detail: Detail::default(), cause: Vec::new() }
    }
}

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AttemptResult {
    /// Engage states that the operation is completed.
    Completed {
        /// Engage's own JSON: the purchase or the reward. Empty where the response had no body.
        response: String,
    },
    /// Engage, or something on the way, rejected the attempt.
    Rejected {
        /// The rejection.
        reason: Reason,
        /// Engage's documented code stood in the response.
        documented: bool,
    },
    /// Engage states that the reward is redeemed already.
    AlreadyRedeemed(Reason),
    /// Engage states that it processes the operation, or that it may be processed.
    Processing(Reason),
    /// The attempt is over, and its effect is not known (429, `PromotionAssignmentError`).
    Over(Reason),
    /// Bytes of the request may have left, and nothing else is proven.
    InDoubt(Reason),
    /// The connection ended before the first byte of a response. The request may have left.
    Reset(Reason),
    /// No byte of the request has left the till.
    NotSent(Reason),
}

/// The result of one status query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryResult {
    /// A row of the operation is completed.
    Completed {
        /// Engage's own JSON.
        response: String,
    },
    /// Every row of the purchase id is failed.
    Failed(Reason),
    /// A row of the operation is there and has no end yet.
    Processing(Reason),
    /// A complete and readable history with at least one row, none of them of this purchase.
    Absent,
    /// The history's own 404, or an empty list: no purchases, or no such contact.
    NoHistory,
    /// A history without a row of this purchase, but with rows that could not be read.
    Unreadable(Reason),
    /// A history without a row of this purchase. Its record may be a lost one's second, and
    /// purchases of the same item are in it that the journal does not know.
    Similar {
        /// Engage's own JSON, if there is one such purchase only.
        response: Option<String>,
        /// What was found, in text.
        cause: String,
    },
    /// The reward is in the list and not redeemed.
    NotRedeemed,
    /// The reward is redeemed, by this till or by somebody else.
    Redeemed(RedeemedReward),
    /// A readable list without the reward.
    Unseen,
    /// No status query is possible: the POS named no contact.
    Impossible,
    /// The query failed, or its response is not complete or not readable.
    NoEvidence(Reason),
}

/// A reward that is redeemed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RedeemedReward {
    /// The reward as Engage sent it.
    pub reward: Option<String>,
    /// The time of the redeem, by Engage's clock.
    pub on: Option<Millis>,
    /// The response's status and code.
    pub detail: Detail,
    /// Another operation of this till has redeemed it, or had found it redeemed before.
    pub by_other_operation: bool,
    /// Another operation of this till may have redeemed it: its outcome is not known.
    pub other_in_doubt: bool,
}

impl RedeemedReward {
    /// Adds what the other redeems of the reward in the journal say. `redeems`: None if they could
    /// not be read.
    pub fn compare(&mut self, redeem: &Intent, redeems: Option<&[Intent]>) {
        let others = || redeems.unwrap_or_default().iter().filter(|other| other.id() != redeem.id());
        self.by_other_operation =
            redeem.progress.redeemed_before || others().any(|other| other.state == IntentState::Completed);
        self.other_in_doubt = redeems.is_none() || others().any(|other| !other.state.is_final());
    }
}

impl AttemptResult {
    /// Returns the code that a log line shows.
    pub fn code(&self) -> Code {
        match self {
            AttemptResult::Completed { .. } => Code::Ok,
            AttemptResult::Rejected { reason, .. }
            | AttemptResult::AlreadyRedeemed(reason)
            | AttemptResult::Processing(reason)
            | AttemptResult::Over(reason)
            | AttemptResult::InDoubt(reason)
            | AttemptResult::Reset(reason)
            | AttemptResult::NotSent(reason) => reason.code,
        }
    }
}

impl QueryResult {
    /// Returns the code that a log line shows.
    pub fn code(&self) -> Code {
        match self {
            QueryResult::Completed { .. } => Code::Ok,
            QueryResult::Failed(reason)
            | QueryResult::Processing(reason)
            | QueryResult::Unreadable(reason)
            | QueryResult::NoEvidence(reason) => reason.code,
            QueryResult::Redeemed(_) => Code::AlreadyRedeemed,
            QueryResult::Similar { .. } => Code::PendingAmbiguous,
            QueryResult::Absent
            | QueryResult::NoHistory
            | QueryResult::NotRedeemed
            | QueryResult::Unseen
            | QueryResult::Impossible => Code::Pending,
        }
    }
}

/// The weight of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectionWeight {
    /// `PointShopItemPurchaseFailed`: if it is clear, a proof whatever came before (A3).
    Failed,
    /// A documented code about the item, the promotion, the reward or the channel.
    Offer,
    /// A documented code about the contact. A member who was merged or erased causes it too.
    Contact,
    /// 401 or 403.
    Credentials,
    /// 400, 404 or 422 without a documented code.
    Undocumented,
}

impl RejectionWeight {
    /// Returns the weight of a rejection with this code.
    pub fn of(code: Code) -> Self {
        match code {
            Code::PurchaseFailed => RejectionWeight::Failed,
            Code::ContactNotFound | Code::InvalidContact | Code::RewardNotOfContact => RejectionWeight::Contact,
            Code::Unauthorized | Code::Forbidden => RejectionWeight::Credentials,
            Code::PromotionNotFound
            | Code::PromotionExpired
            | Code::InvalidChannel
            | Code::InvalidReward
            | Code::RewardNotForChannel => RejectionWeight::Offer,
            _ => RejectionWeight::Undocumented,
        }
    }
}

/// What a rejection of an attempt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectionRule {
    /// Nothing was deducted.
    Declined,
    /// One status query decides; no further attempt.
    Confirm,
    /// No further attempt. Only a history after the history lag, or a person, decides.
    ConfirmLate,
    /// Pending, and sent again as before.
    Retry,
}

/// Decides about a rejected attempt. `documented`: Engage's documented code stood in the response.
pub(crate) fn after_rejection(intent: &Intent, code: Code, documented: bool) -> RejectionRule {
    match (RejectionWeight::of(code), intent.earlier_in_doubt) {
        // A3.
        (RejectionWeight::Failed, _) if documented => RejectionRule::Declined,
        // Another till or a lost journal may have made an attempt with the same id.
        (_, false) if intent.progress.shared_id => RejectionRule::Confirm,
        // A4.
        (RejectionWeight::Offer | RejectionWeight::Contact | RejectionWeight::Undocumented, false) if documented => {
            RejectionRule::Declined
        }
        // A6 alone would do. The query makes the rule hold without it, where the history is up to
        // date.
        (_, false) => RejectionRule::Confirm,
        // A rejection by the key says nothing about an earlier attempt, and may be cured.
        (RejectionWeight::Credentials, true) => RejectionRule::Retry,
        // An earlier attempt may have been processed. A repeat could only be rejected again.
        (_, true) => RejectionRule::ConfirmLate,
    }
}

/// The facts that a status query without a row is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryTime {
    /// The query was sent after the in-flight window of the last attempt.
    pub in_flight_over: bool,
    /// The query was sent after that window and the history lag, by a clock that ran steadily since
    /// the attempt.
    pub history_complete: bool,
    /// The operation is older than the resend limit.
    pub past_resend_limit: bool,
    /// Time until `history_complete`, in ms.
    pub until_complete_ms: Millis,
    /// The age of the operation, in ms.
    pub age_ms: Millis,
}

/// What a status query without a row of the purchase means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AbsenceRule {
    /// The rejection before it was the last word: nothing was deducted.
    Declined,
    /// One more attempt with the same id.
    Resend,
    /// Nothing is proven.
    Pending,
}

/// Decides about a purchase whose status query showed no row. `after_reset`: the last attempt ended
/// by a reset.
pub(crate) fn after_absence(intent: &Intent, result: &QueryResult, time: QueryTime, after_reset: bool) -> AbsenceRule {
    let rejection = intent.progress.rejection.as_ref().and_then(|rejection| Code::from_number(rejection.code));
    let readable = matches!(result, QueryResult::Absent | QueryResult::NoHistory | QueryResult::Unreadable(_));
    // Engage has processed it once, so that a missing row proves nothing any more.
    let row_proves = !intent.progress.processing_seen;
    match rejection {
        // A6, or an up-to-date history.
        Some(_) if !intent.earlier_in_doubt => match result {
            QueryResult::Absent | QueryResult::NoHistory if row_proves => AbsenceRule::Declined,
            QueryResult::NoEvidence(reason) if same_credentials(rejection, reason.code) => AbsenceRule::Declined,
            _ => AbsenceRule::Pending,
        },
        // A2, and A4 for the attempt that was rejected. An empty history may be that of an erased
        // contact.
        Some(code) if RejectionWeight::of(code) != RejectionWeight::Contact => match result {
            QueryResult::Absent if row_proves && time.history_complete => AbsenceRule::Declined,
            _ => AbsenceRule::Pending,
        },
        // Of a lost record the id is not known, unless it is the POS's own or a derived one: A1
        // then holds. Else only a complete history shows that there was no attempt (A2).
        None if intent.progress.query_first => match result {
            _ if readable && intent.progress.shared_id => AbsenceRule::Resend,
            QueryResult::Absent | QueryResult::NoHistory if time.history_complete => AbsenceRule::Resend,
            _ => AbsenceRule::Pending,
        },
        // A1: an attempt too many deducts nothing. The in-flight window keeps the server's load
        // low.
        None if readable && (time.in_flight_over || after_reset) => AbsenceRule::Resend,
        _ => AbsenceRule::Pending,
    }
}

/// Whether a query was rejected for the same reason as the attempt before it.
fn same_credentials(rejection: Option<Code>, query: Code) -> bool {
    matches!(
        (rejection, query),
        (Some(Code::Unauthorized), Code::Unauthorized) | (Some(Code::Forbidden), Code::Forbidden)
    )
}

/// Tolerance between clocks, in ms: the `Date` header may be a relay's.
pub(crate) const CLOCK_TOLERANCE_MS: Millis = 60_000;

/// The party that has used a redeemed reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedeemedBy {
    /// This till.
    Us,
    /// Somebody else.
    Other,
    /// Nothing proves either.
    Unclear,
}

/// Decides who has used a reward. Within the processing window of an attempt it was this till:
/// anybody else would have had to use the same reward in these seconds (A7). Well before or after
/// each of them, it was somebody else. All times are Engage's. Where another operation of this till
/// may have used it, no time decides.
pub(crate) fn redeemed_by(intent: &Intent, found: &RedeemedReward) -> RedeemedBy {
    if found.by_other_operation {
        return RedeemedBy::Other;
    }
    let Some(on) = found.on else { return RedeemedBy::Unclear };
    let earlier = &intent.progress.earlier_windows;
    if found.other_in_doubt {
        return RedeemedBy::Unclear;
    }
    let mut windows = earlier.iter().copied().chain(intent.processing_window);
    if windows.clone().any(|(from, until)| (from..=until).contains(&on)) {
        return RedeemedBy::Us;
    }
    let all_known = intent.processing_window.is_some() && !intent.progress.window_lost;
    let is_far = |(from, until)| on + CLOCK_TOLERANCE_MS < from || until + CLOCK_TOLERANCE_MS < on;
    if all_known && windows.all(is_far) { RedeemedBy::Other } else { RedeemedBy::Unclear }
}

/// Whether a stored intent makes later evidence void: a completion is never void unless it is
/// stored already (invariant 11); any other evidence is void for a final intent and for one that
/// was sent again.
pub(crate) fn is_overtaken(ours: &Intent, stored: &Intent, completed: bool) -> bool {
    if completed {
        return stored.state == IntentState::Completed;
    }
    stored.state.is_final() || stored.detail.attempts != ours.detail.attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::domain::Purchase;
    use crate::core::id::{ContactId, ItemId, OperationId};
    use crate::core::intent;
    use uuid::Uuid;

    fn intent(earlier_in_doubt: bool, rejection: Option<Code>) -> Intent {
        let id = Uuid::from_u128(1);
        let purchase =
            Purchase { id: OperationId::from_uuid(id), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
        let mut intent = Intent { earlier_in_doubt, ..Intent::new(purchase.into(), None, 0, 0) };
        intent.progress.rejection =
            rejection.map(|code| intent::Rejection { code: code.number(), http_status: None, engage_code: None });
        intent
    }

    #[test]
    fn rejection_of_each_weight_has_its_rule() {
        use RejectionRule::{Confirm, ConfirmLate, Declined, Retry};
        let rows = [
            (Code::PurchaseFailed, true, Declined, Declined),
            (Code::PurchaseFailed, false, Confirm, ConfirmLate),
            (Code::PromotionExpired, true, Declined, ConfirmLate),
            (Code::ContactNotFound, true, Declined, ConfirmLate),
            (Code::ItemNotFound, false, Confirm, ConfirmLate),
            (Code::PurchaseNotAllowed, false, Confirm, ConfirmLate),
            (Code::InvalidRequest, false, Confirm, ConfirmLate),
            (Code::Unauthorized, false, Confirm, Retry),
            (Code::Forbidden, false, Confirm, Retry),
        ];
        for (code, documented, only, repeat) in rows {
            assert_eq!(after_rejection(&intent(false, None), code, documented), only, "{code:?} to the only attempt");
            assert_eq!(after_rejection(&intent(true, None), code, documented), repeat, "{code:?} to a repeat");
        }
    }

    #[test]
    fn absence_of_each_kind_has_its_rule() {
        use AbsenceRule::{Declined, Pending, Resend};
        let failed = |code| QueryResult::NoEvidence(Reason::of(code));
        let time = |over| QueryTime {
            in_flight_over: over,
            history_complete: over,
            past_resend_limit: false,
            until_complete_ms: 0,
            age_ms: 0,
        };
        let (late, early) = (time(true), time(false));
        let rows = [
            // The only attempt was rejected.
            (false, Some(Code::ItemNotFound), QueryResult::Absent, early, Declined),
            (false, Some(Code::ItemNotFound), QueryResult::NoHistory, early, Declined),
            (false, Some(Code::ItemNotFound), failed(Code::Unauthorized), early, Pending),
            (false, Some(Code::Unauthorized), failed(Code::Unauthorized), early, Declined),
            (false, Some(Code::Unauthorized), failed(Code::Forbidden), early, Pending),
            (false, Some(Code::ItemNotFound), failed(Code::ServerError), late, Pending),
            // A repeat was rejected.
            (true, Some(Code::ItemNotFound), QueryResult::Absent, late, Declined),
            (true, Some(Code::ItemNotFound), QueryResult::Absent, early, Pending),
            (true, Some(Code::ItemNotFound), QueryResult::NoHistory, late, Pending),
            (true, Some(Code::ContactNotFound), QueryResult::Absent, late, Pending),
            // Nothing was rejected.
            (false, None, QueryResult::Absent, early, Pending),
            (false, None, QueryResult::Absent, late, Resend),
            (true, None, QueryResult::NoHistory, late, Resend),
            (true, None, failed(Code::ServerError), late, Pending),
        ];
        for (doubt, rejection, result, time, rule) in rows {
            let intent = intent(doubt, rejection);
            assert_eq!(after_absence(&intent, &result, time, false), rule, "{doubt} {rejection:?} {result:?} {time:?}");
        }
        assert_eq!(after_absence(&intent(false, None), &QueryResult::Absent, early, true), Resend, "after a reset");
        // The record may be a lost one's second: no attempt of its own was made.
        let lost = |shared_id, result: &QueryResult, time| {
            let mut intent = intent(false, None);
            (intent.progress.query_first, intent.progress.shared_id) = (true, shared_id);
            after_absence(&intent, result, time, false)
        };
        let unreadable = QueryResult::Unreadable(Reason::of(Code::Pending));
        for result in [&QueryResult::Absent, &QueryResult::NoHistory, &unreadable] {
            assert_eq!(lost(true, result, early), Resend, "{result:?} of a known id");
            assert_eq!(lost(false, result, early), Pending, "{result:?} of an unknown id");
        }
        assert_eq!(lost(false, &QueryResult::Absent, late), Resend);
        assert_eq!(lost(false, &QueryResult::NoHistory, late), Resend);
        assert_eq!(lost(false, &unreadable, late), Pending);
        assert_eq!(lost(true, &failed(Code::ServerError), late), Pending);
        let mut processing = intent(true, Some(Code::ItemNotFound));
        processing.progress.processing_seen = true;
        assert_eq!(after_absence(&processing, &QueryResult::Absent, late, false), Pending, "Engage was processing it");
    }

    #[test]
    fn redeemer_is_decided_by_engages_times() {
        let window = Some((1_000_000, 1_060_000));
        let rows = [
            (window, Some(1_000_000), RedeemedBy::Us),
            (window, Some(1_060_000), RedeemedBy::Us),
            (window, Some(999_999), RedeemedBy::Unclear),
            (window, Some(1_060_001), RedeemedBy::Unclear),
            (window, Some(1_000_000 - CLOCK_TOLERANCE_MS - 1), RedeemedBy::Other),
            (window, Some(1_060_000 + CLOCK_TOLERANCE_MS + 1), RedeemedBy::Other),
            (window, None, RedeemedBy::Unclear),
            (None, Some(1_000_000), RedeemedBy::Unclear),
        ];
        for (window, on, expected) in rows {
            let found = |by_other_operation| RedeemedReward { on, by_other_operation, ..RedeemedReward::default() };
            let redeem = Intent { processing_window: window, ..intent(false, None) };
            assert_eq!(redeemed_by(&redeem, &found(false)), expected, "{window:?} {on:?}");
            assert_eq!(redeemed_by(&redeem, &found(true)), RedeemedBy::Other, "{window:?} {on:?}");
            let doubt = RedeemedReward { other_in_doubt: true, ..found(false) };
            assert_eq!(redeemed_by(&redeem, &doubt), RedeemedBy::Unclear, "{window:?} {on:?}");
        }
    }

    #[test]
    fn other_redeems_of_the_reward_are_compared() {
        let ours = intent(false, None);
        let other = |state| {
            let id = OperationId::from_uuid(Uuid::from_u128(2));
            let (contact, item) = (ContactId::from_uuid(Uuid::nil()), ItemId::from_uuid(Uuid::nil()));
            Intent { state, ..Intent::new(Purchase { id, contact, item }.into(), None, 0, 0) }
        };
        let compared = |ours: &Intent, redeems: Option<&[Intent]>| {
            let mut found = RedeemedReward::default();
            found.compare(ours, redeems);
            (found.by_other_operation, found.other_in_doubt)
        };
        assert_eq!(compared(&ours, None), (false, true), "an unreadable journal proves nothing");
        for (state, expected) in [
            (IntentState::Recorded, (false, true)),
            (IntentState::InDoubt, (false, true)),
            (IntentState::Completed, (true, false)),
            (IntentState::Declined, (false, false)),
            (IntentState::NotSent, (false, false)),
        ] {
            assert_eq!(compared(&ours, Some(&[ours.clone(), other(state)])), expected, "{state:?}");
        }
        // The till's clock, which stamps them, may have been set meanwhile.
        let (at, code) = (Some(5), Code::AlreadyRedeemed);
        let declined = Intent { code, resolved_at: at, ..other(IntentState::Declined) };
        let later = Intent { recorded_at: 10, ..ours.clone() };
        assert_eq!(compared(&later, Some(&[declined])), (false, false), "stamps say nothing about an order");
        let mut found_before = ours;
        found_before.progress.redeemed_before = true;
        assert_eq!(compared(&found_before, Some(&[])), (true, false));
    }

    #[test]
    fn redeem_in_the_window_of_any_attempt_is_ours() {
        let mut redeem = Intent { processing_window: Some((5_000_000, 5_060_000)), ..intent(true, None) };
        redeem.progress.earlier_windows = vec![(1_000_000, 1_060_000), (2_000_000, 2_060_000)];
        let by = |redeem: &Intent, on| redeemed_by(redeem, &RedeemedReward { on: Some(on), ..Default::default() });
        for (on, expected) in [
            (1_000_000, RedeemedBy::Us),
            (2_060_000, RedeemedBy::Us),
            (5_030_000, RedeemedBy::Us),
            (2_060_001, RedeemedBy::Unclear),
            (3_500_000, RedeemedBy::Other),
            (900_000, RedeemedBy::Other),
        ] {
            assert_eq!(by(&redeem, on), expected, "{on}");
        }
        redeem.progress.window_lost = true;
        assert_eq!(by(&redeem, 3_500_000), RedeemedBy::Unclear, "an attempt at an unknown time may have done it");
        assert_eq!(by(&redeem, 1_000_000), RedeemedBy::Us);
    }

    #[test]
    fn rejection_of_a_shared_id_is_always_confirmed() {
        let mut shared = intent(false, None);
        shared.progress.shared_id = true;
        for (code, documented, rule) in [
            (Code::PromotionExpired, true, RejectionRule::Confirm),
            (Code::Unauthorized, false, RejectionRule::Confirm),
            (Code::PurchaseFailed, true, RejectionRule::Declined),
        ] {
            assert_eq!(after_rejection(&shared, code, documented), rule, "{code:?}");
        }
    }

    #[test]
    fn missing_row_proves_nothing_once_engage_was_processing() {
        let late = QueryTime {
            in_flight_over: true,
            history_complete: true,
            past_resend_limit: false,
            until_complete_ms: 0,
            age_ms: 0,
        };
        let mut only = intent(false, Some(Code::ItemNotFound));
        for (processing, rule) in [(false, AbsenceRule::Declined), (true, AbsenceRule::Pending)] {
            only.progress.processing_seen = processing;
            for result in [QueryResult::Absent, QueryResult::NoHistory] {
                assert_eq!(after_absence(&only, &result, late, false), rule, "{result:?}");
            }
        }
    }

    #[test]
    fn redeem_at_the_edge_of_the_tolerance_is_unclear() {
        let redeem = Intent { processing_window: Some((1_000_000, 1_060_000)), ..intent(false, None) };
        let by = |on| redeemed_by(&redeem, &RedeemedReward { on: Some(on), ..RedeemedReward::default() });
        let edges = [1_000_000 - CLOCK_TOLERANCE_MS, 1_060_000 + CLOCK_TOLERANCE_MS];
        assert_eq!(edges.map(by), [RedeemedBy::Unclear; 2]);
    }

    #[test]
    fn result_is_overtaken_by_an_outcome_or_another_attempt() {
        let ours = intent(false, None);
        let stored = |state, attempts| {
            let mut stored = Intent { state, ..ours.clone() };
            stored.detail.attempts = attempts;
            stored
        };
        for (state, attempts, by_completion, by_other) in [
            (IntentState::InDoubt, 1, false, false),
            (IntentState::InDoubt, 2, false, true),
            (IntentState::Declined, 1, false, true),
            (IntentState::NotSent, 1, false, true),
            (IntentState::Completed, 1, true, true),
        ] {
            let stored = stored(state, attempts);
            assert_eq!(is_overtaken(&ours, &stored, true), by_completion, "{state:?} {attempts}");
            assert_eq!(is_overtaken(&ours, &stored, false), by_other, "{state:?} {attempts}");
        }
    }

    #[test]
    fn log_line_has_the_code_of_each_result() {
        let reason = Reason::of(Code::ServerError);
        let attempt = |result: AttemptResult| result.code();
        assert_eq!(attempt(AttemptResult::Completed { response: String::new() }), Code::Ok);
        assert_eq!(attempt(AttemptResult::Reset(reason.clone())), Code::ServerError);
        for (result, code) in [
            (QueryResult::Completed { response: String::new() }, Code::Ok),
            (QueryResult::Failed(reason), Code::ServerError),
            (QueryResult::Redeemed(RedeemedReward::default()), Code::AlreadyRedeemed),
            (QueryResult::Similar { response: None, cause: String::new() }, Code::PendingAmbiguous),
            (QueryResult::Absent, Code::Pending),
        ] {
            assert_eq!(result.code(), code, "{result:?}");
        }
    }
}
