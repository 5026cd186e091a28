//! What every connection of a running sandbox shares: its stores, the first of which is meant where no key says otherwise.

use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::HeaderMap;

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
}

impl App {
    pub fn new(key: String, seed: Seed, requests_per_second: Option<u32>) -> Result<App, Invalid> {
        let first = Arc::new(Tenant::new(key, seed, requests_per_second)?);
        Ok(App { first, more: RwLock::default(), requests_per_second })
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
        let tenant = Arc::new(Tenant::new(key.to_owned(), seed, self.requests_per_second)?);
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        if [&self.first].into_iter().chain(&*more).any(|other| other.api_key() == key) {
            return Err(Invalid::new("key", "is another store's"));
        }
        more.push(Arc::clone(&tenant));
        Ok(tenant)
    }

    /// Removes a store that was added.
    pub fn remove(&self, key: &str) {
        self.more.write().unwrap_or_else(PoisonError::into_inner).retain(|tenant| tenant.api_key() != key);
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
