//! Engage's API as types: one file a resource. It makes requests and judges answers; when to make them is not its business.

pub(crate) mod assumptions;
mod errors;
mod items;
mod purchases;
mod shape;

pub(crate) use purchases::{Facts, PurchaseOrder, Verdict};

use crate::config::Config;
use crate::error::Result;
use crate::transport::{Answer, Call, Request, Transport};
use assumptions::Wire;
use std::sync::Arc;

pub(crate) struct Engage {
    transport: Transport,
    wire: Wire,
}

impl Engage {
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self { transport: Transport::new(config)?, wire: config.wire.clone() })
    }
}

/// What every request carries (base rules). `Content-Type` is mandatory on a GET too: without it Engage answers 500.
pub(crate) fn headers(config: &Config) -> Vec<(String, String)> {
    let mut headers = vec![
        ("User-Agent".to_owned(), config.user_agent.clone()),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    if let Some(key) = &config.api_key {
        headers.push((config.wire.key_header.clone(), key.expose().to_owned()));
    }
    headers
}

fn get(engage: &Engage, path: String, call: &Arc<Call>) -> Result<Answer> {
    engage.transport.send(&Request { path, body: None }, call).map_err(errors::failure)
}
