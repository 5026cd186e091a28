//! One till's pending purchases in virtual time, so that a tool can simulate a chain of tills. Each
//! decision is the library's own; the caller is the network and the clock.

use super::clock::{Clocks, Limits, Observation};
use super::code::Code;
use super::domain::{Millis, Purchase, millis};
use super::evidence::{AttemptResult, QueryResult, Reason};
use super::id::{ContactId, ItemId, OperationId};
use super::intent::Intent;
use super::machine::{self, AfterQuery, Next};
use super::retry::{RetryRules, Timing, startup_wait};
use super::scheduler::{Job, ResolveJob, Scheduler};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// What Engage does with a request in the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It responds. A purchase was not in its history before.
    Served,
    /// It responds with 429.
    RateLimited,
    /// No response.
    Outage,
}

/// One till after its start, with purchases that an outage has left pending.
pub struct Till {
    rules: RetryRules,
    request_timeout: Duration,
    scheduler: Scheduler<()>,
    intents: BTreeMap<OperationId, Intent>,
}

/// A request that the till sends now.
#[derive(Debug, Clone, Copy)]
pub struct Request(ResolveJob);

impl Till {
    /// Starts a till at a time with `count` pending purchases of different members.
    pub fn start(
        rules: RetryRules,
        request_timeout: Duration,
        count: usize,
        now: Duration,
        random: &mut dyn FnMut() -> u64,
    ) -> Self {
        let mut till = Self { rules, request_timeout, scheduler: Scheduler::default(), intents: BTreeMap::new() };
        for _ in 0..count {
            let id = Uuid::from_u64_pair(random(), random());
            let (contact, item) = (ContactId::from_uuid(id), ItemId::from_uuid(id));
            let purchase = Purchase { id: OperationId::from_uuid(id), contact, item };
            // Its attempt was made before the start, and its in-flight window is over.
            let intent = Intent::new(purchase.into(), None, millis(now), millis(now));
            till.scheduler.schedule(intent.id(), now + startup_wait(&till.rules, random()));
            till.intents.insert(intent.id(), intent);
        }
        till
    }

    /// Returns when the till acts next.
    pub fn next_due(&self) -> Option<Duration> {
        self.scheduler.next_due()
    }

    /// Returns how many purchases are pending.
    pub fn pending(&self) -> usize {
        self.intents.len()
    }

    /// Returns the request that the till sends now, if any.
    pub fn act(&mut self, now: Duration) -> Option<Request> {
        while let Some(Job::Resolve(job)) = self.scheduler.take(now) {
            let Some(wait) = self.scheduler.spend_unattended(now, &self.rules) else { return Some(Request(job)) };
            self.scheduler.schedule(job.id, now + wait);
            self.scheduler.end_resolve(job);
        }
        None
    }

    /// Takes the reply to a status query. Returns whether the till repeats the purchase at once.
    pub fn on_query(&mut self, Request(job): Request, reply: Reply, now: Duration, random: u64) -> bool {
        let Some(intent) = self.intents.get(&job.id).cloned() else { return false };
        self.note_rate(reply, now, random);
        let result = match failure(reply) {
            None => QueryResult::NoHistory,
            Some(reason) => QueryResult::NoEvidence(reason),
        };
        let seen: Observation = self.scheduler.observe(&intent, now);
        let time = seen.query_time(&intent, now, None, self.limits());
        let clocks = self.clocks(now);
        let timing = Timing { rules: &self.rules, attended: None, random };
        match machine::after_query(&intent, result, time, false, clocks, timing) {
            AfterQuery::Resend { excluded } => {
                let again = machine::next_attempt(&intent, excluded, clocks);
                self.scheduler.observe_attempt(&again, now);
                self.intents.insert(job.id, again);
                true
            }
            AfterQuery::Store(next) => {
                self.end(job, *next, now);
                false
            }
        }
    }

