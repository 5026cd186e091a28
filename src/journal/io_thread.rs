//! A thread that uses the disk in a caller's place, so that a disk that hangs never holds a caller.
//! At most one thread of each kind hangs with it: later calls wait in its queue and leave in time.

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::rt::{self, Condvar, Instant, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A helper without work for this long ends. One whose journal is closed ends at once.
const IDLE: Duration = Duration::from_secs(5);

pub(super) struct IoThread {
    name: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    idle: Duration,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(u64, Box<dyn FnOnce() + Send>)>,
    /// The number of the next job.
    next: u64,
    has_thread: bool,
    /// The thread runs. A thread that is started under Windows' loader lock begins after it.
    is_running: bool,
    /// Grows with each cancellation.
    generation: u64,
    /// Nobody gives it work any more.
    is_over: bool,
}

impl Drop for IoThread {
    fn drop(&mut self) {
        rt::lock(&self.shared.queue).is_over = true;
        self.shared.changed.notify_all();
    }
}

impl IoThread {
    pub fn new(name: &'static str) -> Self {
        Self::with_idle(name, IDLE)
    }

    fn with_idle(name: &'static str, idle: Duration) -> Self {
        Self { name, shared: Arc::new(Shared { idle, queue: Mutex::default(), changed: Condvar::default() }) }
    }

    /// Does some work on the helper's thread and waits for it at most `limit`. Work that has begun
    /// by then goes on; work that has not is dropped.
    pub fn call<T: Send + 'static>(&self, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.wait_for(limit, false, work)
    }

    /// As [`IoThread::call`], but work that has not begun within the limit is done later.
    pub fn finish<T: Send + 'static>(&self, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.wait_for(limit, true, work)
    }

    fn wait_for<T: Send + 'static>(
        &self,
        limit: Duration,
        is_done_later: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let until = Instant::now() + limit;
        let result = Arc::new(Mutex::new(None));
        let place = result.clone();
        let shared = self.shared.clone();
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::of(Code::Internal));
            *rt::lock(&place) = Some(outcome);
            // Under the queue's lock, so that the caller does not miss it.
            let _queue = rt::lock(&shared.queue);
            shared.changed.notify_all();
        };
        let mut queue = rt::lock(&self.shared.queue);
        let (number, generation) = (queue.next, queue.generation);
        queue.next += 1;
        queue.jobs.push_back((number, Box::new(job)));
        if !queue.has_thread {
            let shared = self.shared.clone();
            if let Err(error) = rt::spawn(self.name, move || shared.run()) {
                queue.jobs.pop_back();
                return Err(Error::without_thread(&error));
            }
            queue.has_thread = true;
        }
        self.shared.changed.notify_all();
        loop {
            if let Some(outcome) = rt::lock(&result).take() {
                return outcome;
            }
            let left = until.saturating_duration_since(Instant::now());
            let code = match () {
                () if queue.generation != generation => Code::Cancelled,
                () if left.is_zero() => Code::JournalTimedOut,
                () => {
                    queue = rt::wait_timeout(&self.shared.changed, queue, left);
                    continue;
                }
            };
            let never_ran = !queue.is_running;
            if !is_done_later {
                queue.jobs.retain(|(queued, _)| *queued != number);
            }
            return Err(match code {
                Code::JournalTimedOut if never_ran => Error::new(
                    code,
                    "no thread could begin within the wait. Make the call neither in DllMain nor in the constructor \
                     of a DLL's global object",
                ),
                _ => Error::of(code),
            });
        }
    }

    /// Ends the wait of every caller.
    pub fn cancel(&self) {
        rt::lock(&self.shared.queue).generation += 1;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        let mut queue = rt::lock(&self.queue);
        queue.is_running = true;
        let mut idle_since = Instant::now();
        loop {
            if let Some((_, job)) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = rt::lock(&self.queue);
                idle_since = Instant::now();
                continue;
            }
            let left = self.idle.saturating_sub(idle_since.elapsed());
            if left.is_zero() || queue.is_over {
                queue.has_thread = false;
                queue.is_running = false;
                return;
            }
            queue = rt::wait_timeout(&self.changed, queue, left);
        }
    }
}

#[cfg(test)]
impl IoThread {
    /// Returns a helper whose thread was started and cannot begin.
    pub fn without_thread() -> Self {
        let helper = Self::new("eps-test");
        rt::lock(&helper.shared.queue).has_thread = true;
        helper
    }

