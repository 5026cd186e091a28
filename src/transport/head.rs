//! The head of a response that `ureq` does not see: a proxy's to CONNECT, and a server's to the
//! request for its time.

use std::io::{self, Read};
use time::OffsetDateTime;

const MAX_BYTES: usize = 16 << 10;

/// A status and header lines.
pub(crate) struct Head {
    text: String,
    pub status: u16,
    /// More bytes followed the head.
    pub has_more: bool,
}

impl Head {
    /// Reads to the empty line, past interim responses (RFC 9110, 15.2). None: the connection ended
    /// before it, or the bytes are not HTTP.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut piece = [0; 512];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = Self::parse(&bytes[..end], bytes.len() > end + 4);
                if head.as_ref().is_none_or(|head| head.status >= 200) {
                    return Ok(head);
                }
                bytes.drain(..end + 4);
                continue;
            }
            match from.read(&mut piece)? {
                1.. if bytes.len() > MAX_BYTES => return Ok(None),
                0 => return Ok(None),
                read => bytes.extend_from_slice(&piece[..read]),
            }
        }
    }

    fn parse(bytes: &[u8], has_more: bool) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut words = text.lines().next()?.split(' ');
        let is_http = words.next()?.starts_with("HTTP/1.");
        let status = words.next()?.parse().ok().filter(|status| is_http && (100..=999).contains(status))?;
        Some(Self { text, status, has_more })
    }

    /// Returns the values of a header, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Returns the sender's time.
    pub fn date(&self) -> Option<OffsetDateTime> {
        self.values("date").find_map(http_date)
    }

    pub fn is_web_page(&self) -> bool {
        self.values("content-type").any(|kind| kind.to_ascii_lowercase().contains("html"))
    }
}

/// Reads a date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(text: &str) -> Option<OffsetDateTime> {
    httpdate::parse_http_date(text.trim()).ok().map(OffsetDateTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Head> {
        Head::read(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn head_is_read_to_its_end_and_not_beyond() {
        let head = read("HTTP/1.1 407 Who are you\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX:  y \r\n\r\n").unwrap();
        assert_eq!((head.status, head.has_more), (407, false));
        assert_eq!(head.values("x").collect::<Vec<_>>(), ["y"]);
        assert_eq!(head.date().unwrap().unix_timestamp(), 784_111_777);
        assert!(read("HTTP/1.0 200 OK\r\n\r\nmore").unwrap().has_more);
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        assert_eq!(read(&format!("{interim}HTTP/1.1 200 OK\r\n\r\n")).unwrap().status, 200);
        assert!(read(interim).is_none());
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(2 * MAX_BYTES));
        for bad in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 20 x\r\n\r\n", &long]
        {
            assert!(read(bad).is_none(), "{bad:.40}");
        }
    }
}
