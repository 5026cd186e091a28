//! Gives each change of an operation to the POS's function, on a thread of its own, so that a slow
//! function delays no call. The changes of one operation come in order. A function that is set gets
//! every operation that is not acknowledged first: what changed while the till was closed.

use crate::api;
use crate::config::Config;
use crate::core::code::Code;
use crate::core::error::Result;
use crate::core::id::OperationId;
use crate::core::intent::{Intent, IntentState};
use crate::rt::{self, Condvar, Instant, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

/// Receives an operation object. The notifier's thread calls it, one object at a time.
pub type Notify = Box<dyn FnMut(&str) + Send>;

/// Lists the operations that are not acknowledged.
type List = Box<dyn Fn() -> Result<Vec<Intent>> + Send>;

/// Limit of changes that wait for a slow function. Beyond it the journal is listed again, so that
/// the newest state of an operation is never lost.
const CAPACITY: usize = 1024;
/// Limit of the operations whose last change is remembered.
const KNOWN: usize = 4096;
/// How long after a failure the journal is listed again.
const RETRY: Duration = Duration::from_secs(10);

pub(crate) struct Notifier {
    config: Arc<Config>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Whether a function is set. Asked before an intent is copied.
    is_set: AtomicBool,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    changes: VecDeque<Intent>,
    /// The journal is listed before the next change is delivered.
    lists: bool,
    /// When a journal that could not be listed is listed again.
    retry_at: Option<Instant>,
    /// The state of each operation as it was delivered last.
    delivered: BTreeMap<OperationId, State>,
    function: Option<(Notify, List)>,
    /// The thread that is inside the function and has taken it out.
    calling: Option<ThreadId>,
    /// Counts calls of `set`. A function that returns from a call is put back only if it is still
    /// the current one.
    generation: u64,
    running: bool,
    closing: bool,
}

/// What a function learns of an operation, and the revision that said so.
#[derive(PartialEq, Eq)]
struct State {
    revision: u64,
    shown: (IntentState, Code, bool, bool),
}

impl State {
    fn of(intent: &Intent) -> Self {
        let shown = (intent.state, intent.code, intent.needs_review(), intent.is_acknowledged());
        Self { revision: intent.revision, shown }
    }
}

impl Queue {
    /// Returns whether an intent is new to the function, and remembers it.
    fn is_news(&mut self, intent: &Intent) -> bool {
        let state = State::of(intent);
        if let Some(known) = self.delivered.get(&intent.id())
            && (known.revision > state.revision || known.shown == state.shown)
        {
            return false;
        }
        if self.delivered.len() >= KNOWN {
            // What is acknowledged changes no more.
            self.delivered.retain(|_, known| !known.shown.3);
        }
        self.delivered.insert(intent.id(), state);
        true
    }
}

impl Notifier {
    pub fn new(config: &Arc<Config>) -> Self {
        Self { config: config.clone(), shared: Arc::default() }
    }

    /// Sets or removes the function. After the return the old function is not called again.
    pub fn set(&self, function: Option<(Notify, List)>) {
        let is_set = function.is_some();
        let mut queue = rt::lock(&self.shared.queue);
        queue.generation += 1;
        queue.changes.clear();
        queue.delivered.clear();
        (queue.lists, queue.retry_at) = (is_set, None);
        let old = std::mem::replace(&mut queue.function, function);
        self.shared.is_set.store(is_set, Ordering::Relaxed);
        let mut queue =
            rt::wait_for_host(&self.shared.changed, queue, |queue| queue.calling, |queue| queue.calling.is_some());
        if is_set && !queue.running && !queue.closing {
            let (shared, config) = (self.shared.clone(), self.config.clone());
            queue.running = rt::spawn_for_host("eps-notify", move || deliver(&shared, &config)).is_ok();
        }
        drop(queue);
        self.shared.changed.notify_all();
        // The POS's own code may run as the function is dropped, so no lock is held.
        drop(old);
    }

    /// Queues the newest state of an operation.
    pub fn push(&self, intent: &Intent) {
        if !self.shared.is_set.load(Ordering::Relaxed) {
            return;
        }
        let mut queue = rt::lock(&self.shared.queue);
        if queue.changes.len() >= CAPACITY {
            queue.changes.clear();
            queue.lists = true;
        }
        queue.changes.push_back(intent.clone());
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Removes the function and ends the thread. What was not delivered is delivered after the next
    /// open.
    pub fn close(&self) {
        let mut queue = rt::lock(&self.shared.queue);
        queue.closing = true;
        queue.generation += 1;
        queue.changes.clear();
        self.shared.is_set.store(false, Ordering::Relaxed);
        self.shared.changed.notify_all();
        let mut queue =
            rt::wait_for_host(&self.shared.changed, queue, |queue| queue.calling, |queue| queue.calling.is_some());
        let function = queue.function.take();
        drop(queue);
        drop(function);
    }
}

/// Gives queued changes to the function until the notifier is closed.
fn deliver(shared: &Shared, config: &Config) {
    let mut queue = rt::lock(&shared.queue);
    while !queue.closing {
        let now = Instant::now();
        let lists = queue.lists && queue.retry_at.is_none_or(|at| now >= at);
        let change = if lists { None } else { queue.changes.pop_front() };
        if !lists && change.is_none() {
            queue = match queue.lists {
                true => rt::wait_timeout(&shared.changed, queue, RETRY),
                false => rt::wait(&shared.changed, queue),
            };
            continue;
        }
        if change.as_ref().is_some_and(|intent| !queue.is_news(intent)) {
            continue;
        }
        let Some((mut function, list)) = queue.function.take() else {
            queue.lists = false;
            continue;
        };
        let generation = queue.generation;
        if lists {
            drop(queue);
            let listed = catch_unwind(AssertUnwindSafe(&list)).ok().and_then(Result::ok);
            queue = rt::lock(&shared.queue);
            if queue.generation == generation {
                queue.lists = listed.is_none();
                queue.retry_at = listed.is_none().then(|| now + RETRY);
                // A change that was queued meanwhile is newer than the listed state, or the same.
                for intent in listed.unwrap_or_default().into_iter().rev() {
                    queue.changes.push_front(intent);
                }
                queue.function = Some((function, list));
            }
            continue;
        }
        queue.calling = Some(std::thread::current().id());
        drop(queue);
        let json = change.map(|intent| api::operation(&intent, config)).unwrap_or_default();
        let survived = catch_unwind(AssertUnwindSafe(|| function(&String::from_utf8_lossy(&json))));
        queue = rt::lock(&shared.queue);
        queue.calling = None;
        // A function that panics is not called again. One that was replaced meanwhile is dropped.
        if survived.is_ok() && queue.generation == generation {
            queue.function = Some((function, list));
        } else {
            drop(queue);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(function)));
            queue = rt::lock(&shared.queue);
        }
        shared.changed.notify_all();
    }
    queue.running = false;
    drop(queue);
    shared.changed.notify_all();
}
