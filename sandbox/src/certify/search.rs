//! The search of a till for the outcome of a pending sale, as its requests show it.

use super::runner::{Sale, is_purchase};
use crate::Operation;
use crate::log::RequestEntry;

/// A till's search for the outcome of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The till has not asked since its report.
    NotBegun,
    /// The till had a response with the outcome before the end of the press. Nothing shows that it
    /// has remembered it.
    Forgotten,
    /// The till has asked since its report. No response had the outcome.
    GoesOn,
    /// The till has the outcome.
    Ended,
}

impl Search {
    /// Returns the search for a sale. `reported` is the last request before the end of the press. A
    /// program may ask between its report and its end: such a request counts if the till
    /// `remembers` the outcome.
    pub fn of(requests: &[RequestEntry], sale: Sale, reported: u64, remembers: bool) -> Search {
        let of_sale = |request: &&RequestEntry| request.contact_id == Some(sale.contact);
        // The response to the first attempt is the one in doubt.
        let first = requests.iter().filter(of_sale).find(|request| is_purchase(request)).map(|first| first.seq);
        let since = first.unwrap_or(reported).min(reported);
        let asks = |request: &&RequestEntry| {
            request.seq > since && matches!(request.operation, Some(Operation::Purchases | Operation::Purchase))
        };
        let asked: Vec<&RequestEntry> = requests.iter().filter(of_sale).filter(asks).collect();
        let late = |request: &&RequestEntry| request.seq > reported;
        match asked.iter().find(|request| has_outcome(request) && (remembers || late(request))) {
            Some(_) => Search::Ended,
            None if asked.iter().any(late) => Search::GoesOn,
            None if asked.iter().any(|request| has_outcome(request)) => Search::Forgotten,
            None => Search::NotBegun,
        }
    }
}

/// Returns whether a response has an outcome: a history, or a repeat of the purchase. While Engage
/// is processing, neither has it.
fn has_outcome(request: &RequestEntry) -> bool {
    request.status == Some(200)
        && request.fault.is_none()
        && !String::from_utf8_lossy(&request.response.body).contains("\"Processing\"")
}

#[cfg(test)]
mod tests {
    use super::super::scenarios::COFFEE;
    use super::*;

    fn request(seq: u64, operation: Operation, status: Option<u16>, body: &'static str) -> RequestEntry {
        let mut request = RequestEntry {
            seq,
            operation: Some(operation),
            status,
            contact_id: Some(COFFEE.contact),
            ..Default::default()
        };
        request.response.body = body.into();
        request
    }

    #[test]
    fn a_search_ends_with_a_response_that_the_till_remembers() {
        use Operation::{Purchase, Purchases};
        let sent = request(2, Purchase, Some(200), "");
        let asked = |seq| request(seq, Purchases, Some(200), "");
        let faulted = |seq| RequestEntry { fault: Some("web-page"), ..request(seq, Purchase, Some(200), "<html>") };
        let vain = |seq| request(seq, Purchases, Some(404), "");
        let processing = |seq| request(seq, Purchases, Some(200), "\"Processing\"");
        let of_another = |seq| RequestEntry { contact_id: None, ..asked(seq) };
        // Each press ends after request 4.
        for (requests, forgets, remembers) in [
            (vec![], Search::NotBegun, Search::NotBegun),
            (vec![sent.clone()], Search::NotBegun, Search::NotBegun),
            (vec![asked(1), sent.clone()], Search::NotBegun, Search::NotBegun),
            (vec![sent.clone(), faulted(3)], Search::NotBegun, Search::NotBegun),
            (vec![sent.clone(), vain(3), processing(4)], Search::NotBegun, Search::NotBegun),
            (vec![sent.clone(), of_another(3), of_another(5)], Search::NotBegun, Search::NotBegun),
            (vec![sent.clone(), asked(3)], Search::Forgotten, Search::Ended),
            (vec![sent.clone(), asked(3), vain(5)], Search::GoesOn, Search::Ended),
            (vec![sent.clone(), vain(5), processing(6)], Search::GoesOn, Search::GoesOn),
            (vec![sent.clone(), vain(5), asked(6)], Search::Ended, Search::Ended),
            // A till that was offline sends the purchase later.
            (vec![request(5, Purchase, Some(200), "")], Search::Ended, Search::Ended),
        ] {
            assert_eq!(Search::of(&requests, COFFEE, 4, false), forgets, "{requests:#?}");
            assert_eq!(Search::of(&requests, COFFEE, 4, true), remembers, "{requests:#?}");
        }
    }
}
