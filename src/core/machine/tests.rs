//! The life of an intent: a row for each result of an attempt and of a status query.

use super::*;
use crate::core::domain::{Channel, Purchase, Redeem};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::retry::RetryRules;
use uuid::Uuid;

const WINDOW: Millis = 66_000;

fn clocks(engage: Option<Millis>) -> Clocks {
    Clocks { till: 0, engage: engage.map(|now| (now, now + 1_000)), in_flight_window_ms: WINDOW }
}

fn redeem() -> Intent {
    let id = Uuid::from_u128(1);
    let contact = Some(ContactId::from_uuid(id));
    let redeem = Redeem {
        id: OperationId::from_uuid(id),
        contact,
        assignment: AssignmentId::from_uuid(id),
        channel: Channel::Pos,
    };
    Intent::new(redeem.into(), None, 0, WINDOW)
}

#[test]
fn attempt_again_keeps_the_windows_of_earlier_ones() {
    let first = Intent { processing_window: clocks(Some(1_000)).processing_window(), ..redeem() };
    let second = next_attempt(&first, false, clocks(Some(500_000)));
    assert_eq!(second.processing_window, Some((500_000, 501_000 + WINDOW)));
    assert_eq!(second.progress.earlier_windows, [(1_000, 2_000 + WINDOW)]);
    assert!(second.earlier_in_doubt && !second.progress.window_lost);
    let third = next_attempt(&second, true, clocks(Some(900_000)));
    assert!(third.progress.earlier_windows.is_empty() && !third.earlier_in_doubt, "both had no effect");
}

#[test]
fn attempt_at_an_unknown_time_stays_unknown() {
    let second = next_attempt(&redeem(), false, clocks(Some(500_000)));
    assert!(second.progress.window_lost);
    let found = RedeemedReward { on: Some(1_000), ..RedeemedReward::default() };
    assert_eq!(redeemed_by(&second, &found), RedeemedBy::Unclear, "the first attempt may have done it");
}

#[test]
fn redeem_without_a_known_end_is_not_declined_by_its_time() {
    let decided = |end_unknown, on, time| {
        let mut intent = Intent { processing_window: clocks(Some(NOW)).processing_window(), ..redeem() };
        intent.progress.end_unknown = end_unknown;
        let found = QueryResult::Redeemed(RedeemedReward { on: Some(on), ..RedeemedReward::default() });
        let AfterQuery::Store(next) = queried(&intent, found, time) else { panic!("sent again") };
        (next.intent.state, next.intent.code)
    };
    let completed = (IntentState::Completed, Code::Ok);
    let ambiguous = (IntentState::InDoubt, Code::PendingAmbiguous);
    let declined = (IntentState::Declined, Code::AlreadyRedeemed);
    let both = |on, time| [true, false].map(|unknown| decided(unknown, on, time));
    let (early, over) = (time(|_| ()), time(|time| time.in_flight_over = true));
    assert_eq!(both(NOW, early), [completed, completed]);
    assert_eq!(both(NOW + HOUR, over), [ambiguous, declined]);
    assert_eq!(both(NOW - HOUR / 4, early), [declined, declined], "before the attempt");
    let pending = (IntentState::InDoubt, Code::Pending);
    assert_eq!(both(NOW + HOUR, early), [pending, declined], "its process may record the end yet");
}

#[test]
fn attempt_without_a_known_end_leaves_a_doubt() {
    let mut first = Intent { processing_window: clocks(Some(1_000)).processing_window(), ..redeem() };
    first.progress.end_unknown = true;
    let second = next_attempt(&first, false, clocks(Some(500_000)));
    assert!(second.progress.window_lost && second.progress.end_unknown);
    let sent_again = queried(&in_doubt_before(first), QueryResult::NotRedeemed, late());
    assert_eq!(sent_again, AfterQuery::Resend { excluded: false }, "it may be sent yet");
}

