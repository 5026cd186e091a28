//! The end of a certificate's validity (RFC 5280). rustls checks certificates and does not show it.

use crate::core::domain::Millis;
use time::{Date, Month, PrimitiveDateTime, Time};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns when a certificate expires, in ms since 1970. None if it is not read.
pub(super) fn not_after(certificate: &[u8]) -> Option<Millis> {
    let mut outer = Der(certificate);
    let mut certificate = Der(outer.expect(SEQUENCE)?);
    let mut fields = Der(certificate.expect(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.expect(VERSION)?;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // The serial number, the algorithm and the issuer.
        fields.expect(tag)?;
    }
    let mut validity = Der(fields.expect(SEQUENCE)?);
    validity.next()?;
    let (tag, text) = validity.next()?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// `YYMMDDhhmmssZ`, or with the year's four digits.
fn time(tag: u8, text: &str) -> Option<Millis> {
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (year + if year < 50 { 2000 } else { 1900 }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    u64::try_from(seconds).ok()?.checked_mul(1_000)
}

/// Elements of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Takes the next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// Takes the next element if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn end_of_validity_is_read_in_both_forms() {
        for (year, expected) in [(2031, 1_927_670_400_000), (2051, 2_558_822_400_000)] {
            let mut params = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 2, 1);
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
            assert_eq!(not_after(&der), Some(expected), "{year}");
            for end in 0..der.len().min(200) {
                assert_eq!(not_after(&der[..end]), None);
            }
        }
    }
}
