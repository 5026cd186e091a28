//! The time that a machine runs, suspended or not.

use std::time::Duration;

/// Returns the time since a moment before the start of the process. It goes on while the machine is
/// suspended, and no setting of a wall clock changes it. On Linux that is `CLOCK_BOOTTIME`:
/// `CLOCK_MONOTONIC` stops there. The others count on by `CLOCK_MONOTONIC`.
#[cfg(unix)]
pub(crate) fn boot_time() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    // Both calls fail only on a system that has no such clock.
    clock_gettime(CLOCK).or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC)).map_or(Duration::ZERO, Duration::from)
}

/// Returns the time since the first call. `Instant` counts on in sleep and hibernation.
#[cfg(not(unix))]
pub(crate) fn boot_time() -> Duration {
    use once_cell::sync::OnceCell;
    use std::time::Instant;

    static FIRST: OnceCell<Instant> = OnceCell::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_is_never_behind_the_monotonic_clock() {
        let (boot, began) = (boot_time(), std::time::Instant::now());
        let mut before = boot;
        while began.elapsed() < Duration::from_millis(5) {
            let now = boot_time();
            assert!(now >= before);
            before = now;
        }
        assert!(boot_time() >= boot + Duration::from_millis(5));
    }
}