#[test]
fn attempts_beyond_the_kept_windows_leave_a_doubt() {
    let mut intent = Intent { processing_window: clocks(Some(0)).processing_window(), ..redeem() };
    for number in 1..=20 {
        intent = next_attempt(&intent, false, clocks(Some(number * 300_000)));
    }
    assert_eq!(intent.progress.earlier_windows.len(), EARLIER_WINDOWS);
    assert!(intent.progress.window_lost);
}

#[test]
fn completion_replaces_a_decline_and_is_shown_again() {
    let rules = RetryRules { schedule_ms: vec![1_000], startup_jitter_ms: 0, resend_limit_ms: 1 };
    let timing = Timing { rules: &rules, attended: None, random: 0 };
    let declined = Intent { state: IntentState::Declined, code: Code::Declined, acknowledged_at: Some(1), ..redeem() };
    let completed = AttemptResult::Completed { response: "{}".into() };
    let next = after_attempt(&declined, completed, clocks(None), timing).intent;
    assert_eq!((next.state, next.code), (IntentState::Completed, Code::Ok));
    assert_eq!(next.acknowledged_at, None);
}

const NOW: Millis = 1_000_000;
const HOUR: Millis = 3_600_000;
/// The wait of the schedule, with its jitter.
const WAIT: Millis = 3_000;

fn rules() -> RetryRules {
    RetryRules { schedule_ms: vec![4_000], startup_jitter_ms: 0, resend_limit_ms: 1 }
}

fn at_now() -> Clocks {
    Clocks { till: NOW, ..clocks(None) }
}