    /// Returns the number of jobs that have not begun.
    pub fn queued(&self) -> usize {
        rt::lock(&self.shared.queue).jobs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Gives the thread work that hangs until the sender is used or dropped. Its caller does not
    /// wait for it.
    fn hang(helper: &IoThread) -> mpsc::Sender<()> {
        loop {
            let ((release, held), (starter, begun)) = (mpsc::channel(), mpsc::channel());
            let hung = helper.call(Duration::from_millis(20), move || {
                starter.send(()).unwrap();
                held.recv().is_ok()
            });
            assert_eq!(hung.unwrap_err().code(), Code::JournalTimedOut);
            // On a busy machine the thread may not have begun it within the wait.
            if begun.try_recv().is_ok() {
                return release;
            }
        }
    }

    #[test]
    fn hanging_work_holds_no_caller_and_one_thread() {
        let helper = Arc::new(IoThread::new("eps-test"));
        let release = hang(&helper);
        for _ in 0..50 {
            let late = helper.call(Duration::from_millis(1), || panic!("this work was dropped"));
            assert_eq!(late.unwrap_err().code(), Code::JournalTimedOut);
        }
        assert_eq!(helper.queued(), 0);
        let waiting = helper.clone();
        let caller = std::thread::spawn(move || waiting.call(Duration::from_secs(60), || ()));
        while helper.queued() == 0 {
            std::thread::yield_now();
        }
        helper.cancel();
        assert_eq!(caller.join().unwrap().unwrap_err().code(), Code::Cancelled);
        release.send(()).unwrap();
        assert_eq!(helper.call(Duration::from_secs(60), || 7).unwrap(), 7);
        let panicked = helper.call(Duration::from_secs(60), || assert!(IDLE.is_zero()));
        assert_eq!(panicked.unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn thread_ends_when_it_is_idle_or_has_no_owner() {
        let ended = |shared: &std::sync::Weak<Shared>| {
            let fuse = Instant::now() + Duration::from_secs(60);
            while shared.strong_count() > 0 {
                assert!(Instant::now() < fuse, "the thread goes on");
                std::thread::yield_now();
            }
        };
        // Several: the first ones wait for work by the time that they lose their owner.
        let helpers = [(); 8].map(|()| IoThread::with_idle("eps-test", Duration::from_secs(3_600)));
        let shared = helpers.each_ref().map(|helper| Arc::downgrade(&helper.shared));
        for helper in &helpers {
            helper.call(Duration::from_secs(60), || ()).unwrap();
        }
        drop(helpers);
        shared.iter().for_each(ended);
        // Work that is to be finished is done before.
        let helper = IoThread::with_idle("eps-test", Duration::from_secs(3_600));
        let (shared, release) = (Arc::downgrade(&helper.shared), hang(&helper));
        let (done, receive) = mpsc::channel();
        helper.finish(Duration::from_millis(1), move || done.send(()).unwrap()).unwrap_err();
        drop(helper);
        release.send(()).unwrap();
        receive.recv().unwrap();
        ended(&shared);
        let helper = IoThread::with_idle("eps-test", Duration::from_millis(20));
        helper.call(Duration::from_secs(60), || ()).unwrap();
        let fuse = Instant::now() + Duration::from_secs(60);
        while rt::lock(&helper.shared.queue).has_thread {
            assert!(Instant::now() < fuse, "the thread goes on");
            std::thread::yield_now();
        }
        assert!(!rt::lock(&helper.shared.queue).is_running);
        // The next work has a thread again.
        assert_eq!(helper.call(Duration::from_secs(60), || 7).unwrap(), 7);
    }

    #[test]
    fn work_to_finish_is_done_after_its_caller_has_left() {
        let helper = IoThread::new("eps-test");
        let release = hang(&helper);
        let (done, receive) = mpsc::channel();
        let late = helper.finish(Duration::from_millis(1), move || done.send(()).unwrap());
        assert_eq!(late.unwrap_err().code(), Code::JournalTimedOut);
        // Work behind it that is dropped takes nothing else with it.
        helper.call(Duration::from_millis(1), || panic!("this work was dropped")).unwrap_err();
        assert_eq!(helper.queued(), 1);
        release.send(()).unwrap();
        receive.recv().unwrap();
    }

    #[test]
    fn thread_that_cannot_begin_is_no_slow_disk() {
        let message = |helper: &IoThread| {
            let error = helper.call(Duration::from_millis(1), || ()).unwrap_err();
            assert_eq!(error.code(), Code::JournalTimedOut);
            error.message().to_owned()
        };
        assert!(message(&IoThread::without_thread()).contains("DllMain"));
        let helper = IoThread::new("eps-test");
        let _release = hang(&helper);
        assert_eq!(message(&helper), Code::JournalTimedOut.row().meaning);
    }
}
