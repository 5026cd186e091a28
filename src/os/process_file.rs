//! Files of this process alone. A forked child shares each open file, with its locks: they would
//! live as long as the child. It therefore gives these files up as it is forked. Windows has no
//! fork.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::path::Path;

/// An open file that no forked child keeps.
pub(crate) struct ProcessFile {
    file: File,
    #[cfg(unix)]
    place: &'static unix::Place,
}

impl Deref for ProcessFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

#[cfg(not(unix))]
impl ProcessFile {
    pub fn open(options: &OpenOptions, path: &Path) -> io::Result<Self> {
        options.open(path).map(|file| Self { file })
    }
}

#[cfg(unix)]
pub(super) use unix::{fork_begins, fork_has_ended, give_up_all};

#[cfg(unix)]
mod unix {
    use super::{File, OpenOptions, Path, ProcessFile, io};
    use crate::os::unlock;
    use nix::libc;
    use std::os::fd::{AsRawFd, RawFd};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
    use std::time::Duration;

    const NONE: RawFd = -1;

    /// A place in the list of the descriptors that a child gives up. The list grows and is never
    /// freed, so that a child can read it whatever another thread was doing.
    pub(super) struct Place {
        descriptor: AtomicI32,
        next: OnceLock<Box<Place>>,
    }

    static PLACES: Place = Place::new();

    impl Place {
        const fn new() -> Self {
            Self { descriptor: AtomicI32::new(NONE), next: OnceLock::new() }
        }

        fn take(descriptor: RawFd) -> &'static Self {
            let mut place = &PLACES;
            while place.descriptor.compare_exchange(NONE, descriptor, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                place = place.next.get_or_init(|| Box::new(Self::new()));
            }
            place
        }
    }

    /// The forks of this process that have begun, and those that have ended.
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);

    /// Is called before each fork.
    pub(in crate::os) fn fork_begins() {
        BEGUN.fetch_add(1, Ordering::SeqCst);
    }

    /// Is called after each fork, in the parent.
    pub(in crate::os) fn fork_has_ended() {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes all files in a child that was just forked. Nothing in the child closes them again:
    /// it can use no client, and a list that is empty gives its own children nothing to close.
    pub(in crate::os) fn give_up_all() {
        let mut next = Some(&PLACES);
        while let Some(place) = next {
            let descriptor = place.descriptor.swap(NONE, Ordering::SeqCst);
            if descriptor != NONE {
                // SAFETY: `close` is allowed in a forked child. The descriptor is the library's,
                // because it leaves the list before anybody else closes it.
                unsafe { libc::close(descriptor) };
            }
            next = place.next.get().map(|place| &**place);
        }
    }

    impl ProcessFile {
        pub fn open(options: &OpenOptions, path: &Path) -> io::Result<Self> {
            let listed = |file: File| Self { place: Place::take(file.as_raw_fd()), file };
            let mut ended = ENDED.load(Ordering::SeqCst);
            let mut own = listed(options.open(path)?);
            for pause in [1, 10, 100].map(Duration::from_millis) {
                if BEGUN.load(Ordering::SeqCst) == ended {
                    break;
                }
                // A child that was forked before the file was in the list has it, and nothing may
                // ever be locked by it. It stays open: its close would drop SQLite's locks.
                std::thread::park_timeout(pause);
                ended = ENDED.load(Ordering::SeqCst);
                let again = format!("/proc/self/fd/{}", own.as_raw_fd());
                let Ok(again) = File::options().read(true).write(true).open(again) else { break };
                std::mem::forget(std::mem::replace(&mut own, listed(again)));
            }
            Ok(own)
        }
    }

    impl Drop for ProcessFile {
        fn drop(&mut self) {
            // Before it leaves the list: a child that is forked between that and the close keeps
            // the file, and no lock.
            unlock(&self.file, 0, 0);
            self.place.descriptor.store(NONE, Ordering::SeqCst);
        }
    }
}
