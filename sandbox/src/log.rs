//! The last requests, as they came and as they were answered; nothing that identifies a person or opens a door is kept.
//! A request has no status until it is answered, and never gets one if a fault took its answer.

use std::collections::VecDeque;

use hyper::Uri;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Time;
use crate::fault::Operation;

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestEntry {
    /// 1, 2, 3 …
    pub seq: u64,
    /// When it had come in whole.
    pub time: Time,
    /// What was asked for; `None`: no route of Engage's.
    pub operation: Option<Operation>,
    /// The HTTP method.
    pub method: String,
    /// Path and query. Of the query, only ids and fixed words are kept: what a person is searched by is not.
    pub path: String,
    /// What was answered; `None`, in JSON "no answer": nothing, or nothing yet.
    #[serde(serialize_with = "status_or_no_answer")]
    pub status: Option<u16>,
    /// The purchase id, of a purchase.
    pub purchase_id: Option<Uuid>,
    /// The contact, where the request names one.
    pub contact_id: Option<Uuid>,
    /// The key that came with it. Never the key itself.
    pub key: KeySeen,
    /// The till and its version.
    pub user_agent: Option<String>,
    /// Which connection it came on: the same number, the same connection.
    pub connection: u64,
    /// The fault that struck it.
    pub fault: Option<&'static str>,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn status_or_no_answer<S: Serializer>(status: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    match status {
        Some(status) => serializer.serialize_u16(*status),
        None => serializer.serialize_str("no answer"),
    }
}

/// What is told of a request's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySeen {
    /// The right one.
    Right,
    /// Another one.
    Wrong,
    /// None.
    Missing,
}

/// The last 10 000 requests.
#[derive(Debug, Default)]
pub struct RequestLog {
    entries: VecDeque<RequestEntry>,
    count: u64,
}

impl RequestLog {
    /// How many are kept.
    pub const LIMIT: usize = 10_000;

    /// Adds a request, not yet answered, and returns its number.
    pub fn push(&mut self, entry: RequestEntry) -> u64 {
        if self.entries.len() == RequestLog::LIMIT {
            self.entries.pop_front();
        }
        self.count += 1;
        self.entries.push_back(RequestEntry { seq: self.count, ..entry });
        self.count
    }

    /// Notes what a request was answered.
    pub fn answered(&mut self, seq: u64, status: u16) {
        let first = self.entries.front().map_or(0, |entry| entry.seq);
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.status = Some(status);
        }
    }

    /// The requests, the oldest first.
    pub fn entries(&self) -> &VecDeque<RequestEntry> {
        &self.entries
    }

    /// Forgets every request; the numbers go on, so that no late answer is noted for another request.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// Path and query with every value hidden that could be a person's or a key.
pub fn redacted(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_harmless(name, value) => pair.to_owned(),
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        })
        .collect();
    format!("{}?{}", uri.path(), pairs.join("&"))
}

fn is_harmless(name: &str, value: &str) -> bool {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    let is_word = || value.len() < 16 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is("contactId") && Uuid::parse_str(value).is_ok())
        || ((is("redemptionChannelType") || is("contactType")) && is_word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_only_ids_and_fixed_words() {
        let id = "a0000000-0000-4000-8000-000000000001";
        for (query, kept) in [
            (format!("contactId={id}&redemptionChannelType=POS"), format!("contactId={id}&redemptionChannelType=POS")),
            ("contactId=a@example.com".to_owned(), "contactId=***".to_owned()),
            ("email=a&ANY=&secret".to_owned(), "email=***&ANY=***&***".to_owned()),
            ("contactType=0701234567".to_owned(), "contactType=***".to_owned()),
        ] {
            let uri: Uri = format!("/api?{query}").parse().unwrap();
            assert_eq!(redacted(&uri), format!("/api?{kept}"));
        }
    }

    #[test]
    fn the_log_is_bounded_and_a_late_answer_finds_its_own_request_only() {
        let entry = RequestEntry {
            seq: 0,
            time: Time::default(),
            operation: None,
            method: String::new(),
            path: String::new(),
            status: None,
            purchase_id: None,
            contact_id: None,
            key: KeySeen::Missing,
            user_agent: None,
            connection: 1,
            fault: None,
        };
        let mut log = RequestLog::default();
        for _ in 0..=RequestLog::LIMIT {
            log.push(entry.clone());
        }
        log.answered(1, 200);
        log.answered(2, 201);
        assert_eq!(log.entries().len(), RequestLog::LIMIT);
        assert_eq!(log.entries().iter().filter_map(|entry| entry.status).collect::<Vec<_>>(), [201]);
        log.clear();
        log.answered(3, 202);
        log.push(entry);
        assert_eq!(log.entries()[0].status, None);
    }
}
