//! When the next request is made: schedule, jitter, budget.

use super::domain::Millis;
use std::time::Duration;

/// A longer `Retry-After` of Engage is taken for this, in ms.
pub(crate) const LONGEST_RETRY_AFTER_MS: Millis = 3_600_000;

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
    /// A caller waits for the outcome.
    pub attended: bool,
    /// A random number for the jitter.
    pub random: u64,
}

/// Returns the wait before the next status query, in ms. Full jitter over the schedule; while a caller waits, much
/// sooner (Engage: "a user-invoked call may be shorter").
pub(crate) fn wait_ms(query_count: u32, timing: Timing<'_>) -> Millis {
    let schedule = &timing.rules.schedule_ms;
    let step = usize::try_from(query_count).unwrap_or(usize::MAX).min(schedule.len() - 1);
    let background = schedule[step];
    if timing.attended {
        let ceiling = (500 << query_count.min(3)).min(background);
        return ceiling / 2 + timing.random % (ceiling / 2 + 1);
    }
    timing.random % (background + 1)
}

/// Returns the longest wait of the schedule, in ms.
pub(crate) fn widest(rules: &RetryRules) -> Millis {
    rules.schedule_ms.iter().copied().max().unwrap_or(0)
}

/// Status queries in stock when nothing was sold for long.
const BURST: f64 = 10.0;

/// Limits unattended status queries to a tenth of the requests: thousands of tills share one key.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    tokens: f64,
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
        self.tokens = (self.tokens + 0.1).min(BURST);
    }

    /// Takes one query from the stock. Beyond the stock, queries are at least `min_interval` apart, so that every
    /// intent gets its turn.
    pub fn spend(&mut self, now: Duration, min_interval: Duration) -> bool {
        if self.tokens < 1.0 && self.last.is_some_and(|last| now.saturating_sub(last) < min_interval) {
            return false;
        }
        self.tokens = (self.tokens - 1.0).max(0.0);
        self.last = Some(now);
        true
    }
}