fn purchase() -> Intent {
    let id = Uuid::from_u128(1);
    let purchase =
        Purchase { id: OperationId::from_uuid(id), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
    let mut intent = Intent::new(purchase.into(), None, 0, WINDOW);
    intent.progress.in_flight_window_ms = WINDOW;
    intent
}

fn without_contact() -> Intent {
    let mut intent = redeem();
    if let Operation::Redeem(redeem) = &mut intent.operation {
        redeem.contact = None;
    }
    intent
}

fn in_doubt_before(intent: Intent) -> Intent {
    Intent { state: IntentState::InDoubt, earlier_in_doubt: true, ..intent }
}

fn with(mut intent: Intent, change: impl FnOnce(&mut Intent)) -> Intent {
    change(&mut intent);
    intent
}

fn attempted(intent: &Intent, result: AttemptResult) -> Next {
    let rules = rules();
    let code = result.code().number();
    let next = after_attempt(intent, result, at_now(), Timing { rules: &rules, attended: None, random: WAIT });
    assert_eq!((next.intent.revision, next.intent.progress.last_code), (intent.revision + 1, Some(code)));
    next
}

fn rejected_with(code: Code, documented: bool) -> AttemptResult {
    AttemptResult::Rejected { reason: Reason::of(code), documented }
}

#[test]
fn attempt_with_each_result_has_its_outcome() {
    use AttemptResult::{AlreadyRedeemed, InDoubt, NotSent, Over, Processing, Reset};
    use IntentState as State;
    let of = Reason::of;
    let repeat = in_doubt_before;
    let rows = [
        (purchase(), rejected_with(Code::PromotionExpired, true), State::Declined, Code::PromotionExpired, 0),
        (purchase(), rejected_with(Code::ItemNotFound, false), State::InDoubt, Code::Pending, 0),
        (redeem(), rejected_with(Code::ItemNotFound, false), State::InDoubt, Code::Pending, 0),
        (without_contact(), rejected_with(Code::ItemNotFound, false), State::InDoubt, Code::PendingAmbiguous, HOUR),
        (without_contact(), rejected_with(Code::Unauthorized, false), State::Declined, Code::Unauthorized, 0),
        (repeat(purchase()), rejected_with(Code::ItemNotFound, false), State::InDoubt, Code::Pending, WAIT),
        (repeat(purchase()), rejected_with(Code::Forbidden, false), State::InDoubt, Code::PendingCredentials, WAIT),
        (redeem(), AlreadyRedeemed(of(Code::AlreadyRedeemed)), State::Declined, Code::AlreadyRedeemed, 0),
        (repeat(redeem()), AlreadyRedeemed(of(Code::AlreadyRedeemed)), State::InDoubt, Code::Pending, 0),
        (
            repeat(without_contact()),
            AlreadyRedeemed(of(Code::AlreadyRedeemed)),
            State::InDoubt,
            Code::PendingAmbiguous,
            HOUR,
        ),
        (purchase(), Processing(of(Code::PendingProcessing)), State::InDoubt, Code::PendingProcessing, WAIT),
        (purchase(), Over(of(Code::PendingRateLimited)), State::InDoubt, Code::PendingRateLimited, WAIT),
        (purchase(), InDoubt(of(Code::PendingServerError)), State::InDoubt, Code::PendingServerError, WAIT),
        (purchase(), Reset(of(Code::PendingConnectionLost)), State::InDoubt, Code::PendingConnectionLost, 0),
        (redeem(), Reset(of(Code::PendingConnectionLost)), State::InDoubt, Code::PendingConnectionLost, WAIT),
        (purchase(), NotSent(of(Code::Offline)), State::NotSent, Code::Offline, 0),
        (repeat(purchase()), NotSent(of(Code::Offline)), State::InDoubt, Code::PendingConnectionLost, WAIT),
        (repeat(purchase()), NotSent(of(Code::Closed)), State::InDoubt, Code::PendingClosed, WAIT),
    ];
    for (intent, result, state, code, delay_ms) in rows {
        let next = attempted(&intent, result.clone());
        assert_eq!((next.intent.state, next.intent.code, next.delay_ms), (state, code, delay_ms), "{result:?}");
    }
}

#[test]
fn attempt_notes_in_the_record_what_it_has_seen() {
    let rejection = |intent: &Intent, result| attempted(intent, result).intent.progress.rejection.map(|it| it.code);
    let undocumented = || rejected_with(Code::ItemNotFound, false);
    assert_eq!(rejection(&purchase(), undocumented()), Some(Code::ItemNotFound.number()));
    assert_eq!(rejection(&in_doubt_before(purchase()), undocumented()), Some(Code::ItemNotFound.number()));
    assert_eq!(rejection(&in_doubt_before(purchase()), rejected_with(Code::Forbidden, false)), None);
    let already = AttemptResult::AlreadyRedeemed(Reason::of(Code::AlreadyRedeemed));
    assert!(attempted(&in_doubt_before(redeem()), already).intent.progress.redeemed_seen);
    let seen = |result| attempted(&purchase(), result).intent.progress.processing_seen;
    assert!(seen(AttemptResult::Processing(Reason::of(Code::PendingProcessing))));
    assert!(seen(AttemptResult::Over(Reason::of(Code::PendingAssignmentError))));
    assert!(!seen(AttemptResult::Over(Reason::of(Code::PendingRateLimited))));
    // A5 ends the only attempt. An earlier one may still be under way.
    let over = |intent: &Intent| {
        let next = attempted(intent, AttemptResult::Over(Reason::of(Code::PendingRateLimited))).intent;
        (next.in_flight_until, next.progress.in_flight_window_ms)
    };
    assert_eq!(over(&purchase()), (NOW, 0));
    assert_eq!(over(&in_doubt_before(purchase())), (WINDOW, WINDOW));
    let declined_before = with(purchase(), |intent| {
        let code = Code::Unauthorized.number();
        intent.progress.declined_before =
            Some(intent::Rejection { code, http_status: Some(401), engage_code: Some("key".into()) });
    });
    let next = attempted(&declined_before, AttemptResult::NotSent(Reason::of(Code::Offline))).intent;
    assert_eq!((next.state, next.code), (IntentState::Declined, Code::Unauthorized));
    assert_eq!((next.detail.http_status, next.detail.engage_code.as_deref()), (Some(401), Some("key")));
}

#[test]
fn pending_record_has_reason_times_and_count() {
    let reason = Reason {
        detail: Detail { retry_after_ms: Some(9_000), http_status: Some(503), ..Detail::default() },
        cause: vec!["cause".into()],
        ..Reason::of(Code::PendingServerError)
    };
    let rules = rules();
    let after = |intent: &Intent, reason: &Reason, attended| {
        let timing = Timing { rules: &rules, attended, random: WAIT };
        after_attempt(intent, AttemptResult::InDoubt(reason.clone()), at_now(), timing)
    };
    let next = after(&purchase(), &reason, None);
    assert_eq!((next.delay_ms, next.intent.next_query_at, next.intent.query_count), (9_000, NOW + 9_000, 1));
    assert_eq!((next.intent.detail.attempts, next.intent.detail.http_status), (1, Some(503)));
    assert_eq!(next.intent.progress.cause, ["cause"]);
    assert_eq!(next.intent.progress.first_pending_code, Some(Code::PendingServerError.number()));
    let again = after(&next.intent, &Reason::of(Code::PendingConnectionLost), Some(0));
    assert_eq!(again.intent.progress.first_pending_code, Some(Code::PendingServerError.number()), "the first stays");
    assert_eq!(again.intent.query_count, 1, "a query for a caller does not use up the schedule");
    let rules = RetryRules { schedule_ms: vec![0], ..rules };
    let timing = Timing { rules: &rules, attended: None, random: 0 };
    let at_once = after_attempt(&purchase(), AttemptResult::InDoubt(Reason::of(Code::Pending)), at_now(), timing);
    assert_eq!(at_once.delay_ms, 0, "without Retry-After the schedule alone decides");
}

fn time(change: impl FnOnce(&mut QueryTime)) -> QueryTime {
    let mut time = QueryTime {
        in_flight_over: false,
        history_complete: false,
        past_resend_limit: false,
        until_complete_ms: 0,
        age_ms: 77,
    };
    change(&mut time);
    time
}

fn late() -> QueryTime {
    time(|time| (time.in_flight_over, time.history_complete) = (true, true))
}

fn queried(intent: &Intent, result: QueryResult, time: QueryTime) -> AfterQuery {
    let rules = rules();
    let code = result.code().number();
    let timing = Timing { rules: &rules, attended: None, random: WAIT };
    let after = after_query(intent, result, time, false, at_now(), timing);
    if let AfterQuery::Store(next) = &after {
        let progress = &next.intent.progress;
        assert_eq!((progress.last_code, progress.last_query_at_ms, progress.age_ms), (Some(code), Some(NOW), 77));
        assert_eq!(next.intent.revision, intent.revision + 1);
    }
    after
}

/// What a row expects: the state that is stored with its code and the wait, or one more attempt.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Stored(IntentState, Code, Millis),
    Resend(bool),
}

