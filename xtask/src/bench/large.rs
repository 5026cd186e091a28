//! A response that is nearly as large as `maxResponseBytes`, and 200,000 pending records in the
//! journal at the open.

use super::journals::{self, Records};
use super::lab::{Lab, Sample};
use super::prepare::Built;
use crate::run::Result;

/// A list of 7.9 MB; `maxResponseBytes` is 8 MiB by default.
const ITEMS: &str = "items:16000";
const PENDING: u32 = 200_000;

/// What is large, and a run with it.
pub type Large = (String, Sample);

pub fn measure(lab: &Lab, built: &Built) -> Result<Vec<Large>> {
    let shop = built.shipped.shop();
    let mut rows = Vec::new();
    let parsing = shop.with("EPS_BENCH_PARSE", "1").named("this library, list read with cJSON");
    for peer in [&shop, &parsing, &built.curl()] {
        rows.push((format!("a list of 8 MB, {}", peer.name), lab.anywhere().run(peer, ITEMS, 5)?));
    }
    for number in [0, PENDING] {
        let path = journals::make(lab, &shop, Records::Pending, number)?;
        let sample = lab.anywhere().run(&shop.with("EPS_BENCH_JOURNAL", &path), "items:10", 5)?;
        rows.push((format!("a list of 5 KB, {number} pending records in the journal"), sample));
        journals::discard(&path);
    }
    Ok(rows)
}
