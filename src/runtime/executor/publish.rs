//! What is known of an intent is stored, reported to the POS and handed to its waiters.

use super::{Executor, FIRST_QUERY_DELAY, RETRY};
use crate::core::code::{Action, Code};
use crate::core::domain::millis;
use crate::core::error::{Error, Result};
use crate::core::evidence::{self};
use crate::core::id::OperationId;
use crate::core::intent::{Durability, Intent, IntentState};
use crate::core::machine::{self, Next};
use crate::log::{Field, Level};
use crate::rt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

impl Executor {
    /// Stores what could not be stored before. The journal keeps its older record of an intent that
    /// cannot be stored now either.
    pub(super) fn persist_all(&self) {
        // The lock is released before the loop: storing takes it again.
        let not_persisted = self.lock().not_persisted.clone();
        for intent in not_persisted.into_values() {
            let _ = self.persist_again(intent);
        }
    }

    /// Gives the waiters of a pending intent its newest revision.
    pub(super) fn notify_waiters(&self, intent: &Intent) {
        self.notifier.push(intent);
        let waiters = self.lock().entries.get(&intent.id()).map(|entry| entry.waiters.clone());
        for waiter in waiters.unwrap_or_default() {
            waiter.notify(intent);
        }
    }

    /// Stores an intent that could not be stored before.
    pub(super) fn persist_again(&self, intent: Intent) -> Result<Intent> {
        if intent.state == IntentState::Completed {
            return self.persist_reported(&intent, None);
        }
        let saved = self.journal.save(&intent, machine::durability(&intent));
        let stored = match saved {
            Ok(true) => intent,
            // Another process may have found it in the write-ahead log and taken it over.
            _ => match self.journal.get(intent.id())? {
                Some(theirs) if theirs.revision >= intent.revision => theirs,
                _ => return Err(saved.err().unwrap_or_else(|| Error::of(Code::Journal))),
            },
        };
        self.lock().not_persisted.remove(&stored.id());
        Ok(stored)
    }

    /// Stores a completion that was reported, over what another writer has stored without knowing
    /// of it. `limit`: the wait of a call that has its own.
    pub(super) fn persist_reported(&self, reported: &Intent, limit: Option<Duration>) -> Result<Intent> {
        let stored = loop {
            let stored = self.recorded(reported.id())?;
            if stored.state.is_final() {
                break stored;
            }
            let next = Intent { revision: stored.revision + 1, ..reported.clone() };
            let durability = machine::durability(&next);
            let saved = match limit {
                Some(limit) => self.journal.save_within(&next, durability, limit),
                None => self.journal.save_within_wait(&next, durability),
            };
            if saved? {
                break next;
            }
        };
        self.lock().not_persisted.remove(&stored.id());
        Ok(stored)
    }

    /// Adds evidence to an intent and stores it. If another thread or process has stored the intent
    /// meanwhile, the evidence is added to that. An outcome that could not be stored is not
    /// reported, except a completion.
    pub(super) fn apply_and_store(
        &self,
        mut intent: Intent,
        transition: impl Fn(&Intent) -> Option<Next>,
        completed: bool,
    ) -> Next {
        let stored = loop {
            // Of another writer's intent the evidence may say nothing any more.
            let Some(next) = transition(&intent) else { break Next { intent, delay_ms: millis(FIRST_QUERY_DELAY) } };
            let durability = machine::durability(&next.intent);
            if next.intent.state == IntentState::Completed && durability == Durability::Buffered {
                self.report_completion(&next.intent);
            }
            let error = match self.journal.save(&next.intent, durability) {
                Ok(true) => {
                    // The intent that is stored may be older than a completion that another thread
                    // has reported.
                    if let Some(reported) =
                        self.reported(intent.id()).filter(|_| next.intent.state != IntentState::Completed)
                    {
                        intent = next.intent;
                        match self.persist_reported(&reported, None) {
                            Ok(stored) => break Next { intent: stored, delay_ms: 0 },
                            Err(error) => {
                                self.log_journal_failure(intent.id(), &error);
                                return Next { intent: reported, delay_ms: 0 };
                            }
                        }
                    }
                    break next;
                }
                Ok(false) => match self.journal.get(intent.id()) {
                    Ok(Some(theirs)) if evidence::is_overtaken(&intent, &theirs, completed) => {
                        break Next { intent: theirs, delay_ms: millis(FIRST_QUERY_DELAY) };
                    }
                    Ok(Some(theirs)) => {
                        intent = theirs;
                        continue;
                    }
                    Ok(None) => Error::of(Code::UnknownOperation),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.log_journal_failure(intent.id(), &error);
            return match next.intent.state {
                // It is stored later.
                IntentState::Completed => {
                    self.lock().not_persisted.insert(next.intent.id(), next.intent.clone());
                    next
                }
                _ => Next { intent: machine::not_persisted(next.intent), ..next },
            };
        };
        if stored.intent.state.is_final() {
            self.lock().not_persisted.remove(&stored.intent.id());
        }
        stored
    }

    /// Checkpoints the write-ahead log after a job, while no caller waits.
    pub(super) fn checkpoint_if_due(&self) {
        if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| self.journal.checkpoint_if_due())) {
            self.log.write(Level::Error, "journal.failed", &[("code", Field::Code(error.code()))]);
        }
    }

