//! Client handles. C holds a number in a pointer's type, not an address. A closed, foreign or
//! random handle is recognised without an access to memory, so a finalizer may close a client
//! twice.

use crate::client::Client;
use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::os;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A client. Opaque: a program holds only a pointer to it, and must not read the memory behind it.
pub struct eps_client {
    _private: [u8; 0],
}

struct Clients {
    open: BTreeMap<usize, Arc<Client>>,
    given: usize,
}

static CLIENTS: RwLock<Clients> = RwLock::new(Clients { open: BTreeMap::new(), given: 0 });

/// Prepares the process for clients: before the first thread of the library, its code is pinned,
/// and children that are forked from now on are recognised.
pub(crate) fn prepare_process() -> Result<()> {
    check_process()?;
    os::keep_loaded();
    os::watch_forks().map_err(|error| {
        let says = "pthread_atfork failed, so a forked child would not be recognised";
        Error::new(Code::Internal, says).with_cause(vec![error.to_string()])
    })
}

/// Returns `EPS_FORKED` in a child that was forked after a client had been opened.
/// The child has copies of the clients, of their locks as they were held at that moment, and of
/// SQLite's state of the file locks. The child has none of the threads.
fn check_process() -> Result<()> {
    if os::is_forked() { Err(Error::of(Code::Forked)) } else { Ok(()) }
}

/// Returns the handle of a number. A handle is odd, so that it is no address of an aligned object,
/// and no number is used twice.
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
    check_process()?;
    let clients = read();
    clients.open.get(&handle.addr()).cloned().ok_or_else(|| missing(&clients, handle))
}

/// Removes the client. None if it is closed already.
pub(crate) fn remove(handle: *const eps_client) -> Result<Option<Arc<Client>>> {
    check_process()?;
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
    Error::new(Code::BadHandle, "client is not a client of this library: pass the one that eps_client_open has set")
}
