//! Engage's API as types: one file a resource. It makes requests and judges answers; when to make them is not its business.

pub(crate) mod assumptions;
mod contacts;
mod errors;
mod items;
mod order;
mod points;
mod purchases;
mod redeem;
mod rewards;
mod scan;
mod shape;
mod time;

pub(crate) use contacts::ContactKey;
pub(crate) use errors::LONGEST_RETRY_AFTER_MS;
pub(crate) use order::{Channel, Facts, Order, PurchaseOrder, RedeemOrder, Redeemed, Verdict};
pub(crate) use purchases::Given;
pub(crate) use rewards::{Receipt, Reward};

use crate::config::Config;
use crate::error::Result;
use crate::log::Log;
use crate::secret::Secret;
use crate::time::Millis;
use crate::transport::{Answer, Call, Failure, Interrupt, Request, Transport};
use assumptions::Wire;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Engage {
    transport: Transport,
    wire: Wire,
    clock: time::ServerClock,
}

impl Engage {
    pub fn new(config: &Config, log: &Arc<Log>) -> Result<Self> {
        Ok(Self {
            transport: Transport::new(config, headers(config), log)?,
            wire: config.wire.clone(),
            clock: time::ServerClock::default(),
        })
    }

    /// Makes the request that spends. Never repeated in here.
    pub fn spend(&self, order: &Order, call: &Arc<Call>) -> Verdict {
        match order {
            Order::Purchase(order) => self.purchase(order, call),
            Order::Redeem(order) => self.redeem(order, call),
        }
    }

    /// Looks at what became of an order.
    pub fn look(&self, order: &Order, call: &Arc<Call>) -> Verdict {
        match order {
            Order::Purchase(order) => self.find_purchase(order, call),
            Order::Redeem(order) => self.find_redeem(order, call),
        }
    }

    /// What time it is at the server, in ms since 1970, at the earliest and at the latest; if an answer has told lately.
    pub fn server_now(&self) -> Option<(Millis, Millis)> {
        self.clock.now()
    }

    fn send(&self, request: &Request, call: &Arc<Call>) -> std::result::Result<Answer, Failure> {
        let begun = Instant::now();
        let answer = self.transport.send(request, call)?;
        if let Some(date) = &answer.date {
            self.clock.learn(date, begun);
        }
        Ok(answer)
    }

    /// Makes a connection aside, for the first call to find. No request is made.
    pub fn warm(&self, interrupt: &Arc<Interrupt>) {
        self.transport.warm(interrupt);
    }
}

/// What every request carries (base rules). `Content-Type` is mandatory on a GET too: without it Engage answers 500.
fn headers(config: &Config) -> impl Iterator<Item = (&str, &str)> {
    let key = config.api_key.as_ref().map(|key| (config.wire.key_header.as_str(), key.expose()));
    [("User-Agent", config.user_agent.as_str()), ("Content-Type", "application/json")].into_iter().chain(key)
}

fn get(engage: &Engage, path: String, call: &Arc<Call>) -> Result<Answer> {
    engage.send(&Request { path: Secret::new(path), body: None, operation: None }, call).map_err(errors::failure)
}

/// A read whose only success is 200.
fn get_ok(engage: &Engage, path: String, call: &Arc<Call>) -> Result<Answer> {
    let answer = get(engage, path, call)?;
    if answer.status == 200 { Ok(answer) } else { Err(errors::read_error(&answer)) }
}

/// Adds `name=value` to a query, encoded so that every byte arrives: a `+` of a phone number too.
fn push_query(path: &mut String, name: &str, value: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    push_encoded(path, value);
}

/// Everything but RFC 3986's unreserved characters is written as `%XX`.
fn push_encoded(path: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(char::from(HEX[usize::from(byte >> 4)]));
            path.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_value_arrives() {
        let mut path = "/x".to_owned();
        push_query(&mut path, "mobilePhone", "+46 70-123");
        push_query(&mut path, "any", "å&b=c%");
        assert_eq!(path, "/x?mobilePhone=%2B46%2070-123&any=%C3%A5%26b%3Dc%25");
    }
}
