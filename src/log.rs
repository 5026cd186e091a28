//! One client's log: lines of JSON handed to the POS's function on a thread of its own, so that a slow function holds up nothing.
//! What can be logged is a type: names known at compile time, numbers, ids and codes. There is no way to log a free text (invariant 10).

use crate::core::code::Code;
use crate::core::domain::{ContactId, OperationId};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// How much is said. The numbers are those of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    Off = 0,
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

impl Level {
    pub fn from_number(number: i32) -> Option<Self> {
        [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| *level as i32 == number)
    }
}

/// A value that may be logged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Number(u64),
    Code(Code),
    Operation(OperationId),
    Contact(ContactId),
    Flag(bool),
    Ms(Duration),
    /// One of the library's own words.
    Word(&'static str),
}

/// Receives one line. Called on the log's own thread, one line at a time.
pub type Sink = Box<dyn FnMut(Level, &str) + Send>;

/// Lines waiting for a slow function; beyond them lines are dropped and counted.
const CAPACITY: usize = 1024;
/// How long a running function is waited for when it is taken away or the client is closed.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    level: AtomicI32,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<(Level, String)>,
    dropped: u64,
    sink: Option<Sink>,
    /// The thread is inside the function; it has taken the sink out.
    calling: Option<ThreadId>,
    /// Counts `set`: a sink that comes back from a call is put back only if it is still the current one.
    generation: u64,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Sets or removes the function. When it returns, the old function is not entered again.
    pub fn set(&self, level: Level, sink: Option<Sink>) {
        let level = if sink.is_some() { level } else { Level::Off };
        let starts = sink.is_some();
        let mut queue = self.shared.lock();
        queue.generation += 1;
        queue.lines.clear();
        let old = std::mem::replace(&mut queue.sink, sink);
        self.shared.level.store(level as i32, Ordering::Relaxed);
        self.await_function(queue);
        drop(old);
        if starts {
            let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
            if thread.is_none() {
                let shared = self.shared.clone();
                *thread = std::thread::Builder::new().name("eps-log".into()).spawn(move || deliver(&shared)).ok();
            }
        }
    }

    /// Waits until the function is not running, but not from inside it.
    fn await_function(&self, mut queue: MutexGuard<'_, Queue>) {
        let until = Instant::now() + CLOSE_WAIT;
        while queue.calling.is_some_and(|thread| thread != std::thread::current().id()) && Instant::now() < until {
            queue = self
                .shared
                .changed
                .wait_timeout(queue, Duration::from_millis(20))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Whether a line of this level is wanted: for lines that cost something to make.
    pub fn wants(&self, level: Level) -> bool {
        self.shared.level.load(Ordering::Relaxed) >= level as i32
    }

    pub fn write(&self, level: Level, event: &'static str, fields: &[(&'static str, Field)]) {
        if !self.wants(level) {
            return;
        }
        let mut line = Map::new();
        line.insert("event".into(), event.into());
        for (name, field) in fields {
            let value = match field {
                Field::Number(number) => Value::from(*number),
                Field::Code(code) => Value::from(code.row().name),
                Field::Operation(id) => Value::from(id.to_string()),
                Field::Contact(id) => Value::from(id.to_string()),
                Field::Flag(flag) => Value::from(*flag),
                Field::Ms(duration) => Value::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
                Field::Word(word) => Value::from(*word),
            };
            line.insert((*name).into(), value);
        }
        let mut queue = self.shared.lock();
        if queue.lines.len() >= CAPACITY {
            queue.dropped += 1;
            return;
        }
        queue.lines.push_back((level, Value::Object(line).to_string()));
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits for the thread to deliver what there is, not for ever.
    fn await_end(&self, thread: JoinHandle<()>) {
        let until = Instant::now() + CLOSE_WAIT;
        while !thread.is_finished() && Instant::now() < until {
            let queue = self.shared.lock();
            let pause = Duration::from_millis(5);
            drop(self.shared.changed.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }

    /// Delivers what is waiting, if the function is quick enough, and ends the thread.
    pub fn close(&self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // A function that closes its own client cannot wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            self.await_end(thread);
        }
        // What a slow function has not got by now it does not get: it is not entered again.
        let mut queue = self.shared.lock();
        queue.generation += 1;
        queue.lines.clear();
        let sink = queue.sink.take();
        drop(queue);
        drop(sink);
    }
}

fn deliver(shared: &Shared) {
    let _quiet = crate::panics::quiet_thread();
    let mut queue = shared.lock();
    loop {
        let Some((level, line)) = queue.lines.pop_front() else {
            if queue.closing {
                break;
            }
            queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let Some(mut sink) = queue.sink.take() else { continue };
        let (level, line) = match std::mem::take(&mut queue.dropped) {
            0 => (level, line),
            // A line of its own, so that the function may go between the two.
            dropped => {
                queue.lines.push_front((level, line));
                (Level::Warn, format!("{{\"event\":\"log.dropped\",\"lines\":{dropped}}}"))
            }
        };
        let generation = queue.generation;
        queue.calling = Some(std::thread::current().id());
        drop(queue);
        let survived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sink(level, &line)));
        queue = shared.lock();
        queue.calling = None;
        // A function that panics is not called again; one that was replaced meanwhile is forgotten.
        if survived.is_ok() && queue.generation == generation {
            queue.sink = Some(sink);
        } else {
            drop(queue);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(sink)));
            queue = shared.lock();
        }
        shared.changed.notify_all();
    }
    shared.changed.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn lines_come_in_order_and_the_level_holds_back_the_rest() {
        let log = Log::default();
        let (send, receive) = mpsc::channel();
        log.set(Level::Info, Some(Box::new(move |_, line| send.send(line.to_owned()).unwrap())));
        log.write(Level::Info, "one", &[("ms", Field::Number(7))]);
        log.write(Level::Debug, "two", &[]);
        log.write(Level::Error, "three", &[("code", Field::Code(Code::Offline))]);
        log.close();
        let lines: Vec<String> = receive.iter().collect();
        assert_eq!(lines, [r#"{"event":"one","ms":7}"#, r#"{"code":"EPS_OFFLINE","event":"three"}"#]);
    }

    #[test]
    fn a_function_that_panics_is_not_called_again_and_harms_nothing() {
        let log = Log::default();
        let (send, receive) = mpsc::channel();
        log.set(
            Level::Info,
            Some(Box::new(move |_, _| {
                send.send(()).unwrap();
                panic!("from the host");
            })),
        );
        log.write(Level::Info, "one", &[]);
        log.write(Level::Info, "two", &[]);
        log.close();
        assert_eq!(receive.iter().count(), 1);
    }

    #[test]
    fn a_slow_function_loses_lines_but_says_how_many() {
        let log = Log::default();
        let (send, receive) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        log.set(
            Level::Info,
            Some(Box::new(move |_, line| {
                send.send(line.to_owned()).unwrap();
                let _ = gate.recv();
            })),
        );
        log.write(Level::Info, "first", &[]);
        assert!(receive.recv().unwrap().contains("first"));
        for _ in 0..CAPACITY + 5 {
            log.write(Level::Info, "more", &[]);
        }
        drop(release);
        assert_eq!(receive.recv().unwrap(), r#"{"event":"log.dropped","lines":5}"#);
        log.close();
    }

    #[test]
    fn a_function_that_closes_its_client_is_not_entered_again() {
        let log = Arc::new(Log::default());
        let inside = log.clone();
        let (send, receive) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        log.set(
            Level::Info,
            Some(Box::new(move |_, line| {
                send.send(line.to_owned()).unwrap();
                let _ = gate.recv();
                inside.close();
            })),
        );
        log.write(Level::Info, "one", &[]);
        assert!(receive.recv().unwrap().contains("one"));
        log.write(Level::Info, "two", &[]);
        drop(release);
        assert!(receive.recv().is_err(), "what the function needs may be gone by now");
    }

    #[test]
    fn a_function_may_take_itself_away() {
        let log = Arc::new(Log::default());
        let inside = log.clone();
        let (send, receive) = mpsc::channel();
        log.set(
            Level::Info,
            Some(Box::new(move |_, _| {
                inside.set(Level::Off, None);
                send.send(()).unwrap();
            })),
        );
        log.write(Level::Info, "one", &[]);
        receive.recv().unwrap();
        log.write(Level::Info, "two", &[]);
        log.close();
        assert!(receive.recv().is_err());
    }
}
