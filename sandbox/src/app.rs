//! The state that all connections of a running sandbox share: its stores and its state file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hyper::header::HeaderMap;

use crate::certify::manual::Terminal;
use crate::ledger::Invalid;
use crate::log::KeySeen;
use crate::seed::Seed;
use crate::state_file::{StateFile, Write};
use crate::store::Store;
use crate::till::Till;

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct App {
    /// The store for every request that names no store.
    pub first: Arc<Store>,
    more: RwLock<Vec<Arc<Store>>>,
    requests_per_second: Option<u32>,
    state_file: Option<Arc<StateFile>>,
    /// Where tills reach the sandbox. It is set before the first request.
    pub place: OnceLock<Place>,
    /// A certification that a person carries out.
    pub guide: OnceLock<Arc<Terminal>>,
    /// The tills in the browser, by the key of their store.
    tills: Mutex<BTreeMap<String, Arc<Till>>>,
}

/// Where tills reach a sandbox, and where its own tills keep their journal.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub http: String,
    pub https: String,
    pub ca_file: PathBuf,
    /// Whether the file is removed when the sandbox ends.
    pub ca_is_temporary: bool,
    pub till_journal: Option<PathBuf>,
}

impl App {
    /// Opens the stores of the state file, and adds a store with this key if the file has none.
    /// Without a seed a new store has the demo's seed, and a stored one keeps its own.
    pub fn new(
        key: String,
        seed: Option<Seed>,
        requests_per_second: Option<u32>,
        file: Option<&Path>,
    ) -> Result<App, String> {
        let (state_file, stored) = match file {
            None => (None, Vec::new()),
            Some(path) => {
                let opened = StateFile::open(path).map_err(|why| format!("{} {why}", path.display()))?;
                (Some(Arc::new(opened.0)), opened.1)
            }
        };
        let (mut first, mut more) = (None, Vec::new());
        for (stored, state_file) in stored.into_iter().zip(std::iter::repeat(state_file.as_ref()).flatten()) {
            let seed = if stored.key == key { seed.clone() } else { None };
            let store = Store::resume(stored, seed, requests_per_second, state_file);
            let store = Arc::new(
                store.map_err(|invalid| format!("the state file is inconsistent: {invalid}. Use another file"))?,
            );
            if store.api_key() == key { first = Some(store) } else { more.push(store) }
        }
        let first = if let Some(first) = first {
            first
        } else {
            let store = Store::new(key, seed.unwrap_or_else(Seed::demo), requests_per_second, state_file.as_ref());
            Arc::new(store.map_err(|invalid| format!("the seed is invalid: {invalid}"))?)
        };
        let (place, guide, tills) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        Ok(App { first, more: RwLock::new(more), requests_per_second, state_file, place, guide, tills })
    }

    /// Waits until every change up to now is in the state file. Returns the reason if a write
    /// failed.
    pub async fn persisted(&self) -> Result<(), String> {
        match &self.state_file {
            Some(state_file) => state_file.written().await,
            None => Ok(()),
        }
    }

    /// Returns every store, the first store first.
    pub fn stores(&self) -> Vec<Arc<Store>> {
        let more = self.more.read().unwrap_or_else(PoisonError::into_inner);
        [&self.first].into_iter().chain(&*more).cloned().collect()
    }

    /// Returns the store with this key.
    pub fn store(&self, key: &str) -> Option<Arc<Store>> {
        self.stores().into_iter().find(|store| store.api_key() == key)
    }

    /// Adds a store. Returns an error if the key is in use or the seed is invalid.
    pub fn add(&self, key: &str, seed: Seed) -> Result<Arc<Store>, Invalid> {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("key", "must be one or more visible ASCII characters"));
        }
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        if [&self.first].into_iter().chain(&*more).any(|other| other.api_key() == key) {
            return Err(Invalid::new("key", "is in use by another store"));
        }
        let store = Store::new(key.to_owned(), seed, self.requests_per_second, self.state_file.as_ref())?;
        let store = Arc::new(store);
        more.push(Arc::clone(&store));
        Ok(store)
    }

    /// Removes a store that was added.
    pub fn remove(&self, key: &str) {
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        for removed in more.extract_if(.., |store| store.api_key() == key) {
            removed.end_webhooks();
        }
        if let Some(state_file) = &self.state_file {
            state_file.write(Write::Removed { key: key.to_owned() });
        }
    }

    /// Returns the store's till in the browser, and opens it at the first call. It blocks.
    pub fn till(&self, store: &Store) -> Result<Arc<Till>, String> {
        let mut tills = self.tills.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(till) = tills.get(store.api_key()) {
            return Ok(Arc::clone(till));
        }
        let place = self.place.get().ok_or("the sandbox has not started")?;
        // The file that a person names is for the first store.
        let journal = place.till_journal.as_deref().filter(|_| store.api_key() == self.first.api_key());
        let till = Arc::new(Till::open(place, store.api_key(), journal)?);
        tills.insert(store.api_key().to_owned(), Arc::clone(&till));
        Ok(till)
    }

    /// Returns the store whose key a request carries, and whether the key is right.
    pub fn store_of(&self, headers: &HeaderMap) -> (Arc<Store>, KeySeen) {
        let mut seen = KeySeen::Missing;
        for store in self.stores() {
            let state = store.state();
            let key = state.api_mapping.key_headers().into_iter().find_map(|name| headers.get(name));
            drop(state);
            match key {
                None => {}
                Some(key) if key.as_bytes() == store.api_key().as_bytes() => return (store, KeySeen::Right),
                Some(_) => seen = KeySeen::Wrong,
            }
        }
        (Arc::clone(&self.first), seen)
    }
}
