//! What a check asks of Engage: a connection, and one read that spends nothing.

use super::error_response::{self, ErrorBody};
use super::{Engage, contact_path, get, shape};
use crate::core::check::Facts;
use crate::core::code::Code;
use crate::core::domain::Millis;
use crate::core::error::{Error, Result};
use crate::core::id::{ContactId, OperationId};
use crate::transport::{Call, Failure, Response, Step};
use std::sync::Arc;

/// Adds a fact.
type AddFact<'a> = dyn Fn(&mut Facts) + 'a;

impl Engage {
    /// Adds what is known without a request.
    pub fn add_settings(&self, facts: &mut Facts) {
        facts.proxy = self.transport.proxy();
        facts.client_certificate = self.transport.client_certificate();
    }

    /// Returns when the first certificate of the server's chain expires, if a connection was made.
    pub fn certificate_expires_at(&self) -> Option<Millis> {
        self.transport.newest_peer()?.expires_at
    }

    /// Makes a connection step by step. `learn` adds each fact as soon as it is known.
    pub fn inspect(&self, call: &Arc<Call>, learn: &dyn Fn(&AddFact<'_>)) {
        self.transport.inspect(call, &mut |step| {
            learn(&|facts| match &step {
                Step::Name(found) => facts.addresses = Some(fact(found)),
                Step::Connected(found) => facts.connected_ms = Some(fact(found)),
                Step::Secured(found) => facts.peer = Some(fact(found)),
            });
        });
    }

    /// Reads the history of a contact that does not exist: the HTTP status of an Engage that
    /// accepts the key. Nothing is spent.
    pub fn try_key(&self, call: &Arc<Call>) -> Result<u16> {
        let nobody = ContactId::from_uuid(OperationId::fresh().uuid());
        let response = get(self, "purchases", contact_path(&self.api_mapping.purchases_path, nobody), call)?;
        let is_engages = match response.status {
            200 => shape::elements(&response, &self.api_mapping).is_some(),
            400 | 404 => is_json(&response) || self.may_be_own_404(&response),
            _ => return Err(error_response::read_error(&response)),
        };
        if is_engages {
            Ok(response.status)
        } else {
            let says = format!("the response to a read, with status {}, is not Engage's", response.status);
            Err(Error::new(Code::InvalidResponse, says))
        }
    }
}

fn is_json(response: &Response) -> bool {
    matches!(ErrorBody::of(response), ErrorBody::Json { .. })
}

fn fact<T: Clone>(found: &std::result::Result<T, Failure>) -> Result<T> {
    found.clone().map_err(error_response::failure)
}