fn shown(after: &AfterQuery) -> Expected {
    match after {
        AfterQuery::Store(next) => Expected::Stored(next.intent.state, next.intent.code, next.delay_ms),
        AfterQuery::Resend { excluded } => Expected::Resend(*excluded),
    }
}

fn check(rows: impl IntoIterator<Item = (Intent, QueryResult, QueryTime, Expected)>) {
    for (at, (intent, result, time, expected)) in rows.into_iter().enumerate() {
        let after = queried(&intent, result.clone(), time);
        assert_eq!(shown(&after), expected, "row {at}: {result:?}");
    }
}

fn rejection(intent: Intent, code: Code) -> Intent {
    let code = code.number();
    with(intent, |intent| {
        intent.progress.rejection = Some(intent::Rejection { code, http_status: None, engage_code: None });
    })
}

fn pending_state(code: Code, delay_ms: Millis) -> Expected {
    Expected::Stored(IntentState::InDoubt, code, delay_ms)
}

fn declined_with(code: Code) -> Expected {
    Expected::Stored(IntentState::Declined, code, 0)
}

#[test]
fn query_about_a_purchase_has_its_decision() {
    use Expected::Resend;
    let doubt = || in_doubt_before(purchase());
    let window_over = || time(|time| time.in_flight_over = true);
    let old = || time(|time| (time.in_flight_over, time.past_resend_limit) = (true, true));
    let lost = || with(purchase(), |it| (it.progress.query_first, it.progress.shared_id) = (true, false));
    let shared = || with(purchase(), |it| (it.progress.query_first, it.progress.shared_id) = (true, true));
    let review = || Intent { code: Code::PendingNeedsReview, ..doubt() };
    let failed = || QueryResult::NoEvidence(Reason::of(Code::ServerError));
    let completed = Expected::Stored(IntentState::Completed, Code::Ok, 0);
    check(vec![
        (doubt(), QueryResult::Completed { response: "{}".into() }, late(), completed),
        (doubt(), QueryResult::Failed(Reason::of(Code::PurchaseFailed)), late(), declined_with(Code::PurchaseFailed)),
        (
            doubt(),
            QueryResult::Processing(Reason::of(Code::PendingProcessing)),
            late(),
            pending_state(Code::PendingProcessing, WAIT),
        ),
        (doubt(), QueryResult::Absent, window_over(), Resend(false)),
        (doubt(), QueryResult::Absent, late(), Resend(false)),
        (doubt(), QueryResult::Absent, time(|_| ()), pending_state(Code::Pending, WAIT)),
        (doubt(), QueryResult::Absent, old(), pending_state(Code::PendingNeedsReview, HOUR)),
        (review(), QueryResult::Absent, late(), pending_state(Code::PendingNeedsReview, HOUR)),
        (rejection(purchase(), Code::ItemNotFound), QueryResult::Absent, late(), declined_with(Code::ItemNotFound)),
        (lost(), QueryResult::Absent, late(), Resend(true)),
        (lost(), QueryResult::NoHistory, late(), Resend(true)),
        (shared(), QueryResult::Absent, window_over(), Resend(false)),
        (shared(), QueryResult::Unreadable(Reason::of(Code::InvalidResponse)), late(), Resend(false)),
        (doubt(), failed(), late(), pending_state(Code::PendingServerError, WAIT)),
        (review(), failed(), late(), pending_state(Code::PendingNeedsReview, HOUR)),
        (rejection(doubt(), Code::ItemNotFound), failed(), late(), pending_state(Code::Pending, WAIT)),
        (
            with(doubt(), |intent| intent.progress.redeemed_seen = true),
            failed(),
            late(),
            pending_state(Code::Pending, WAIT),
        ),
        (
            doubt(),
            QueryResult::Similar { response: None, cause: "similar".into() },
            old(),
            pending_state(Code::PendingAmbiguous, HOUR),
        ),
    ]);
    let processing = QueryResult::Processing(Reason::of(Code::PendingProcessing));
    let AfterQuery::Store(next) = queried(&doubt(), processing, late()) else { panic!("sent again") };
    assert!(next.intent.progress.processing_seen);
}

