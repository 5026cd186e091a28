//! When the next request is made: schedule, jitter, budget.

use super::domain::Millis;
use std::time::Duration;

/// The configured times of the retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRules {
    /// Waits before the first, second, … status query, in ms; the last one repeats.
    pub schedule_ms: Vec<u64>,
    /// After an open, the first status queries are spread at random over this time, in ms.
    pub startup_jitter_ms: u64,
    /// A purchase older than this is not sent again, in ms.
    pub resend_limit_ms: u64,
}

/// How the next status query is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing<'a> {
    /// The configured times.
    pub rules: &'a RetryRules,
    /// A caller waits for the outcome: the number of queries made for it so far.
    pub attended: Option<u32>,
    /// A random number for the jitter.
    pub random: u64,
}

/// Returns the wait before the next status query, in ms: full jitter over the schedule. While a
/// caller waits it is much shorter (Engage: "a user-invoked call may be shorter").
pub(crate) fn wait_ms(query_count: u32, timing: Timing<'_>) -> Millis {
    let schedule = &timing.rules.schedule_ms;
    let step = usize::try_from(query_count).unwrap_or(usize::MAX).min(schedule.len() - 1);
    let background = schedule[step];
    if let Some(queries) = timing.attended {
        let ceiling = (500 << queries.min(3)).min(background);
        return ceiling / 2 + timing.random % (ceiling / 2 + 1);
    }
    timing.random % (background + 1)
}

/// Returns the wait before the first status query after an open. With jitter, so that a thousand
/// tills that open at eight do not query at once.
pub(crate) fn startup_wait(rules: &RetryRules, random: u64) -> Duration {
    Duration::from_millis(random % (rules.startup_jitter_ms + 1))
}

/// Tenths of a status query in stock when nothing was sold for long.
const BURST: u32 = 100;

/// The least and the most that a 429 keeps unattended queries apart, in ms.
const THROTTLE_MS: (Millis, Millis) = (10_000, 600_000);

/// Stops unattended status queries after a 429, because all tills share one key. The interval
/// between queries doubles with each 429 and shrinks by a tenth of its least with each success.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    interval_ms: Millis,
    /// The monotonic time before which no unattended query is sent.
    until: Duration,
}

impl Throttle {
    /// Notes a 429 at a monotonic time. `random`: half of the wait is jitter.
    pub fn on_rate_limited(&mut self, now: Duration, retry_after_ms: Option<Millis>, random: u64) {
        self.interval_ms = (self.interval_ms * 2).clamp(THROTTLE_MS.0, THROTTLE_MS.1);
        let wait = self.interval_ms / 2 + random % (self.interval_ms / 2 + 1);
        self.until = self.until.max(now + Duration::from_millis(wait.max(retry_after_ms.unwrap_or_default())));
    }

    /// Notes a response that is no 429.
    pub fn accepted(&mut self) {
        self.interval_ms = self.interval_ms.saturating_sub(THROTTLE_MS.0 / 10);
    }

    /// Notes an unattended query, which keeps the next one apart.
    pub fn spend(&mut self, now: Duration) {
        self.until = self.until.max(now + Duration::from_millis(self.interval_ms));
    }

    /// Returns how long unattended queries must wait; None if they need not.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        Some(self.until.saturating_sub(now)).filter(|wait| !wait.is_zero())
    }
}

/// Requested queries in stock, and the time in which one is added.
const REQUESTED_BURST: u32 = 10;
const REQUESTED_INTERVAL: Duration = Duration::from_secs(10);

/// Limits the queries that callers request at once by `eps_resolve_pending`: the key is shared.
#[derive(Debug, Default)]
pub(crate) struct RequestBudget {
    /// The monotonic time at which the stock is full again.
    full_at: Duration,
}

impl RequestBudget {
    /// Takes one query from the stock, if there is one.
    pub fn spend(&mut self, now: Duration) -> bool {
        let owed = self.full_at.saturating_sub(now);
        if owed + REQUESTED_INTERVAL > REQUESTED_INTERVAL * REQUESTED_BURST {
            return false;
        }
        self.full_at = now + owed + REQUESTED_INTERVAL;
        true
    }
}

/// Limits unattended status queries to a tenth of the requests: thousands of tills share one key.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// In tenths of a query.
    tokens: u32,
    /// The monotonic time of the last query.
    last: Option<Duration>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tokens: BURST, last: None }
    }
}

impl RetryBudget {
    /// Adds a tenth of a query for a request of a caller.
    pub fn earn(&mut self) {
        self.tokens = (self.tokens + 1).min(BURST);
    }

