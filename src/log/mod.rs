//! One client's log. Lines of JSON are given to the POS's function and to the library's own file,
//! each on a thread of its own, so that a slow one delays no call. A line holds names known at
//! compile time, numbers, ids and codes. The types allow no free text in a line (invariant 10).

mod events;
mod file;

pub use events::{EVENTS, Event, FIELDS};

use crate::core::code::Code;
use crate::core::domain::Millis;
use crate::core::id::{ContactId, OperationId, RequestId};
use crate::rt::{self, Condvar, Mutex, MutexGuard};
use file::LogFile;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;
use time::OffsetDateTime;

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
pub(crate) enum Field<'a> {
    Number(u64),
    Code(Code),
    Operation(OperationId),
    Contact(ContactId),
    /// An id of a request: the library's own, or Engage's.
    Request(&'a RequestId),
    Flag(bool),
    Ms(Duration),
    /// A constant of the library's own.
    Word(&'static str),
}

/// Receives one line. The log's thread calls it, one line at a time.
pub type Sink = Box<dyn FnMut(Level, &str) + Send>;

/// Limit of lines that wait for a slow function. Further lines are dropped and counted.
const CAPACITY: usize = 1024;

/// The two outputs of the lines. A slow one delays neither a call nor the other one.
#[derive(Default)]
pub(crate) struct Log {
    /// The POS's function.
    function: Arc<Shared>,
    /// The library's own file.
    file: Arc<Shared>,
    /// Lines that could not be written to the file.
    unwritten: Arc<AtomicU64>,
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
        let start = |work: Box<dyn FnOnce() + Send>| rt::spawn_for_host("eps-log", work).is_ok();
        self.function.set(level, sink, start);
    }

    /// Writes the lines to a file too. It is renamed and begun anew at `bytes`, and `files` are
    /// kept.
    pub fn write_to(&self, path: PathBuf, level: Level, bytes: u64, files: u64) {
        let (file, unwritten) = (LogFile { path, bytes, files }, self.unwritten.clone());
        let sink = move |_: Level, line: &str| {
            if file.write(line).is_err() {
                unwritten.fetch_add(1, Ordering::Relaxed);
            }
        };
        let start = |work: Box<dyn FnOnce() + Send>| rt::spawn("eps-log-file", work).is_ok();
        self.file.set(level, Some(Box::new(sink)), start);
    }

    /// Returns whether a line of this level is wanted. Asked for lines that cost something to make.
    pub fn wants(&self, level: Level) -> bool {
        self.function.wants(level) || self.file.wants(level)
    }

    /// Queues a line. A line beyond the queue's capacity is dropped and counted.
    pub fn write(&self, level: Level, event: &'static str, fields: &[(&'static str, Field<'_>)]) {
        #[cfg(debug_assertions)]
        assert!(events::is_documented(event, fields.iter().map(|(name, _)| *name)), "src/log/events.rs lacks {event}");
        if !self.wants(level) {
            return;
        }
        let line = line_of(event, fields);
        for output in [&self.function, &self.file] {
            if output.wants(level) {
                output.push(level, line.clone());
            }
        }
    }

    /// Returns how many lines were dropped.
    pub fn dropped_lines(&self) -> u64 {
        let dropped = |output: &Shared| output.lock().dropped_in_all;
        dropped(&self.function) + dropped(&self.file) + self.unwritten.load(Ordering::Relaxed)
    }

    /// Delivers the queued lines if the outputs are fast enough, and ends their threads.
    pub fn close(&self) {
        self.function.close();
        self.file.close();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns a line as JSON.
fn line_of(event: &'static str, fields: &[(&'static str, Field<'_>)]) -> String {
    let mut line = Map::new();
    line.insert("time".into(), utc(rt::wall_now()).into());
    line.insert("event".into(), event.into());
    for (name, field) in fields {
        let value = match field {
            Field::Number(number) => Value::from(*number),
            Field::Code(code) => Value::from(code.row().name),
            Field::Operation(id) => Value::from(id.to_string()),
            Field::Contact(id) => Value::from(id.to_string()),
            Field::Request(id) => Value::from(id.as_str()),
            Field::Flag(flag) => Value::from(*flag),
            Field::Ms(duration) => Value::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
            Field::Word(word) => Value::from(*word),
        };
        line.insert((*name).into(), value);
    }
    Value::Object(line).to_string()
}

/// Returns a time as `2026-11-25T14:03:59.123Z`.
fn utc(at: Millis) -> String {
    let seconds = i64::try_from(at / 1_000).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    let (month, day, ms) = (u8::from(date.month()), date.day(), at % 1_000);
    format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", date.year())
}

impl Shared {
    fn set(self: &Arc<Self>, level: Level, sink: Option<Sink>, start: impl FnOnce(Box<dyn FnOnce() + Send>) -> bool) {
        let level = if sink.is_some() { level } else { Level::Off };
        let is_set = sink.is_some();
        let mut queue = self.lock();
        queue.generation += 1;
        queue.lines.clear();
        let old = std::mem::replace(&mut queue.sink, sink);
        self.level.store(level as i32, Ordering::Relaxed);
        let mut queue = rt::wait_for_host(&self.changed, queue, |queue| queue.calling, |queue| queue.calling.is_some());
        if is_set && !queue.running {
            let shared = self.clone();
            queue.running = start(Box::new(move || deliver(&shared)));
        }
        drop(queue);
        // The POS's own code may run as the function is dropped, so no lock is held.
        drop(old);
    }

    fn wants(&self, level: Level) -> bool {
        self.level.load(Ordering::Relaxed) >= level as i32
    }

    fn push(&self, level: Level, line: String) {
        let mut queue = self.lock();
        if queue.lines.len() >= CAPACITY {
            queue.dropped += 1;
            queue.dropped_in_all += 1;
            return;
        }
        queue.lines.push_back((level, line));
        drop(queue);
        self.changed.notify_all();
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closing = true;
        self.changed.notify_all();
        let mut queue = rt::wait_for_host(&self.changed, queue, |queue| queue.calling, |queue| queue.running);
        // Lines that a slow output has not received by now are dropped: after the close it is not
        // called again.
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
                (Level::Warn, line_of("log.dropped", &[("lines", Field::Number(dropped))]))
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
        log.write(Level::Info, "journal.copied", &[("records", Field::Number(7))]);
        log.write(Level::Debug, "journal.copied", &[]);
        log.write(Level::Error, "journal.failed", &[("code", Field::Code(Code::Offline))]);
        log.close();
        let untimed = |line: String| {
            let mut line: Map<String, Value> = serde_json::from_str(&line).unwrap();
            let time = line.remove("time").unwrap();
            assert!(time.as_str().unwrap().ends_with('Z') && time.as_str().unwrap().len() == 24, "{time}");
            Value::Object(line).to_string()
        };
        let lines: Vec<String> = receive.iter().map(untimed).collect();
        let expected =
            [r#"{"event":"journal.copied","records":7}"#, r#"{"code":"EPS_OFFLINE","event":"journal.failed"}"#];
        assert_eq!(lines, expected);
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
        log.write(Level::Info, "journal.copied", &[]);
        log.write(Level::Info, "journal.copied", &[]);
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
        log.write(Level::Info, "journal.copied", &[]);
        assert!(receive.recv().unwrap().contains("journal.copied"));
        for _ in 0..CAPACITY + 5 {
            log.write(Level::Info, "journal.copied", &[]);
        }
        drop(release);
        assert!(receive.recv().unwrap().starts_with(r#"{"event":"log.dropped","lines":5,"#));
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
        log.write(Level::Info, "journal.copied", &[]);
        assert!(receive.recv().unwrap().contains("journal.copied"));
        log.write(Level::Info, "journal.copied", &[]);
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
        log.write(Level::Info, "journal.copied", &[]);
        receive.recv().unwrap();
        log.write(Level::Info, "journal.copied", &[]);
        log.close();
        assert!(receive.recv().is_err());
    }

    #[test]
    fn time_is_that_of_the_till_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(1_774_014_788_003), "2026-03-20T13:53:08.003Z");
    }

    #[test]
    fn file_has_its_own_level_and_waits_for_no_slow_function() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("till.log");
        let log = Log::default();
        let (send, receive) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        let slow = move |_: Level, _: &str| {
            send.send(()).unwrap();
            let _ = gate.recv();
        };
        log.set(Level::Debug, Some(Box::new(slow)));
        log.write_to(path.clone(), Level::Warn, 1 << 20, 2);
        log.write(Level::Info, "journal.copied", &[]);
        receive.recv().unwrap();
        log.write(Level::Error, "journal.failed", &[("code", Field::Code(Code::JournalFull))]);
        let lines = || std::fs::read_to_string(&path).unwrap_or_default();
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !lines().ends_with('\n') && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        drop(release);
        log.close();
        assert!(lines().contains("EPS_JOURNAL_FULL") && lines().lines().count() == 1, "{:?}", lines());
        assert_eq!(log.dropped_lines(), 0);
    }

    #[test]
    fn file_that_cannot_be_written_is_counted_and_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::default();
        log.write_to(folder.path().join("missing/till.log"), Level::Info, 1 << 20, 2);
        log.write(Level::Info, "journal.copied", &[]);
        log.close();
        assert_eq!(log.dropped_lines(), 1);
    }
}