#[test]
fn query_about_a_redeem_has_its_decision() {
    use Expected::Resend;
    let doubt = || in_doubt_before(redeem());
    let seen = || with(doubt(), |intent| intent.progress.redeemed_seen = true);
    let coded = |intent: Intent, code| Intent { code, ..intent };
    let window_over = || time(|time| time.in_flight_over = true);
    let old = || time(|time| (time.in_flight_over, time.past_resend_limit) = (true, true));
    let rejected = |intent| rejection(intent, Code::RewardNotForChannel);
    let declined = || declined_with(Code::RewardNotForChannel);
    let not = || QueryResult::NotRedeemed;
    let review = || pending_state(Code::PendingNeedsReview, HOUR);
    check(vec![
        (rejected(redeem()), not(), time(|_| ()), declined()),
        (rejected(doubt()), not(), late(), declined()),
        (rejected(doubt()), not(), window_over(), pending_state(Code::Pending, WAIT)),
        (doubt(), not(), late(), Resend(true)),
        (doubt(), not(), window_over(), Resend(false)),
        (doubt(), not(), time(|_| ()), pending_state(Code::Pending, WAIT)),
        (doubt(), not(), old(), review()),
        (seen(), not(), late(), pending_state(Code::Pending, WAIT)),
        (coded(doubt(), Code::PendingNeedsReview), not(), late(), review()),
        (coded(doubt(), Code::PendingAmbiguous), not(), time(|_| ()), pending_state(Code::Pending, WAIT)),
        (coded(doubt(), Code::PendingServerError), not(), time(|_| ()), pending_state(Code::PendingServerError, WAIT)),
        (coded(seen(), Code::PendingAmbiguous), not(), late(), pending_state(Code::PendingAmbiguous, HOUR)),
        (rejected(redeem()), QueryResult::Unseen, time(|_| ()), declined()),
        (rejected(redeem()), QueryResult::Impossible, time(|_| ()), pending_state(Code::Pending, WAIT)),
        (rejected(doubt()), QueryResult::Unseen, late(), pending_state(Code::Pending, WAIT)),
        (seen(), QueryResult::Unseen, late(), pending_state(Code::PendingAmbiguous, HOUR)),
        (doubt(), QueryResult::Unseen, late(), Resend(false)),
        (doubt(), QueryResult::Impossible, window_over(), Resend(false)),
        (doubt(), QueryResult::Unseen, time(|_| ()), pending_state(Code::Pending, WAIT)),
        (doubt(), QueryResult::Unseen, old(), review()),
        (
            coded(doubt(), Code::PendingAmbiguous),
            QueryResult::Unseen,
            late(),
            pending_state(Code::PendingAmbiguous, HOUR),
        ),
    ]);
}

