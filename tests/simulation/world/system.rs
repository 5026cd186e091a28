//! The simulated system in the place of the standard library's: locks, clocks, threads and
//! randomness, for `rt`.

use super::scheduler::{self, Micros, Wakeup};
use super::state;
use std::fmt;
use std::io;
use std::ops::{Add, Deref, DerefMut, Sub};
use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;
use uuid::Uuid;

/// A monotonic time of the running process: it stands while the till is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Micros);

fn micros(duration: Duration) -> Micros {
    duration.as_micros().try_into().unwrap_or(Micros::MAX)
}

impl Instant {
    pub fn now() -> Self {
        Self(scheduler::now() - scheduler::suspended())
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_micros)
    }

    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration.as_micros().try_into().ok()?).map(Self)
    }

    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration.as_micros().try_into().ok()?).map(Self)
    }

    /// Returns the time in the run, as long as the till is not suspended again.
    pub(crate) fn in_run(self) -> Micros {
        self.0.saturating_add(scheduler::suspended())
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// A number that threads share. A store is a step: what was read before it may be old by then.
#[derive(Debug)]
pub struct AtomicU8(std::sync::atomic::AtomicU8);

impl AtomicU8 {
    pub const fn new(value: u8) -> Self {
        Self(std::sync::atomic::AtomicU8::new(value))
    }

    pub fn load(&self, order: Ordering) -> u8 {
        self.0.load(order)
    }

    pub fn store(&self, value: u8, order: Ordering) {
        scheduler::step();
        self.0.store(value, order);
    }

    #[allow(clippy::missing_errors_doc)]
    pub fn compare_exchange(&self, before: u8, after: u8, success: Ordering, failure: Ordering) -> Result<u8, u8> {
        self.0.compare_exchange(before, after, success, failure)
    }
}

/// Tasks that wait for something.
#[derive(Default)]
struct Waiting(std::sync::Mutex<Vec<Wakeup>>);

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Wakeup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) -> Wakeup {
        let wakeup = scheduler::wakeup();
        self.lock().push(wakeup);
        wakeup
    }

    fn wake_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.into_iter().for_each(scheduler::wake);
    }
}

/// A lock. Taking it is a step of the scheduler.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    waiting: Waiting,
    data: std::sync::Mutex<T>,
}

pub struct MutexGuard<'a, T: ?Sized> {
    inner: Option<std::sync::MutexGuard<'a, T>>,
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub const fn new(data: T) -> Self {
        Self { waiting: Waiting(std::sync::Mutex::new(Vec::new())), data: std::sync::Mutex::new(data) }
    }
}

impl<T: ?Sized> Mutex<T> {
    fn take(&self) -> Option<MutexGuard<'_, T>> {
        match self.data.try_lock() {
            Ok(guard) => Some(MutexGuard { inner: Some(guard), mutex: self }),
            Err(TryLockError::Poisoned(poisoned)) => {
                Some(MutexGuard { inner: Some(poisoned.into_inner()), mutex: self })
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn wait_for(&self) -> MutexGuard<'_, T> {
        loop {
            if let Some(guard) = self.take() {
                return guard;
            }
            let wakeup = self.waiting.add();
            scheduler::wait(wakeup, None);
        }
    }

    #[allow(clippy::missing_errors_doc)]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        scheduler::step();
        Ok(self.wait_for())
    }

    #[allow(clippy::missing_errors_doc)]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        scheduler::step();
        self.take().ok_or(TryLockError::WouldBlock)
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_ref().expect("the guard is not waiting")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("the guard is not waiting")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        drop(self.inner.take());
        self.mutex.waiting.wake_all();
    }
}

/// Whether a wait ended by its time.
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

/// A condition variable.
#[derive(Default)]
pub struct Condvar(Waiting);

impl Condvar {
    pub const fn new() -> Self {
        Self(Waiting(std::sync::Mutex::new(Vec::new())))
    }

    fn wait_until<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        until: Option<Micros>,
    ) -> (MutexGuard<'a, T>, bool) {
        let wakeup = self.0.add();
        let mutex = guard.mutex;
        drop(guard.inner.take());
        mutex.waiting.wake_all();
        let timed_out = scheduler::wait(wakeup, until);
        if timed_out {
            self.0.lock().retain(|other| *other != wakeup);
        }
        (mutex.wait_for(), timed_out)
    }

    #[allow(clippy::missing_errors_doc)]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let until = scheduler::now().saturating_add(micros(limit));
        let (guard, timed_out) = self.wait_until(guard, Some(until));
        Ok((guard, WaitTimeoutResult(timed_out)))
    }

    #[allow(clippy::missing_errors_doc)]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        Ok(self.wait_until(guard, None).0)
    }

    pub fn notify_all(&self) {
        self.0.wake_all();
        scheduler::step();
    }

    pub fn notify_one(&self) {
        let wakeup = {
            let mut waiting = self.0.lock();
            let place = scheduler::below(waiting.len() as u64);
            let place = usize::try_from(place).unwrap_or(0);
            (place < waiting.len()).then(|| waiting.remove(place))
        };
        wakeup.into_iter().for_each(scheduler::wake);
        scheduler::step();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

/// Spawns a thread of the running process.
#[allow(clippy::unnecessary_wraps)] // As the system's.
pub(crate) fn spawn(_: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    scheduler::spawn_in(scheduler::process(), move || {
        let _quiet = crate::panics::quiet_thread();
        work();
    });
    scheduler::step();
    Ok(())
}

/// Returns a time that goes on while the till is suspended.
pub(crate) fn boot_time() -> Duration {
    Duration::from_micros(scheduler::now())
}

/// Returns the time by the running process's clock.
pub(crate) fn wall_now() -> u64 {
    state::wall(scheduler::process())
}

pub(crate) fn random() -> u64 {
    scheduler::random()
}

pub(crate) fn fresh_uuid() -> Uuid {
    let bytes = (u128::from(scheduler::random()) << 64) | u128::from(scheduler::random());
    uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
}
