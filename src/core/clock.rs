//! Time as decisions may use it. Within a run a monotonic clock decides that goes on while the
//! machine is suspended. Across runs Engage's clock decides where it is known. The till's clock
//! only stamps: it may be set at any time.

use super::domain::{Millis, Operation};
use super::evidence::QueryTime;
use super::intent::Intent;
use std::time::Duration;

/// The wall clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// The till's clock.
    pub till: Millis,
    /// Engage's clock, at the earliest and at the latest, if known.
    pub engage: Option<(Millis, Millis)>,
    /// How long an attempt that starts now may be under way, in ms.
    pub in_flight_window_ms: Millis,
}

impl Clocks {
    /// Returns the best known time, for a stamp.
    pub fn now(self) -> Millis {
        self.engage.map_or(self.till, |(earliest, _)| earliest)
    }

    /// Returns when, by Engage's clock, Engage may process an attempt that starts now.
    pub fn processing_window(self) -> Option<(Millis, Millis)> {
        self.engage.map(|(earliest, latest)| (earliest, latest + self.in_flight_window_ms))
    }
}

/// A till under load ends an attempt so late at most, in ms. Decisions about a redeem tolerate a
/// minute.
const SLOW_MS: Millis = 5_000;

/// What this run has seen of an intent, by the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observation {
    /// The number of attempts when it was last read.
    attempts: u32,
    /// Since when that number is known. The last attempt began at this time or before; one that was
    /// held up may have left as late as this. Zero is the start of the run.
    since: Duration,
    /// When this client began the last attempt, if it made it.
    began: Option<Duration>,
    /// When the intent was recorded, if this client recorded it; else when this client first saw
    /// it.
    first: Duration,
    /// The age at that time, in ms.
    age_at_first: Millis,
}

impl Observation {
    /// Notes an intent that was read from the journal.
    pub fn read(before: Option<Self>, intent: &Intent, now: Duration) -> Self {
        match before {
            Some(before) if before.attempts == intent.detail.attempts => before,
            Some(before) => Self { attempts: intent.detail.attempts, since: now, began: None, ..before },
            None => Self {
                attempts: intent.detail.attempts,
                // The attempts of a lost record were made before this run.
                since: if intent.progress.query_first { Duration::ZERO } else { now },
                began: None,
                first: now,
                age_at_first: intent.progress.age_ms,
            },
        }
    }

    /// Notes an attempt of this client that begins now.
    pub fn attempt(before: Option<Self>, intent: &Intent, now: Duration) -> Self {
        let (first, age_at_first) =
            before.map_or((now, intent.progress.age_ms), |before| (before.first, before.age_at_first));
        Self { attempts: intent.detail.attempts, since: now, began: Some(now), first, age_at_first }
    }

    /// Notes that the attempt of this client has ended. Returns whether within its in-flight
    /// window. If not, the till was suspended or its process was stopped, and the request may have
    /// left at any time until now.
    pub fn end(&mut self, intent: &Intent, now: Duration) -> bool {
        let took = super::domain::millis(now.saturating_sub(self.since));
        let late = took.saturating_sub(intent.progress.in_flight_window_ms);
        if late > 0 {
            self.since = now;
        }
        late <= SLOW_MS
    }

    /// Whether the last attempt began before a time.
    pub fn is_before(self, time: Duration) -> bool {
        self.since <= time
    }

    /// Returns the facts that a status query sent now is held against. `engage` is Engage's clock.
    pub fn query_time(self, intent: &Intent, now: Duration, engage: Option<Millis>, limits: Limits) -> QueryTime {
        let waited = super::domain::millis(now.saturating_sub(self.since));
        let window = intent.progress.in_flight_window_ms;
        // Only across runs. Of a redeem only where the attempt is known to have ended within its
        // window; a purchase that is sent too early deducts nothing (A1).
        let ended = !intent.progress.end_unknown || matches!(intent.operation, Operation::Purchase(_));
        let by_engage = self.began.is_none()
            && ended
            && intent.processing_window.zip(engage).is_some_and(|((_, until), now)| now > until);
        let complete_after = window + limits.history_lag_ms;
        let age_ms = self.age_ms(intent, now, engage, limits);
        // The attempts of a lost record were made before the loss was known, maybe in an earlier
        // run.
        let since_loss = match (engage, limits.loss_seen) {
            (Some(now), Some(seen)) if intent.progress.query_first => now.saturating_sub(seen),
            _ => 0,
        };
        let waited_for_history = waited.max(since_loss);
        let in_flight_over = waited_for_history >= window || by_engage;
        QueryTime {
            in_flight_over,
            history_complete: waited_for_history >= complete_after,
            past_resend_limit: in_flight_over && age_ms > limits.resend_limit_ms,
            age_ms,
            until_complete_ms: complete_after.saturating_sub(waited_for_history),
        }
    }