#[test]
fn query_before_the_history_is_complete_says_until_when() {
    let soon = time(|time| time.until_complete_ms = 1_500);
    let rows = [
        (rejection(in_doubt_before(purchase()), Code::ItemNotFound), 1_500, 2_500, Some(NOW + 1_500)),
        (with(purchase(), |intent| intent.progress.query_first = true), 1_500, 2_500, Some(NOW + 1_500)),
        (rejection(in_doubt_before(purchase()), Code::ItemNotFound), 9_000, WAIT, Some(NOW + 9_000)),
        (rejection(in_doubt_before(purchase()), Code::ItemNotFound), 1, 1_001, Some(NOW + 1)),
        (rejection(in_doubt_before(purchase()), Code::ContactNotFound), 1, WAIT, None),
        (rejection(in_doubt_before(purchase()), Code::ContactNotFound), 0, WAIT, None),
        (in_doubt_before(purchase()), 1_500, WAIT, None),
    ];
    for (at, (intent, until_complete_ms, delay_ms, expected_by)) in rows.into_iter().enumerate() {
        let after = queried(&intent, QueryResult::Absent, QueryTime { until_complete_ms, ..soon });
        let AfterQuery::Store(next) = after else { panic!("row {at}: sent again") };
        assert_eq!((next.delay_ms, next.intent.expected_by()), (delay_ms, expected_by), "row {at}");
        // An empty history ends nothing that was rejected.
        let AfterQuery::Store(next) =
            queried(&next.intent, QueryResult::NoHistory, QueryTime { until_complete_ms, ..soon })
        else {
            panic!("row {at}: sent again")
        };
        let expected_by = expected_by.filter(|_| intent.progress.query_first);
        assert_eq!(next.intent.expected_by(), expected_by, "row {at}");
    }
}

