//! Calls through a proxy: the bytes of a tunnel, each response of a proxy without a tunnel, and a
//! real proxy (tinyproxy) with a login.

use crate::alone;
use crate::support::{COFFEE, LOAD, Store, code_of, eventually, parse};
use engage_point_shop::{Client, Code};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

/// The proxy's reaction to CONNECT.
#[derive(Clone)]
pub enum Reaction {
    /// Makes the tunnel. It always leads to the sandbox, whatever the server's name is.
    Tunnel,
    /// Makes the tunnel, and sends a Date header.
    TunnelDated(String),
    /// Sends this response and closes the connection.
    Respond(&'static str),
    /// Sends nothing until [`ConnectProxy::release`], and then makes the tunnel.
    Hang,
}

struct State {
    reaction: Reaction,
    requests: Vec<String>,
}

/// A small HTTP proxy that makes tunnels.
pub struct ConnectProxy {
    pub address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl ConnectProxy {
    pub fn start(upstream: SocketAddr, reaction: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new((Mutex::new(State { reaction, requests: Vec::new() }), Condvar::new()));
        let of_threads = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let shared = of_threads.clone();
                // A client that disconnects is no failure.
                std::thread::spawn(move || client.and_then(|client| serve(&shared, &client, upstream)));
            }
        });
        Self { address, shared }
    }

    /// Returns the proxy's URL for the configuration.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, reaction: Reaction) {
        self.shared.0.lock().unwrap().reaction = reaction;
        self.shared.1.notify_all();
    }

    pub fn release(&self) {
        self.set(Reaction::Tunnel);
    }

    /// Returns the heads of the requests that it got.
    pub fn requests(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().requests.clone()
    }
}

fn serve(shared: &(Mutex<State>, Condvar), client: &TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let mut state = shared.0.lock().unwrap();
    state.requests.push(head);
    let state = shared.1.wait_while(state, |state| matches!(state.reaction, Reaction::Hang)).unwrap();
    let reaction = state.reaction.clone();
    drop(state);
    if let Reaction::Respond(text) = reaction {
        return { client }.write_all(text.as_bytes());
    }
    let date = if let Reaction::TunnelDated(date) = reaction { format!("Date: {date}\r\n") } else { String::new() };
    let server = TcpStream::connect(upstream)?;
    { client }.write_all(format!("HTTP/1.1 200 Connection established\r\n{date}\r\n").as_bytes())?;
    let back = (server.try_clone()?, client.try_clone()?);
    let responses = std::thread::spawn(move || carry(&back.0, &back.1));
    carry(client, &server);
    let _ = responses.join();
    Ok(())
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Returns the address of the sandbox's HTTPS port.
pub fn upstream(store: &Store) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], store.sandbox.https_url().rsplit(':').next().unwrap().parse().unwrap()))
}

fn posts_and_deductions(store: &Store) -> (usize, usize) {
    (store.posts(), store.deductions().len())
}

#[test]
fn calls_use_the_proxy_and_the_login_reaches_it_only() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Reaction::Tunnel);
    let named = format!("http://till:p%40ss@{}", proxy.address);
    let client = store.client_with(&json!({ "proxy": named }));
    client.list_items(LOAD, None).unwrap();
    client.purchase(LOAD, COFFEE, None).unwrap();
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1, "list and purchase take one connection: {requests:?}");
    let place = store.sandbox.https_url().replace("https://", "");
    assert!(requests[0].starts_with(&format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n")), "{}", requests[0]);
    // till:p@ss
    assert!(requests[0].contains("\r\nProxy-Authorization: Basic dGlsbDpwQHNz\r\n"), "{}", requests[0]);
    assert!(!requests[0].contains(store.sandbox.api_key()), "the key is for the server only");
    assert_eq!(posts_and_deductions(&store), (1, 1));
    // Without a login the header is absent.
    store.client_with(&json!({ "proxy": proxy.url() })).list_items(LOAD, None).unwrap();
    assert!(!proxy.requests()[1].contains("Authorization"));
}

#[test]
fn proxy_without_tunnel_is_reported_and_nothing_is_sent() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Reaction::Tunnel);
    let page = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<html>hush</html>";
    let rows: [(&str, &str, Code, &[&str]); 12] = [
        (
            "",
            "HTTP/1.1 407 Hush\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
            Code::ProxyLogin,
            &["407", "wants a user"],
        ),
        (
            "u:hush@",
            "HTTP/1.1 407 Hush\r\nProxy-Authenticate: basic\r\n\r\n",
            Code::ProxyLogin,
            &["407", "does not accept"],
        ),
        (
            "u:hush@",
            "HTTP/1.1 407 Hush\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n",
            Code::ProxyLogin,
            &["only Basic is"],
        ),
        // tinyproxy's response to a wrong password.
        ("u:hush@", "HTTP/1.0 401 Unauthorized\r\n\r\n", Code::ProxyLogin, &["401", "does not accept"]),
        ("", page, Code::ProxyFailed, &["403", "web filter", "Check the proxy's rules"]),
        ("", "HTTP/1.1 502 Bad Gateway\r\n\r\n", Code::ProxyFailed, &["502", "could not reach the server"]),
        ("", "HTTP/1.0 504 Gateway Timeout\r\n\r\n", Code::ProxyFailed, &["504", "could not reach"]),
        ("", "HTTP/1.1 405 Hush\r\nContent-Length: 4\r\n\r\nhush", Code::ProxyFailed, &["405", "makes no tunnels"]),
        ("", "HTTP/1.1 302 Found\r\nLocation: http://hush/\r\n\r\n", Code::ProxyFailed, &["302"]),
        ("", "SSH-2.0-OpenSSH_9.2 hush\r\n\r\n", Code::ProxyFailed, &["did not respond with HTTP"]),
        ("", "", Code::ProxyFailed, &["closed the connection"]),
        ("", "HTTP/1.1 200 OK\r\n\r\nhush", Code::ProxyFailed, &["more than its response"]),
    ];
    for (login, response, code, parts) in rows {
        proxy.set(Reaction::Respond(response));
        let client = store.client_with(&json!({ "proxy": format!("http://{login}{}", proxy.address) }));
        let read = client.list_items(LOAD, None).unwrap_err();
        let bought = client.purchase(LOAD, COFFEE, None).unwrap_err();
        assert_eq!((read.code(), bought.code()), (code, code), "{response:?}");
        for part in parts.iter().chain(&["the proxy 127.0.0.1"]) {
            assert!(read.message().contains(part), "{response:?}: {read} lacks {part:?}");
            assert!(bought.cause().concat().contains(part), "{response:?}: {:?} lacks {part:?}", bought.cause());
        }
        for error in [&read, &bought] {
            assert!(!String::from_utf8(error.to_json()).unwrap().to_lowercase().contains("hush"), "{error}");
        }
        // The proxy works again.
        proxy.set(Reaction::Tunnel);
        client.list_items(LOAD, None).unwrap();
    }
    assert_eq!(posts_and_deductions(&store), (0, 0));
}

