//! Threads, locks, clocks and randomness, named once. Every other module takes them from here, so
//! that a simulation can put its own in their place.

use crate::core::domain::Millis;
use crate::core::id::OperationId;
use std::sync::PoisonError;
use std::thread::ThreadId;
use std::time::Duration;

#[cfg(feature = "simulation")]
pub(crate) use crate::simulation::system::{AtomicU8, Condvar, Instant, Mutex, MutexGuard, random, spawn, wall_now};
#[cfg(not(feature = "simulation"))]
pub(crate) use system::{AtomicU8, Condvar, Instant, Mutex, MutexGuard, random, spawn, wall_now};

/// Spawns a thread that calls the POS's functions.
pub(crate) fn spawn_for_host(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    spawn(name, move || {
        crate::os::unblock_runtime_signals();
        work();
    })
}

/// Limit of the wait for a running function of the POS when it is removed or the client is closed.
const HOST_WAIT: Duration = Duration::from_secs(1);

/// Waits while `busy` holds, at most [`HOST_WAIT`]. `calling` is the thread that runs a function of
/// the POS. That thread does not wait: the function cannot wait for itself.
pub(crate) fn wait_for_host<'a, T>(
    changed: &Condvar,
    mut guard: MutexGuard<'a, T>,
    calling: impl Fn(&T) -> Option<ThreadId>,
    busy: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    let until = Instant::now() + HOST_WAIT;
    while busy(&guard) && calling(&guard) != Some(std::thread::current().id()) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        guard = wait_timeout(changed, guard, left);
    }
    guard
}

/// A time that goes on while the machine is suspended, for ages and decisions. [`Instant`] may stop
/// meanwhile: it is for waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    pub fn now() -> Self {
        Self(boot_time())
    }

    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    /// Returns the time since an earlier one; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for BootTime {
    type Output = Self;
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

#[cfg(not(feature = "simulation"))]
use crate::os::boot_time;
#[cfg(feature = "simulation")]
use crate::simulation::system::{boot_time, fresh_uuid};
#[cfg(not(feature = "simulation"))]
use system::fresh_uuid;

/// The day of the build, in ms since 1970. No clock that is right is before it.
pub(crate) const BUILT_AT: Millis = seconds(env!("EPS_BUILT")) * 1_000;

const fn seconds(text: &str) -> u64 {
    let mut value = 0;
    let mut at = 0;
    while at < text.len() {
        value = value * 10 + (text.as_bytes()[at] - b'0') as u64;
        at += 1;
    }
    value
}

/// Locks a mutex. A panic of another holder is no reason to stop: each critical section is whole.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable.
pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition variable for at most `limit`.
pub(crate) fn wait_timeout<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>, limit: Duration) -> MutexGuard<'a, T> {
    condition.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0
}

impl OperationId {
    /// Makes a fresh random id.
    pub fn fresh() -> Self {
        Self::from_uuid(fresh_uuid())
    }
}

/// The operating system's.
#[cfg(not(feature = "simulation"))]
mod system {
    use crate::core::domain::{Millis, millis};
    use once_cell::sync::OnceCell;
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};
    use uuid::Uuid;

    pub(crate) use std::sync::atomic::AtomicU8;
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::time::Instant;

    /// Spawns a thread of the library. A panic in it prints nothing to the POS's stderr (invariant
    /// 9).
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let quiet = move || {
            let _quiet = crate::panics::quiet_thread();
            work();
        };
        crate::os::keep_loaded();
        crate::os::with_signals_blocked(|| std::thread::Builder::new().name(name.into()).spawn(quiet)).map(drop)
    }

    /// Returns the time by the till's clock. The clock may be set at any time; waits and ages use
    /// the others.
    pub(crate) fn wall_now() -> Millis {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
    }

    /// Returns a random number for jitter: SplitMix64 from a random start, so that no two tills
    /// agree.
    pub(crate) fn random() -> u64 {
        static STATE: OnceCell<AtomicU64> = OnceCell::new();
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = STATE.get_or_init(|| Uuid::new_v4().as_u64_pair().1.into());
        let mixed = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn fresh_uuid() -> Uuid {
        Uuid::new_v4()
    }
}