#[test]
fn next_attempt_has_its_own_number_and_times() {
    let before = with(purchase(), |intent| intent.progress.query_first = true);
    let next = next_attempt(&before, false, Clocks { in_flight_window_ms: 5_000, ..at_now() });
    assert_eq!((next.state, next.detail.attempts, next.revision), (IntentState::InDoubt, 2, 2));
    assert_eq!((next.in_flight_until, next.next_query_at), (NOW + 5_000, NOW + 5_000));
    assert_eq!((next.progress.in_flight_window_ms, next.progress.last_attempt_at_ms), (5_000, Some(NOW)));
    assert!(!next.progress.query_first);
}

#[test]
fn oldest_window_is_the_first_to_be_forgotten() {
    let mut intent = Intent { processing_window: clocks(Some(0)).processing_window(), ..redeem() };
    for number in 1..=u64::try_from(EARLIER_WINDOWS).unwrap() + 1 {
        intent = next_attempt(&intent, false, clocks(Some(number * 300_000)));
    }
    assert_eq!(intent.progress.earlier_windows[0].0, 300_000);
}

#[test]
fn outcome_that_must_survive_a_power_cut_is_synced() {
    for (state, of_purchase, of_redeem) in [
        (IntentState::Recorded, Durability::Buffered, Durability::Buffered),
        (IntentState::InDoubt, Durability::Buffered, Durability::Buffered),
        (IntentState::Completed, Durability::Buffered, Durability::Synced),
        (IntentState::Declined, Durability::Synced, Durability::Synced),
        (IntentState::NotSent, Durability::Synced, Durability::Synced),
    ] {
        let of = |intent: Intent| durability(&Intent { state, ..intent });
        assert_eq!((of(purchase()), of(redeem())), (of_purchase, of_redeem), "{state:?}");
    }
}

#[test]
fn known_outcome_or_one_in_review_is_acknowledged() {
    let of = |state, code| Intent { state, code, ..purchase() };
    for (intent, foreign, expected) in [
        (of(IntentState::InDoubt, Code::Pending), false, Err(Code::StillPending)),
        (of(IntentState::InDoubt, Code::Pending), true, Err(Code::StillPending)),
        (of(IntentState::InDoubt, Code::PendingNeedsReview), false, Ok(true)),
        (of(IntentState::Completed, Code::Ok), true, Ok(true)),
        (of(IntentState::Completed, Code::Ok), false, Ok(true)),
        (Intent { acknowledged_at: Some(1), ..of(IntentState::Completed, Code::Ok) }, false, Ok(false)),
    ] {
        let acknowledged = acknowledge(&intent, foreign, at_now());
        let shown = acknowledged.as_ref().map(Option::is_some).map_err(Error::code);
        assert_eq!(shown, expected, "{intent:?}");
        if let Ok(Some(next)) = acknowledged {
            assert_eq!((next.acknowledged_at, next.revision), (Some(NOW), 2));
        }
    }
}

#[test]
fn review_is_resolved_by_a_person_and_acknowledged() {
    let decision = |resolution: &str| intent::ReviewDecision {
        resolution: resolution.into(),
        by: Some("Eva".into()),
        note: None,
        at_ms: NOW,
    };
    let of = |state, code| Intent { state, code, response: Some("{}".into()), ..purchase() };
    let review = || of(IntentState::InDoubt, Code::PendingNeedsReview);
    let pending = || of(IntentState::InDoubt, Code::Pending);
    for (intent, foreign, resolution, expected) in [
        (review(), false, "completed", Ok(Some((IntentState::Completed, Code::Ok)))),
        (review(), false, "declined", Ok(Some((IntentState::Declined, Code::Declined)))),
        (pending(), true, "declined", Ok(Some((IntentState::Declined, Code::Declined)))),
        (pending(), false, "declined", Err(Code::StillPending)),
        (of(IntentState::Declined, Code::Declined), false, "completed", Ok(None)),
    ] {
        let resolved = resolve_review(&intent, decision(resolution), foreign, at_now());
        let shown = resolved.as_ref().map(|next| next.as_ref().map(|it| (it.state, it.code)));
        assert_eq!(shown.map_err(Error::code), expected, "{intent:?}");
        if let Ok(Some(next)) = resolved {
            assert_eq!((next.acknowledged_at, next.resolved_at, next.revision), (Some(NOW), Some(NOW), 2));
            assert_eq!(next.progress.review, Some(decision(resolution)));
        }
    }
}

