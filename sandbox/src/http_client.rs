//! Small requests over HTTP to this computer: to a running sandbox, or to a till.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// `http://HOST:PORT/PATH`.
    pub url: &'a str,
    /// Header lines, each with its line end.
    pub headers: &'a str,
    /// The body; empty: none.
    pub body: &'a str,
    /// The longest wait for the next bytes; `None`: no limit.
    pub timeout: Option<Duration>,
}

impl Request<'_> {
    /// Sends the request, and returns the response.
    pub fn send(&self) -> io::Result<Response> {
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let rest = self.url.strip_prefix("http://").ok_or_else(|| invalid("the URL has to begin with http://"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(self.timeout)?;
        let (method, headers, body) = (self.method, self.headers, self.body);
        let entity = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        // HTTP/1.0: the response ends with the connection.
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\n{headers}{entity}\r\n{body}")?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        parsed(&response).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the response is not HTTP"))
    }
}

fn parsed(response: &[u8]) -> Option<Response> {
    let head = response.windows(4).position(|four| four == b"\r\n\r\n")?;
    let line = response.split(|&byte| byte == b'\r').next()?;
    let status = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, body: response[head + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_parsed_or_rejected() {
        let response = parsed(b"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nnothing").unwrap();
        assert_eq!((response.status, response.body.as_slice()), (404, &b"nothing"[..]));
        for bad in [&b"hello"[..], b"HTTP/1.0 abc\r\n\r\n", b"HTTP/1.0 200 OK\r\n"] {
            assert_eq!(parsed(bad), None);
        }
    }
}