    /// Returns the age of an intent in ms: the time that ran steadily in this run and earlier ones,
    /// or, if it was stamped by Engage's clock, the time since by the same clock. A stamp that
    /// cannot be right does not count: then the age begins with this run.
    fn age_ms(self, intent: &Intent, now: Duration, engage: Option<Millis>, limits: Limits) -> Millis {
        let seen = self.age_at_first + super::domain::millis(now.saturating_sub(self.first));
        match engage {
            Some(engage) if intent.progress.recorded_by_engage && intent.recorded_at >= limits.built_at => {
                seen.max(engage.saturating_sub(intent.recorded_at))
            }
            _ => seen,
        }
    }

    /// Returns the processing window of the last attempt, counted back from Engage's clock now.
    /// Only for an attempt of this client.
    pub fn backdated(self, intent: &Intent, now: Duration, engage: (Millis, Millis)) -> Option<(Millis, Millis)> {
        let began = self.began?;
        let ago = super::domain::millis(now.saturating_sub(began));
        let window = intent.progress.in_flight_window_ms;
        Some((engage.0.saturating_sub(ago), engage.1.saturating_sub(ago) + window))
    }
}

/// The configured times that decisions depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A purchase is in the history at the latest this long after its in-flight window, in ms (A2).
    pub history_lag_ms: Millis,
    /// An operation older than this is not sent again, in ms.
    pub resend_limit_ms: Millis,
    /// The day of the build. No clock that is right is before it.
    pub built_at: Millis,
    /// When a loss of records was first known, by Engage's clock.
    pub loss_seen: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::domain::{Channel, Purchase, Redeem};
    use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
    use uuid::Uuid;

    const LIMITS: Limits =
        Limits { history_lag_ms: 600_000, resend_limit_ms: 86_400_000, built_at: 1_700_000_000_000, loss_seen: None };
    const BUILT: Millis = LIMITS.built_at;

    fn intent(recorded_at: Millis) -> Intent {
        let id = Uuid::from_u128(1);
        let purchase =
            Purchase { id: OperationId::from_uuid(id), contact: ContactId::from_uuid(id), item: ItemId::from_uuid(id) };
        let mut intent = Intent::new(purchase.into(), None, recorded_at, recorded_at + 66_000);
        intent.progress.in_flight_window_ms = 66_000;
        intent.progress.recorded_by_engage = true;
        intent
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn in_flight_window_of_own_attempt_counts_from_its_start() {
        let intent = intent(BUILT);
        let seen = Observation::attempt(None, &intent, s(100));
        let at =
            |seconds| Observation::read(Some(seen), &intent, s(seconds)).query_time(&intent, s(seconds), None, LIMITS);
        assert!(!at(165).in_flight_over);
        assert!(at(166).in_flight_over && !at(166).history_complete);
        assert!(at(766).history_complete && !at(765).history_complete);
        assert_eq!([100, 700].map(|seconds| at(seconds).until_complete_ms), [666_000, 66_000]);
    }

    #[test]
    fn window_of_lost_record_counts_from_the_start_of_the_run() {
        let mut intent = intent(BUILT);
        intent.progress.query_first = true;
        let seen = Observation::read(None, &intent, s(700));
        let at = |seconds| seen.query_time(&intent, s(seconds), None, LIMITS);
        assert_eq!([665, 666].map(|seconds| at(seconds).history_complete), [false, true]);
        assert_eq!(at(800).age_ms, 100_000);
        // In a later run Engage's clock counts from when the loss was known.
        let limits = Limits { loss_seen: Some(BUILT), ..LIMITS };
        let by_engage = |ms| seen.query_time(&intent, s(0), Some(BUILT + ms), limits).history_complete;
        assert_eq!([665_999, 666_000].map(by_engage), [false, true]);
        intent.progress.query_first = false;
        assert!(!seen.query_time(&intent, s(0), Some(BUILT + 666_000), limits).history_complete);
    }

    #[test]
    fn attempt_of_another_client_restarts_the_window() {
        let mut intent = intent(BUILT);
        let seen = Observation::attempt(None, &intent, s(0));
        intent.detail.attempts = 2;
        intent.progress.in_flight_window_ms = 10_000;
        let seen = Observation::read(Some(seen), &intent, s(100));
        assert!(!seen.query_time(&intent, s(109), None, LIMITS).in_flight_over);
        assert!(seen.query_time(&intent, s(110), None, LIMITS).in_flight_over);
    }

    #[test]
    fn intent_of_an_earlier_run_waits_again_unless_engage_knows() {
        let mut intent = intent(BUILT);
        intent.processing_window = Some((BUILT, BUILT + 66_000));
        let seen = Observation::read(None, &intent, s(0));
        assert!(!seen.query_time(&intent, s(1), None, LIMITS).in_flight_over);
        assert!(seen.query_time(&intent, s(1), Some(BUILT + 66_001), LIMITS).in_flight_over);
        assert!(!seen.query_time(&intent, s(1), Some(BUILT + 66_001), LIMITS).history_complete);
    }

    #[test]
    fn age_ignores_the_tills_clock_and_impossible_stamps() {
        let days = 86_400_000;
        let past = |recorded, seen: Observation, now, engage| {
            seen.query_time(&intent(recorded), now, engage, LIMITS).past_resend_limit
        };
        let old = Observation::read(None, &intent(BUILT), s(0));
        assert!(past(BUILT, old, s(100), Some(BUILT + 2 * days)), "two days by Engage's clock");
        assert!(!past(BUILT, old, s(100), None), "without Engage's clock the age begins with this run");
        assert!(past(BUILT, old, s(86_401), None));
        assert!(!past(1_000, old, s(100), Some(BUILT + 2 * days)), "a stamp of 1970 does not count");
        assert!(!past(BUILT + 100 * days, old, s(100), Some(BUILT)), "a stamp of the future is no age");
        let mut earlier = intent(BUILT);
        earlier.progress.recorded_by_engage = false;
        earlier.progress.age_ms = 86_300_000;
        let seen = Observation::read(None, &earlier, s(0));
        let late = |now| seen.query_time(&earlier, now, Some(BUILT + 2 * days), LIMITS).past_resend_limit;
        assert!(!late(s(100)) && late(s(101)), "the steady time of earlier runs counts, the till's stamp does not");
    }

    #[test]
    fn processing_window_is_backdated_for_own_attempts_only() {
        let intent = intent(BUILT);
        let own = Observation::attempt(None, &intent, s(10));
        assert_eq!(own.backdated(&intent, s(20), (500_000, 501_000)), Some((490_000, 491_000 + 66_000)));
        let mut late = own;
        assert!(!late.end(&intent, s(900)));
        assert_eq!(
            late.backdated(&intent, s(20), (500_000, 501_000)),
            own.backdated(&intent, s(20), (500_000, 501_000))
        );
        assert_eq!(Observation::read(None, &intent, s(10)).backdated(&intent, s(20), (500_000, 501_000)), None);
    }

    #[test]
    fn stamp_is_by_engages_clock_where_that_is_known() {
        let clocks = Clocks { till: 5, engage: None, in_flight_window_ms: 66_000 };
        assert_eq!((clocks.now(), clocks.processing_window()), (5, None));
        let known = Clocks { engage: Some((7_000, 8_000)), ..clocks };
        assert_eq!((known.now(), known.processing_window()), (7_000, Some((7_000, 74_000))));
    }

    #[test]
    fn response_says_nothing_about_a_later_attempt() {
        let seen = Observation::attempt(None, &intent(BUILT), s(10));
        assert_eq!([9, 10, 11].map(|time| seen.is_before(s(time))), [false, true, true]);
    }

    #[test]
    fn attempt_that_outlives_its_window_may_have_left_at_its_end() {
        let intent = intent(BUILT);
        let ended = |seconds| {
            let mut seen = Observation::attempt(None, &intent, s(100));
            let in_time = seen.end(&intent, s(seconds));
            (in_time, [165, 166, 236, 237].map(|at| seen.query_time(&intent, s(at), None, LIMITS).in_flight_over))
        };
        assert_eq!(ended(166), (true, [false, true, true, true]));
        assert_eq!(ended(171), (true, [false, false, false, true]), "a slow till");
        assert_eq!(ended(172), (false, [false; 4]), "the till was suspended");
    }

    #[test]
    fn window_by_engages_clock_is_not_for_an_own_attempt() {
        let mut intent = intent(BUILT);
        intent.processing_window = Some((BUILT, BUILT + 66_000));
        let seen = Observation::attempt(None, &intent, s(0));
        assert!(!seen.query_time(&intent, s(1), Some(BUILT + 900_000), LIMITS).in_flight_over);
    }

    #[test]
    fn window_by_engages_clock_is_over_after_its_last_moment() {
        let mut intent = intent(BUILT);
        intent.processing_window = Some((BUILT, BUILT + 66_000));
        let seen = Observation::read(None, &intent, s(0));
        let over = |engage| seen.query_time(&intent, s(0), Some(engage), LIMITS).in_flight_over;
        assert_eq!([BUILT + 66_000, BUILT + 66_001].map(over), [false, true]);
        intent.progress.end_unknown = true;
        let over = |intent: &Intent| seen.query_time(intent, s(0), Some(BUILT + 66_001), LIMITS).in_flight_over;
        assert!(over(&intent));
        let redeem = Redeem {
            id: intent.id(),
            contact: None,
            assignment: AssignmentId::from_uuid(Uuid::nil()),
            channel: Channel::Pos,
        };
        assert!(!over(&Intent { operation: redeem.into(), ..intent }), "a killed process may have sent it at its end");
    }
}
