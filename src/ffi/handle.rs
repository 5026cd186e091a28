//! Client handles. What C holds is a number in a pointer's clothes, not an address: a closed, a foreign or a garbage handle
//! is recognised without touching memory, and a finalizer may close twice.

use crate::Client;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
#[cfg(unix)]
use once_cell::sync::OnceCell;
use std::collections::BTreeMap;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A client. Opaque: only a pointer to it is ever held, and it points to nothing the program could read.
pub struct eps_client {
    _private: [u8; 0],
}

struct Clients {
    open: BTreeMap<usize, Arc<Client>>,
    given: usize,
}

static CLIENTS: RwLock<Clients> = RwLock::new(Clients { open: BTreeMap::new(), given: 0 });

/// This process was forked from one that had opened a client.
#[cfg(unix)]
static FORKED: AtomicBool = AtomicBool::new(false);

/// Before a client is opened: from now on a child that is forked off knows that it is one.
#[cfg(unix)]
pub(crate) fn claim() -> Result<()> {
    use std::ffi::c_int;
    type Handler = Option<extern "C" fn()>;
    unsafe extern "C" {
        fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }
    extern "C" fn in_child() {
        FORKED.store(true, Ordering::Relaxed);
    }
    static WATCHED: OnceCell<()> = OnceCell::new();
    own_process()?;
    // SAFETY: the handler only stores to an atomic, which any thread may do at any time.
    WATCHED.get_or_try_init(|| match unsafe { pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        error => Err(Error::new(Code::Internal, format!("forks cannot be watched for: error {error}"))),
    })?;
    Ok(())
}

/// Windows has no fork.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn claim() -> Result<()> {
    Ok(())
}

/// A child that was forked from the owner has copies of its clients but not their threads, of its locks as they were held at that
/// moment, and of SQLite's belief that it holds the locks of files. It may use nothing of this, nor open the same journal.
/// Noted as it is forked, because asking who we are is a system call.
fn own_process() -> Result<()> {
    #[cfg(unix)]
    if FORKED.load(Ordering::Relaxed) {
        return Err(Error::of(Code::Forked));
    }
    Ok(())
}

/// Handles are odd, so that none is the address of anything that C aligns, and they are never used again.
const fn handle_of(number: usize) -> usize {
    number * 2 + 1
}

fn read() -> RwLockReadGuard<'static, Clients> {
    CLIENTS.read().unwrap_or_else(PoisonError::into_inner)
}

fn write() -> RwLockWriteGuard<'static, Clients> {
    CLIENTS.write().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn add(client: Client) -> *mut eps_client {
    let mut clients = write();
    clients.given += 1;
    let handle = handle_of(clients.given);
    clients.open.insert(handle, Arc::new(client));
    std::ptr::without_provenance_mut(handle)
}

pub(crate) fn get(handle: *const eps_client) -> Result<Arc<Client>> {
    own_process()?;
    let clients = read();
    clients.open.get(&handle.addr()).cloned().ok_or_else(|| missing(&clients, handle))
}

/// Takes the client out; None if it is closed already.
pub(crate) fn remove(handle: *const eps_client) -> Result<Option<Arc<Client>>> {
    own_process()?;
    let mut clients = write();
    match clients.open.remove(&handle.addr()) {
        Some(client) => Ok(Some(client)),
        None => match missing(&clients, handle) {
            error if error.code() == Code::Closed => Ok(None),
            error => Err(error),
        },
    }
}

fn missing(clients: &Clients, handle: *const eps_client) -> Error {
    let address = handle.addr();
    if handle.is_null() {
        return Error::new(Code::NullArgument, "client is NULL");
    }
    if address % 2 == 1 && address <= handle_of(clients.given) {
        return Error::new(Code::Closed, "client is closed");
    }
    Error::new(Code::BadHandle, "client is not a client of this library: pass what eps_client_open gave")
}