    /// Takes one query from the stock. Beyond the stock, queries are at least `min_interval` apart,
    /// so that every intent gets its turn.
    pub fn spend(&mut self, now: Duration, min_interval: Duration) -> bool {
        if self.tokens < 10 && self.last.is_some_and(|last| now.saturating_sub(last) < min_interval) {
            return false;
        }
        self.tokens = self.tokens.saturating_sub(10);
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RetryRules {
        RetryRules { schedule_ms: vec![10_000, 30_000, 60_000, 300_000], startup_jitter_ms: 0, resend_limit_ms: 0 }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn first_queries_are_spread_over_the_jitter() {
        let rules = RetryRules { schedule_ms: vec![1], startup_jitter_ms: 2_000, resend_limit_ms: 0 };
        let waits = [0, 1_234, 2_000, 2_001].map(|random| startup_wait(&rules, random));
        assert_eq!(waits, [0, 1_234, 2_000, 0].map(Duration::from_millis));
    }

    #[test]
    fn wait_of_each_step_is_jitter_over_the_schedule() {
        let rules = rules();
        for (count, widest) in [(0, 10_000), (1, 30_000), (2, 60_000), (3, 300_000), (9, 300_000)] {
            let wait = |random| wait_ms(count, Timing { rules: &rules, attended: None, random });
            assert_eq!((wait(0), wait(widest), wait(widest + 1)), (0, widest, 0), "step {count}");
        }
    }

    #[test]
    fn wait_for_a_caller_grows_to_four_seconds() {
        let rules = rules();
        for (queries, ceiling) in [(0, 500), (1, 1_000), (2, 2_000), (3, 4_000), (9, 4_000)] {
            let wait = |random| wait_ms(7, Timing { rules: &rules, attended: Some(queries), random });
            assert_eq!((wait(0), wait(ceiling / 2)), (ceiling / 2, ceiling), "query {queries}");
        }
    }

    #[test]
    fn budget_without_sales_spaces_queries() {
        let mut budget = RetryBudget::default();
        assert!((0..10).all(|_| budget.spend(s(0), s(10))));
        assert!(!budget.spend(s(9), s(10)));
        assert!(budget.spend(s(10), s(10)));
        (0..10).for_each(|_| budget.earn());
        assert!(budget.spend(s(10), s(10)), "ten sales earn one query");
        assert!(!budget.spend(s(10), s(10)));
    }

    #[test]
    fn throttle_doubles_with_each_429_and_recovers() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.wait(s(0)), None);
        throttle.on_rate_limited(s(0), None, u64::MAX);
        assert!(throttle.wait(s(0)).is_some_and(|wait| wait >= s(5)) && throttle.wait(s(10)).is_none());
        throttle.on_rate_limited(s(20), Some(60_000), 0);
        assert_eq!(throttle.wait(s(20)), Some(s(60)), "Retry-After is kept");
        (0..20).for_each(|_| throttle.accepted());
        throttle.spend(s(100));
        assert_eq!(throttle.wait(s(100)), None, "after enough successes nothing is kept apart");
    }

    #[test]
    fn requested_queries_beyond_the_stock_wait() {
        let mut budget = RequestBudget::default();
        assert!((0..10).all(|_| budget.spend(s(0))));
        assert!(!budget.spend(s(9)));
        assert!(budget.spend(s(10)) && !budget.spend(s(10)));
    }

    #[test]
    fn wait_for_a_caller_is_never_longer_than_the_schedule() {
        let rules = RetryRules { schedule_ms: vec![301], ..rules() };
        let wait = |random| wait_ms(0, Timing { rules: &rules, attended: Some(3), random });
        // Half of it, and jitter over the other half.
        assert_eq!([0, 150, 151].map(wait), [150, 300, 150]);
    }

    #[test]
    fn throttle_waits_half_and_jitter_up_to_ten_minutes() {
        let wait = |limited: u32, random, retry_after_ms| {
            let mut throttle = Throttle::default();
            (1..limited).for_each(|_| throttle.on_rate_limited(s(0), None, 0));
            throttle.until = Duration::ZERO;
            throttle.on_rate_limited(s(100), retry_after_ms, random);
            throttle.wait(s(100)).unwrap_or_default().as_millis()
        };
        assert_eq!([0, 5_000, 5_001].map(|random| wait(1, random, None)), [5_000, 10_000, 5_000]);
        assert_eq!([2, 3, 4, 7, 20].map(|count| wait(count, 0, None)), [10_000, 20_000, 40_000, 300_000, 300_000]);
        assert_eq!(wait(1, 0, Some(5_001)), 5_001);
        let mut throttle = Throttle::default();
        throttle.on_rate_limited(s(0), Some(90_000), 0);
        throttle.on_rate_limited(s(1), None, 0);
        assert_eq!(throttle.wait(s(1)), Some(s(89)), "an earlier Retry-After stays");
    }

    #[test]
    fn throttle_keeps_queries_apart_until_ten_successes() {
        let mut throttle = Throttle::default();
        throttle.on_rate_limited(s(0), None, 0);
        let mut apart = |now| {
            throttle.spend(s(now));
            let wait = throttle.wait(s(now));
            throttle.accepted();
            wait
        };
        assert_eq!(apart(100), Some(s(10)));
        assert_eq!(apart(200), Some(s(9)));
        assert_eq!((0..7).filter_map(|_| apart(300)).count(), 7);
        assert_eq!(apart(400), Some(s(1)));
        assert_eq!(apart(500), None);
        let mut waiting = Throttle::default();
        waiting.on_rate_limited(s(0), Some(90_000), 0);
        waiting.spend(s(1));
        assert_eq!(waiting.wait(s(1)), Some(s(89)), "a query does not shorten the wait");
    }

    #[test]
    fn budget_is_a_tenth_of_the_sales_and_at_most_ten() {
        let spent = |sales: u32| {
            let mut budget = RetryBudget::default();
            (0..10).for_each(|_| assert!(budget.spend(s(0), s(10))));
            (0..sales).for_each(|_| budget.earn());
            (0..20).filter(|_| budget.spend(s(1), s(10))).count()
        };
        assert_eq!([9, 10, 19, 20, 99, 100, 101, 500].map(spent), [0, 1, 1, 2, 9, 10, 10, 10]);
        let mut full = RetryBudget::default();
        full.earn();
        assert_eq!(full.tokens, BURST);
        assert_eq!(RetryBudget::default().tokens, BURST);
        let mut never_used = RetryBudget { tokens: 0, last: None };
        assert!(never_used.spend(s(0), s(10)), "the first query needs no stock");
    }
}