#[test]
fn caller_gets_the_code_that_says_most() {
    let of = |state, code, http_status| {
        let detail = Detail { http_status, ..Detail::default() };
        with(Intent { state, code, detail, ..purchase() }, |intent| intent.progress.cause = vec!["cause".into()])
    };
    for (intent, expected) in [
        (of(IntentState::InDoubt, Code::Pending, None), Code::PendingWaitEnded),
        (of(IntentState::Recorded, Code::Pending, None), Code::PendingWaitEnded),
        (of(IntentState::InDoubt, Code::Pending, Some(404)), Code::Pending),
        (of(IntentState::InDoubt, Code::PendingServerError, None), Code::PendingServerError),
        (of(IntentState::Declined, Code::Pending, None), Code::Pending),
        (of(IntentState::NotSent, Code::Offline, None), Code::Offline),
    ] {
        let error = outcome_of(intent.clone(), Code::PendingWaitEnded).unwrap_err();
        assert_eq!((error.code(), error.operation()), (expected, Some(intent.id())));
        assert_eq!((error.detail(), error.cause()), (&intent.detail, &intent.progress.cause[..]));
    }
    let completed = of(IntentState::Completed, Code::Ok, None);
    assert_eq!(outcome_of(completed.clone(), Code::PendingWaitEnded).unwrap(), completed);
}

#[test]
fn final_record_has_its_time_and_cause() {
    let reason = Reason { cause: vec!["cause".into()], ..Reason::of(Code::PromotionExpired) };
    let next = attempted(&purchase(), AttemptResult::Rejected { reason, documented: true }).intent;
    assert_eq!((next.resolved_at, next.detail.attempts), (Some(NOW), 1));
    assert_eq!(next.progress.cause, ["cause"]);
    let unsaved = not_persisted(Intent { response: Some("{}".into()), ..next });
    assert_eq!((unsaved.state, unsaved.code), (IntentState::InDoubt, Code::PendingNotPersisted));
    assert_eq!((unsaved.response, unsaved.resolved_at), (None, None));
}

#[test]
fn rejected_or_lost_request_has_its_pending_code() {
    for (code, expected) in [
        (Code::Unauthorized, Code::PendingCredentials),
        (Code::Forbidden, Code::PendingCredentials),
        (Code::RateLimited, Code::PendingRateLimited),
        (Code::ServerError, Code::PendingServerError),
        (Code::InvalidResponse, Code::PendingInvalidResponse),
        (Code::ResponseTooLarge, Code::PendingInvalidResponse),
        (Code::Cancelled, Code::PendingClosed),
        (Code::Closed, Code::PendingClosed),
        (Code::PendingProcessing, Code::PendingProcessing),
        (Code::ItemNotFound, Code::Pending),
        (Code::Offline, Code::PendingConnectionLost),
    ] {
        assert_eq!(pending_code(code), expected, "{code:?}");
    }
}

#[test]
fn sale_that_was_not_sent_names_the_reason_in_its_message() {
    let message = |code, cause: &[&str]| {
        let mut intent = Intent { state: IntentState::NotSent, code, ..redeem() };
        intent.progress.cause = cause.iter().map(|it| (*it).to_owned()).collect();
        outcome_of(intent, Code::Pending).unwrap_err().message().to_owned()
    };
    assert_eq!(message(Code::TlsFailed, &["outer", "UnknownIssuer"]), "The TLS handshake failed: UnknownIssuer");
    assert!(message(Code::ProxyFailed, &["status 407"]).ends_with(": status 407"));
    assert_eq!(message(Code::TlsFailed, &[]), Code::TlsFailed.row().meaning);
    assert_eq!(message(Code::Offline, &["no route"]), Code::Offline.row().meaning);
}
