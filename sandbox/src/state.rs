//! What every connection of a running sandbox shares: its stores, the first of which is meant where no key says otherwise.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::HeaderMap;

use crate::keeper::{Keeper, Write};
use crate::log::KeySeen;
use crate::seed::Seed;
use crate::store::Invalid;
use crate::tenant::Tenant;

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct App {
    /// The store that is meant where no key says otherwise.
    pub first: Arc<Tenant>,
    more: RwLock<Vec<Arc<Tenant>>>,
    requests_per_second: Option<u32>,
    keeper: Option<Arc<Keeper>>,
}

impl App {
    /// The stores of the state file, if there is one, and one with this key, if that is not among them.
    /// Without a seed, a new store is the demo's and one in the file keeps its own.
    pub fn new(
        key: String,
        seed: Option<Seed>,
        requests_per_second: Option<u32>,
        file: Option<&Path>,
    ) -> Result<App, String> {
        let (keeper, kept) = match file {
            None => (None, Vec::new()),
            Some(path) => {
                let opened = Keeper::open(path).map_err(|why| format!("{} {why}", path.display()))?;
                (Some(Arc::new(opened.0)), opened.1)
            }
        };
        let (mut first, mut more) = (None, Vec::new());
        for (kept, keeper) in kept.into_iter().zip(std::iter::repeat(keeper.as_ref()).flatten()) {
            let seed = if kept.key == key { seed.clone() } else { None };
            let tenant = Tenant::resume(kept, seed, requests_per_second, keeper);
            let tenant = Arc::new(tenant.map_err(|invalid| format!("the state file contradicts itself: {invalid}"))?);
            if tenant.api_key() == key { first = Some(tenant) } else { more.push(tenant) }
        }
        let first = if let Some(first) = first {
            first
        } else {
            let tenant = Tenant::new(key, seed.unwrap_or_else(Seed::demo), requests_per_second, keeper.as_ref());
            Arc::new(tenant.map_err(|invalid| format!("the seed: {invalid}"))?)
        };
        Ok(App { first, more: RwLock::new(more), requests_per_second, keeper })
    }

    /// Waits until everything that was done by now is in the state file, if there is one, or says why it never will be.
    pub async fn kept(&self) -> Result<(), String> {
        match &self.keeper {
            Some(keeper) => keeper.written().await,
            None => Ok(()),
        }
    }

    /// Every store, the first one first.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        let more = self.more.read().unwrap_or_else(PoisonError::into_inner);
        [&self.first].into_iter().chain(&*more).cloned().collect()
    }

    /// The store with this key.
    pub fn tenant(&self, key: &str) -> Option<Arc<Tenant>> {
        self.tenants().into_iter().find(|tenant| tenant.api_key() == key)
    }

    /// Adds a store, unless the key is taken or the seed contradicts itself.
    pub fn add(&self, key: &str, seed: Seed) -> Result<Arc<Tenant>, Invalid> {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("key", "is not one or more visible ASCII characters"));
        }
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        if [&self.first].into_iter().chain(&*more).any(|other| other.api_key() == key) {
            return Err(Invalid::new("key", "is another store's"));
        }
        let tenant = Tenant::new(key.to_owned(), seed, self.requests_per_second, self.keeper.as_ref())?;
        let tenant = Arc::new(tenant);
        more.push(Arc::clone(&tenant));
        Ok(tenant)
    }

    /// Removes a store that was added.
    pub fn remove(&self, key: &str) {
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        for removed in more.extract_if(.., |tenant| tenant.api_key() == key) {
            // Ends its deliveries.
            let _ = removed.set_webhook(None);
        }
        if let Some(keeper) = &self.keeper {
            keeper.write(Write::Removed { key: key.to_owned() });
        }
    }

    /// The store whose key a request carries, and what is to be told of the key.
    pub fn tenant_of(&self, headers: &HeaderMap) -> (Arc<Tenant>, KeySeen) {
        let mut seen = KeySeen::Missing;
        for tenant in self.tenants() {
            let state = tenant.state();
            let key = state.dialect.key_headers().into_iter().find_map(|name| headers.get(name));
            drop(state);
            match key {
                None => {}
                Some(key) if key.as_bytes() == tenant.api_key().as_bytes() => return (tenant, KeySeen::Right),
                Some(_) => seen = KeySeen::Wrong,
            }
        }
        (Arc::clone(&self.first), seen)
    }
}