    pub(super) fn log_journal_failure(&self, id: OperationId, error: &Error) {
        let fields = [("operationId", Field::Operation(id)), ("code", Field::Code(error.code()))];
        self.log.write(Level::Error, "journal.failed", &fields);
    }

    /// Notifies all waiters of a completed purchase before it is stored, so that a slow disk does
    /// not delay them.
    pub(super) fn report_completion(&self, intent: &Intent) {
        let mut scheduler = self.lock();
        scheduler.not_persisted.insert(intent.id(), intent.clone());
        let waiters = scheduler.entries.get_mut(&intent.id()).map(|entry| std::mem::take(&mut entry.waiters));
        drop(scheduler);
        self.notifier.push(intent);
        for waiter in waiters.unwrap_or_default() {
            waiter.notify(intent);
        }
    }

    /// Notifies all waiters of an intent, and schedules the next status query.
    pub(super) fn publish(&self, next: &Next) {
        let intent = &next.intent;
        let now = self.monotonic();
        let mut scheduler = self.lock();
        let ended = intent.state.is_final() || intent.is_acknowledged();
        let outdated = scheduler.entries.get(&intent.id()).is_some_and(|entry| intent.revision < entry.started);
        let waiters = match scheduler.entries.get_mut(&intent.id()) {
            None => Vec::new(),
            // Started again meanwhile: the entry and its waiters belong to the new start.
            Some(entry) if outdated => entry.waiters.clone(),
            Some(entry) if ended || intent.needs_review() => std::mem::take(&mut entry.waiters),
            Some(entry) => {
                entry.drop_departed();
                entry.waiters.clone()
            }
        };
        let not_persisted = scheduler.not_persisted.contains_key(&intent.id());
        let query_due = (!ended || not_persisted) && !outdated;
        if query_due {
            let delay = if not_persisted { RETRY } else { Duration::from_millis(next.delay_ms) };
            scheduler.schedule(intent.id(), now + delay);
        } else if !outdated {
            scheduler.forget(intent.id());
            self.stats.resolved(intent.state);
        }
        drop(scheduler);
        if query_due {
            self.changed.notify_one();
        }
        if !outdated {
            self.notifier.push(intent);
            self.log_change(next, query_due);
        }
        for waiter in waiters {
            waiter.notify(intent);
        }
    }

    /// Logs an outcome, or the reason of a pending operation if it is new. `comes_again`: it is
    /// pending, or its outcome is not stored yet.
    fn log_change(&self, next: &Next, comes_again: bool) {
        let intent = &next.intent;
        let last = intent.progress.last_code.and_then(Code::from_number);
        let code = if intent.state.is_final() { intent.code } else { last.unwrap_or(intent.code) };
        let says = (code, intent.state.is_final());
        let mut logged = rt::lock(&self.logged);
        let is_news = logged.insert(intent.id(), says) != Some(says);
        if !comes_again {
            logged.remove(&intent.id());
        }
        drop(logged);
        if !is_news {
            return;
        }
        let action = code.row().action();
        let needs_administrator = action == Action::Administrator;
        let mut fields = vec![
            ("operationId", Field::Operation(intent.id())),
            ("code", Field::Code(code)),
            ("action", Field::Word(action.name())),
            ("attempt", Field::Number(intent.detail.attempts.into())),
            ("queries", Field::Number(intent.query_count.into())),
        ];
        let (event, level) = if intent.state.is_final() {
            fields.push(("outcome", Field::Word(code.row().outcome.name())));
            ("operation.resolved", Level::Info)
        } else {
            fields.push(("nextQueryMs", Field::Number(next.delay_ms)));
            ("operation.pending", Level::Warn)
        };
        self.log.write(if needs_administrator { Level::Error } else { level }, event, &fields);
    }

    /// Schedules an intent again after a failure.
    pub(super) fn release(&self, id: OperationId, delay: Duration) {
        let due = self.monotonic() + delay;
        self.lock().schedule(id, due);
        self.changed.notify_one();
    }
}