#[test]
fn unreachable_proxy_is_named() {
    let store = Store::open();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, code, says) in [
        (nobody.to_string(), Code::Offline, format!("the proxy {nobody} (proxy)")),
        ("no-such-proxy.invalid:3128".to_owned(), Code::DnsFailed, "no-such-proxy.invalid".to_owned()),
    ] {
        let error = store.client_with(&json!({ "proxy": proxy })).list_items(LOAD, None).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.cause().concat().contains(&says), "{:?}", error.cause());
    }
}

/// Lists items in a process of its own, with an environment that the test chooses.
fn list_with(store: &Store, base_url: &str, variables: &[(&str, &str)]) -> (bool, serde_json::Value) {
    let config = store.config(&json!({ "baseUrl": base_url }));
    let mut till = crate::till::run_till(&config, &[&format!("items:{LOAD}")]);
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        till.env_remove(name);
    }
    let output = till.envs(variables.iter().copied()).output().unwrap();
    let calls = crate::till::TillCall::parse(&String::from_utf8_lossy(&output.stdout));
    let (code, json) = calls.iter().find(|call| call.verb() == "items").and_then(|call| call.result.clone()).unwrap();
    (code == 0, json)
}

#[test]
fn environment_proxy_is_used_except_for_no_proxy_hosts() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Reaction::Tunnel);
    let url = proxy.url();
    // The tunnel leads to the sandbox, whose certificate is not for this name. The proxy was used,
    // and the certificate was still checked.
    let (listed, json) = list_with(&store, "https://engage.invalid", &[("HTTPS_PROXY", &url)]);
    assert!(!listed && json["message"].as_str().unwrap().contains("another server's"), "{json}");
    assert!(proxy.requests()[0].starts_with("CONNECT engage.invalid:443 "), "{:?}", proxy.requests());
    let (_, json) = list_with(&store, "https://engage.invalid", &[("ALL_PROXY", &url), ("NO_PROXY", "invalid")]);
    assert_eq!(json["name"], "EPS_DNS_FAILED", "{json}");
    let (listed, _) = list_with(&store, &store.sandbox.https_url(), &[("HTTPS_PROXY", &url)]);
    assert!(listed && proxy.requests().len() == 1, "a server on this machine is not asked through a proxy");
}

/// The real tinyproxy, with a login. Dropping it ends the process.
struct Tinyproxy {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Tinyproxy {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("tinyproxy.conf");
        // Without a ConnectPort line it makes tunnels to any port.
        let config = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nBasicAuth till secret\n");
        std::fs::write(&file, config).unwrap();
        let process =
            Command::new("tinyproxy").arg("-d").arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("tinyproxy is installed: cargo xtask test sees to it");
        eventually("tinyproxy listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { process, port, _folder: folder }
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tinyproxy_with_login_carries_a_sale() {
    let _alone = alone();
    let store = Store::open();
    let proxy = Tinyproxy::start();
    let client = |login: &str| -> Client {
        store.client_with(&json!({ "proxy": format!("http://{login}127.0.0.1:{}", proxy.port) }))
    };
    let till = client("till:secret@");
    till.list_items(LOAD, None).unwrap();
    assert_eq!(parse(&till.purchase(LOAD, COFFEE, None).unwrap())["outcome"], "completed");
    assert_eq!(posts_and_deductions(&store), (1, 1));
    for login in ["", "till:wrong@"] {
        assert_eq!(code_of(client(login).list_items(LOAD, None)), Code::ProxyLogin, "{login}");
    }
    // The proxy finds out that the server is unreachable.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lost = store.client_with(&json!({
        "proxy": format!("http://till:secret@127.0.0.1:{}", proxy.port), "baseUrl": format!("https://localhost:{nowhere}"),
    }));
    let error = lost.purchase(LOAD, COFFEE, None).unwrap_err();
    assert_eq!(error.code(), Code::ProxyFailed, "{error} {:?}", error.cause());
}
