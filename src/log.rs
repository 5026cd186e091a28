//! One client's log. Lines of JSON are given to the POS's function on a thread of the log's own, so
//! that a slow function delays no call. A line holds names known at compile time, numbers, ids and
//! codes. The types allow no free text in a line (invariant 10).

use crate::core::code::Code;
use crate::core::id::{ContactId, OperationId};
use crate::rt::{self, Condvar, Mutex, MutexGuard};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

/// The level of a line. The numbers are those of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Nothing.
    Off = 0,
    /// What somebody must act on.
    Error = 1,
    /// What may need attention, and failed attempts.
    Warn = 2,
    /// Operations and their outcomes.
    Info = 3,
    /// Each request.
    Debug = 4,
}

impl Level {
    /// Returns the level of a number of the C API; None if there is none.
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
    /// A constant of the library's own.
    Word(&'static str),
}

/// Receives one line. The log's thread calls it, one line at a time.
pub type Sink = Box<dyn FnMut(Level, &str) + Send>;

/// Limit of lines that wait for a slow function. Further lines are dropped and counted.
const CAPACITY: usize = 1024;

#[derive(Default)]
pub(crate) struct Log {
    shared: Arc<Shared>,
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
    /// Lines that were dropped since the last one was delivered.
    dropped: u64,
    /// Lines that were dropped since the open.
    dropped_in_all: u64,
    sink: Option<Sink>,
    /// The thread that is inside the function and has taken the sink out.
    calling: Option<ThreadId>,
    /// Counts calls of `set`. A sink that returns from a call is put back only if it is still the
    /// current one.
    generation: u64,
    /// The log's thread was spawned and has not ended.
    running: bool,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        rt::lock(&self.queue)
    }
}

impl Log {
    /// Sets or removes the function. After the return the old function is not called again.
    pub fn set(&self, level: Level, sink: Option<Sink>) {
        let level = if sink.is_some() { level } else { Level::Off };
        let is_set = sink.is_some();
        let mut queue = self.shared.lock();
        queue.generation += 1;
        queue.lines.clear();
        let old = std::mem::replace(&mut queue.sink, sink);
        self.shared.level.store(level as i32, Ordering::Relaxed);
        let mut queue =
            rt::wait_for_host(&self.shared.changed, queue, |queue| queue.calling, |queue| queue.calling.is_some());
        if is_set && !queue.running {
            let shared = self.shared.clone();
            queue.running = rt::spawn_for_host("eps-log", move || deliver(&shared)).is_ok();
        }
        drop(queue);
        // The POS's own code may run as the function is dropped, so no lock is held.
        drop(old);
    }

    /// Returns whether a line of this level is wanted. Asked for lines that cost something to make.
    pub fn wants(&self, level: Level) -> bool {
        self.shared.level.load(Ordering::Relaxed) >= level as i32
    }

    /// Queues a line for the function. A line beyond the queue's capacity is dropped and counted.
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
            queue.dropped_in_all += 1;
            return;
        }
        queue.lines.push_back((level, Value::Object(line).to_string()));
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Returns how many lines were dropped.
    pub fn dropped_lines(&self) -> u64 {
        self.shared.lock().dropped_in_all
    }

    /// Delivers the queued lines if the function is fast enough, and ends the thread.
    pub fn close(&self) {
        let mut queue = self.shared.lock();
        queue.closing = true;
        self.shared.changed.notify_all();
        let mut queue = rt::wait_for_host(&self.shared.changed, queue, |queue| queue.calling, |queue| queue.running);
        // Lines that a slow function has not received by now are dropped: after the close the
        // function is not called again.
        queue.generation += 1;
        queue.lines.clear();
        let sink = queue.sink.take();
        drop(queue);
        drop(sink);
    }
}

/// Gives queued lines to the function until the log is closed.
fn deliver(shared: &Shared) {
    let mut queue = shared.lock();
    loop {
        let Some((level, line)) = queue.lines.pop_front() else {
            if queue.closing {
                break;
            }
            queue = rt::wait(&shared.changed, queue);
            continue;
        };
        let Some(mut sink) = queue.sink.take() else { continue };
        let (level, line) = match std::mem::take(&mut queue.dropped) {
            0 => (level, line),
            // A separate line, so that the function can be removed between the two.
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
        // A function that panics is not called again. One that was replaced meanwhile is dropped.
        if survived.is_ok() && queue.generation == generation {
            queue.sink = Some(sink);
        } else {
            drop(queue);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(sink)));
            queue = shared.lock();
        }
        shared.changed.notify_all();
    }
    queue.running = false;
    drop(queue);
    shared.changed.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn lines_up_to_the_level_arrive_in_order() {
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
    fn function_that_panics_is_not_called_again() {
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
    fn slow_function_loses_lines_and_reports_how_many() {
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
    fn function_that_closes_its_client_is_not_called_again() {
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
        assert!(receive.recv().is_err(), "the function's own data may be freed by now");
    }

    #[test]
    fn function_that_removes_itself_is_not_called_again() {
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
