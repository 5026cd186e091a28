//! The calls under way that the POS has named, so that one can be cancelled without the others.

use crate::rt::{self, Mutex};
use crate::transport::Cancellation;
use std::sync::Arc;

/// The calls of one client by their names. Several calls may have one name.
#[derive(Default)]
pub(crate) struct NamedCalls {
    calls: Mutex<Vec<(String, Arc<Cancellation>)>>,
}

/// A call under way. Its name is forgotten when it ends.
pub(crate) struct NamedCall<'a> {
    calls: &'a NamedCalls,
    cancellation: Arc<Cancellation>,
}

impl NamedCalls {
    /// Begins a call that `client` cancels too.
    pub fn begin(&self, name: String, client: &Arc<Cancellation>) -> NamedCall<'_> {
        let cancellation = Arc::new(Cancellation::of_call(client));
        rt::lock(&self.calls).push((name, cancellation.clone()));
        NamedCall { calls: self, cancellation }
    }

    /// Cancels the calls of a name.
    pub fn cancel(&self, name: &str) {
        for (_, cancellation) in rt::lock(&self.calls).iter().filter(|(known, _)| known == name) {
            cancellation.cancel_all();
        }
    }
}

impl NamedCall<'_> {
    pub fn cancellation(&self) -> &Arc<Cancellation> {
        &self.cancellation
    }
}

impl Drop for NamedCall<'_> {
    fn drop(&mut self) {
        rt::lock(&self.calls.calls).retain(|(_, known)| !Arc::ptr_eq(known, &self.cancellation));
    }
}