    /// Takes the reply to a repeated purchase.
    pub fn on_attempt(&mut self, Request(job): Request, reply: Reply, now: Duration, random: u64) {
        let Some(intent) = self.intents.get(&job.id).cloned() else { return };
        self.note_rate(reply, now, random);
        let result = match (failure(reply), reply) {
            (None, _) => AttemptResult::Completed { response: String::new() },
            (Some(reason), Reply::RateLimited) => AttemptResult::Over(reason),
            (Some(reason), _) => AttemptResult::InDoubt(reason),
        };
        let timing = Timing { rules: &self.rules, attended: None, random };
        let next = machine::after_attempt(&intent, result, self.clocks(now), timing);
        self.end(job, next, now);
    }

    /// Takes the reply to a sale. It changes the till's pace.
    pub fn on_sale(&mut self, reply: Reply, now: Duration, random: u64) {
        self.note_rate(reply, now, random);
    }

    fn end(&mut self, job: ResolveJob, next: Next, now: Duration) {
        if next.intent.state.is_final() {
            self.intents.remove(&job.id);
            self.scheduler.forget(job.id);
        } else {
            self.scheduler.schedule(job.id, now + Duration::from_millis(next.delay_ms));
            self.intents.insert(job.id, next.intent);
        }
        self.scheduler.end_resolve(job);
    }

    fn note_rate(&mut self, reply: Reply, now: Duration, random: u64) {
        match reply {
            Reply::RateLimited => self.scheduler.throttle.on_rate_limited(now, None, random),
            Reply::Served => self.scheduler.throttle.accepted(),
            Reply::Outage => {}
        }
    }

    fn clocks(&self, now: Duration) -> Clocks {
        let window = millis(self.request_timeout);
        Clocks { till: millis(now), engage: None, in_flight_window_ms: window + window / 10 }
    }

    fn limits(&self) -> Limits {
        let resend_limit_ms: Millis = self.rules.resend_limit_ms;
        Limits { history_lag_ms: 0, resend_limit_ms, built_at: 0, loss_seen: None }
    }
}

/// Returns why a request without a result has none.
fn failure(reply: Reply) -> Option<Reason> {
    let code = match reply {
        Reply::Served => return None,
        Reply::RateLimited => Code::PendingRateLimited,
        Reply::Outage => Code::PendingConnectionLost,
    };
    Some(Reason::of(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(startup_jitter_ms: u64) -> RetryRules {
        RetryRules { schedule_ms: vec![10_000, 30_000], startup_jitter_ms, resend_limit_ms: 86_400_000 }
    }

    fn start(jitter: u64) -> Till {
        let mut number = 0;
        let mut random = || {
            number += 7_777;
            number
        };
        Till::start(rules(jitter), Duration::from_secs(60), 2, Duration::ZERO, &mut random)
    }

    #[test]
    fn served_till_queries_repeats_and_ends() {
        let (mut till, mut requests, mut now) = (start(30_000), 0, Duration::ZERO);
        while let Some(due) = till.next_due() {
            now = due.max(now);
            let Some(request) = till.act(now) else { continue };
            requests += 1;
            if till.on_query(request, Reply::Served, now, 5) {
                requests += 1;
                till.on_attempt(request, Reply::Served, now, 5);
            }
        }
        assert_eq!((till.pending(), requests), (0, 4));
        assert!(now > Duration::ZERO && now <= Duration::from_secs(30));
    }

    #[test]
    fn rate_limited_till_waits_longer_each_time() {
        let (mut till, mut now, mut times) = (start(0), Duration::ZERO, Vec::new());
        while times.len() < 6 {
            now = till.next_due().unwrap().max(now);
            let Some(request) = till.act(now) else { continue };
            times.push(now);
            assert!(!till.on_query(request, Reply::RateLimited, now, u64::MAX / 3));
        }
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        assert!(gaps[4] > gaps[0] && gaps[4] > Duration::from_secs(60), "{gaps:?}");
        assert_eq!(till.pending(), 2);
    }
}
