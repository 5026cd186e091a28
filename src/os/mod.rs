//! Calls of the operating system that no library in use offers as safe code. One file a call.

mod acknowledgement;
mod boot_time;
mod cancellation;
mod file_id;
mod file_io;
mod fork;
mod free_space;
mod holders;
mod locks;
mod process_end;
mod process_file;
mod signals;
#[cfg(windows)]
mod system_functions;
mod system_proxy;
mod unload;

pub(crate) use acknowledgement::limit_unacknowledged;
pub(crate) use boot_time::boot_time;
pub(crate) use cancellation::without_cancellation;
pub(crate) use file_id::{FileId, file_id, file_id_at};
pub(crate) use file_io::{read_at, write_at};
pub(crate) use fork::{is_forked, watch_forks};
pub(crate) use free_space::free_bytes;
pub(crate) use holders::programs_with;
pub(crate) use locks::{LockKind, process_number, try_lock, unlock};
pub(crate) use process_end::is_process_ending;
pub(crate) use process_file::ProcessFile;
pub(crate) use signals::{unblock_runtime_signals, with_signals_blocked};
pub(crate) use system_proxy::system_proxy;
pub(crate) use unload::keep_loaded;
