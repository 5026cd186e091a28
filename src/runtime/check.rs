//! Gathers the facts of `eps_check`, and the readings of `eps_read_metrics`. A check's facts are
//! gathered on a thread of its own, so that nothing that hangs holds the caller. At the end of the
//! wait the checks are decided from what is known by then.

use super::executor::Executor;
use super::{Journal, Runtime};
use crate::config::Config;
use crate::core::check::{self, Facts, Operations, Place};
use crate::core::code::Code;
use crate::core::domain::millis;
use crate::core::error::{Error, Result};
use crate::engage::{Engage, says_no_contact};
use crate::metrics::Readings;
use crate::rt::{self, Condvar, Mutex};
use crate::stats::Stats;
use crate::transport::{Call, EndReason};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The facts that are known so far, and whether all are.
#[derive(Default)]
struct Gathered {
    facts: Mutex<(Facts, bool)>,
    changed: Condvar,
}

/// What the facts are gathered from.
struct Gatherer {
    executor: Option<Arc<Executor>>,
    engage: Arc<Engage>,
    config: Arc<Config>,
    stats: Arc<Stats>,
    call: Arc<Call>,
    gathered: Arc<Gathered>,
}

impl Runtime {
    /// Gathers the facts of the checks, within the limits of `call`.
    #[cold]
    pub fn gather_facts(&self, online: bool, call: &Arc<Call>) -> Result<Facts> {
        let gathered = Arc::<Gathered>::default();
        rt::lock(&gathered.facts).0 = Facts {
            now: rt::wall_now(),
            built_at: rt::BUILT_AT,
            version: crate::version::VERSION,
            online,
            wait_ms: millis(call.remaining()).next_multiple_of(100),
            has_key: self.config.api_key.is_some(),
            ..Facts::default()
        };
        let sources = Gatherer {
            executor: self.executor.clone(),
            engage: self.engage.clone(),
            config: self.config.clone(),
            stats: self.stats.clone(),
            call: call.clone(),
            gathered: gathered.clone(),
        };
        let gather = move || {
            let _ = catch_unwind(AssertUnwindSafe(|| sources.gather(online)));
            sources.learn(|facts| sources.add_counters(facts));
            rt::lock(&sources.gathered.facts).1 = true;
            sources.gathered.changed.notify_all();
        };
        rt::spawn("eps-check", gather).map_err(|error| Error::without_thread(&error))?;
        let mut known = rt::lock(&gathered.facts);
        while !known.1 {
            match call.slice() {
                Ok(slice) => known = rt::wait_timeout(&gathered.changed, known, slice),
                Err(EndReason::TimedOut) => break,
                Err(EndReason::Cancelled) => return Err(Error::of(Code::Cancelled)),
            }
        }
        // The gatherer, whose steps are cancelled too, may be the first to end.
        match call.end_reason() {
            Some(EndReason::Cancelled) => Err(Error::of(Code::Cancelled)),
            _ => Ok(known.0.clone()),
        }
    }

    /// Calls `write` with what the metrics need beside the counters.
    #[cold]
    pub fn with_readings<T>(&self, write: impl FnOnce(Readings<'_>) -> T) -> T {
        let journal = self.executor.as_ref().map(|executor| &executor.journal);
        let unacknowledged = self.unacknowledged().ok();
        write(Readings {
            now: rt::wall_now(),
            counts: journal.and_then(|journal| journal.counts().ok()).unwrap_or_default(),
            operations: unacknowledged.map(|intents| Operations::of(&intents, &self.config.tenant, says_no_contact)),
            sizes: journal.and_then(Journal::sizes),
            commits: journal.map(Journal::commit_times),
            skew_ms: check::skew(rt::wall_now(), self.engage.server_now()),
            certificate_expires_at: self.engage.certificate_expires_at(),
            dropped_lines: 0,
        })
    }
}

impl Gatherer {
    fn learn(&self, add: impl Fn(&mut Facts)) {
        add(&mut rt::lock(&self.gathered.facts).0);
    }

    /// The till's own facts first, then the server's.
    #[cold]
    fn gather(&self, online: bool) {
        self.learn(|facts| self.engage.add_settings(facts));
        self.learn(|facts| self.add_counters(facts));
        if let Some(executor) = &self.executor {
            let journal = &executor.journal;
            self.learn(|facts| facts.place = journal.place());
            let operations =
                executor.unacknowledged().map(|all| Operations::of(&all, &self.config.tenant, says_no_contact));
            self.learn(|facts| facts.operations = Some(operations.clone()));
            self.learn(|facts| facts.lost_at = journal.incomplete_before());
            if journal.place() == Place::File {
                // A disk that hangs leaves time for the network.
                let examined = journal.examine(self.call.remaining() / 2);
                self.learn(|facts| facts.journal = Some(examined.clone()));
            }
        }
        if online {
            self.engage.inspect(&self.call, &|add| self.learn(add));
            if matches!(rt::lock(&self.gathered.facts).0.peer, Some(Ok(_))) {
                let key = self.engage.try_key(&self.call);
                self.learn(|facts| facts.key = Some(key.clone()));
            }
        }
    }

    /// Adds what the requests so far have shown.
    fn add_counters(&self, facts: &mut Facts) {
        facts.last_response_at = self.stats.last_response_at();
        facts.rate_limited = (self.stats.rate_limited.get(), self.stats.last_rate_limited_at());
        facts.skew_ms = check::skew(rt::wall_now(), self.engage.server_now());
    }
}
