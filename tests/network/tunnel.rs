//! Through a proxy: the bytes of a tunnel, each answer a proxy may give in its place, and a real one (tinyproxy) with a login.

use crate::alone;
use crate::support::{COFFEE, LOAD, Store, code_of, eventually, parse};
use engage_point_shop::{Client, Code};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

/// What the proxy does with the wish for a tunnel.
#[derive(Clone)]
pub enum Does {
    /// Makes it, whatever the server is called: it always leads to the sandbox.
    Tunnel,
    /// Makes it, and says what time it is.
    TunnelDated(String),
    /// Gives an answer of its own and hangs up.
    Answer(&'static str),
    /// Says nothing until [`ConnectProxy::release`], and makes the tunnel then.
    Hang,
}

struct State {
    does: Does,
    wishes: Vec<String>,
}

/// A small HTTP proxy that makes tunnels.
pub struct ConnectProxy {
    pub address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl ConnectProxy {
    pub fn start(upstream: SocketAddr, does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new((Mutex::new(State { does, wishes: Vec::new() }), Condvar::new()));
        let of_threads = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let shared = of_threads.clone();
                // A client that leaves is nothing to complain about.
                std::thread::spawn(move || client.and_then(|client| serve(&shared, &client, upstream)));
            }
        });
        Self { address, shared }
    }

    /// As the configuration names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, does: Does) {
        self.shared.0.lock().unwrap().does = does;
        self.shared.1.notify_all();
    }

    pub fn release(&self) {
        self.set(Does::Tunnel);
    }

    /// What it was asked, head by head.
    pub fn wishes(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().wishes.clone()
    }
}

fn serve(shared: &(Mutex<State>, Condvar), client: &TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut wish = String::new();
    while !wish.ends_with("\r\n\r\n") {
        if reader.read_line(&mut wish)? == 0 {
            return Ok(());
        }
    }
    let mut state = shared.0.lock().unwrap();
    state.wishes.push(wish);
    let state = shared.1.wait_while(state, |state| matches!(state.does, Does::Hang)).unwrap();
    let does = state.does.clone();
    drop(state);
    if let Does::Answer(text) = does {
        return { client }.write_all(text.as_bytes());
    }
    let date = if let Does::TunnelDated(date) = does { format!("Date: {date}\r\n") } else { String::new() };
    let server = TcpStream::connect(upstream)?;
    { client }.write_all(format!("HTTP/1.1 200 Connection established\r\n{date}\r\n").as_bytes())?;
    let back = (server.try_clone()?, client.try_clone()?);
    let answers = std::thread::spawn(move || carry(&back.0, &back.1));
    carry(client, &server);
    let _ = answers.join();
    Ok(())
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// The sandbox's HTTPS port.
pub fn upstream(store: &Store) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], store.sandbox.https_url().rsplit(':').next().unwrap().parse().unwrap()))
}

fn posts_and_deductions(store: &Store) -> (usize, usize) {
    (store.posts(), store.deductions().len())
}

#[test]
fn everything_goes_through_the_tunnel_and_the_login_is_shown_to_the_proxy_only() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Does::Tunnel);
    let named = format!("http://till:p%40ss@{}", proxy.address);
    let client = store.client_with(&json!({ "proxy": named }));
    client.list_items(LOAD, None).unwrap();
    client.purchase(LOAD, COFFEE, None).unwrap();
    let wishes = proxy.wishes();
    assert_eq!(wishes.len(), 1, "list and purchase take one connection: {wishes:?}");
    let place = store.sandbox.https_url().replace("https://", "");
    assert!(wishes[0].starts_with(&format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n")), "{}", wishes[0]);
    // till:p@ss
    assert!(wishes[0].contains("\r\nProxy-Authorization: Basic dGlsbDpwQHNz\r\n"), "{}", wishes[0]);
    assert!(!wishes[0].contains(store.sandbox.api_key()), "the key is for the server only");
    assert_eq!(posts_and_deductions(&store), (1, 1));
    // Without a login none is shown.
    store.client_with(&json!({ "proxy": proxy.url() })).list_items(LOAD, None).unwrap();
    assert!(!proxy.wishes()[1].contains("Authorization"));
}

#[test]
fn what_a_proxy_says_in_the_place_of_a_tunnel_is_named_and_nothing_was_sent() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Does::Tunnel);
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
        // tinyproxy's word for a wrong password.
        ("u:hush@", "HTTP/1.0 401 Unauthorized\r\n\r\n", Code::ProxyLogin, &["401", "does not accept"]),
        ("", page, Code::ProxyFailed, &["403", "web filter", "proxy's rules"]),
        ("", "HTTP/1.1 502 Bad Gateway\r\n\r\n", Code::ProxyFailed, &["502", "could not reach the server"]),
        ("", "HTTP/1.0 504 Gateway Timeout\r\n\r\n", Code::ProxyFailed, &["504", "could not reach"]),
        ("", "HTTP/1.1 405 Hush\r\nContent-Length: 4\r\n\r\nhush", Code::ProxyFailed, &["405", "makes no tunnels"]),
        ("", "HTTP/1.1 302 Found\r\nLocation: http://hush/\r\n\r\n", Code::ProxyFailed, &["302"]),
        ("", "SSH-2.0-OpenSSH_9.2 hush\r\n\r\n", Code::ProxyFailed, &["did not respond with HTTP"]),
        ("", "", Code::ProxyFailed, &["closed the connection"]),
        ("", "HTTP/1.1 200 OK\r\n\r\nhush", Code::ProxyFailed, &["more than its response"]),
    ];
    for (login, answer, code, parts) in rows {
        proxy.set(Does::Answer(answer));
        let client = store.client_with(&json!({ "proxy": format!("http://{login}{}", proxy.address) }));
        let read = client.list_items(LOAD, None).unwrap_err();
        let bought = client.purchase(LOAD, COFFEE, None).unwrap_err();
        assert_eq!((read.code(), bought.code()), (code, code), "{answer:?}");
        for part in parts.iter().chain(&["the proxy 127.0.0.1"]) {
            assert!(read.message().contains(part), "{answer:?}: {read} lacks {part:?}");
            assert!(bought.cause().concat().contains(part), "{answer:?}: {:?} lacks {part:?}", bought.cause());
        }
        for error in [&read, &bought] {
            assert!(!String::from_utf8(error.to_json()).unwrap().to_lowercase().contains("hush"), "{error}");
        }
        // The proxy comes to its senses.
        proxy.set(Does::Tunnel);
        client.list_items(LOAD, None).unwrap();
    }
    assert_eq!(posts_and_deductions(&store), (0, 0));
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
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

/// A till in a process of its own, whose environment is the test's to choose.
fn list_with(store: &Store, base_url: &str, variables: &[(&str, &str)]) -> (bool, serde_json::Value) {
    let config = store.config(&json!({ "baseUrl": base_url }));
    let mut till = crate::till::run_till(&config, &[&format!("items:{LOAD}")]);
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        till.env_remove(name);
    }
    let output = till.envs(variables.iter().copied()).output().unwrap();
    let told = crate::till::Told::parse(&String::from_utf8_lossy(&output.stdout));
    let (code, json) = told.iter().find(|call| call.verb() == "items").and_then(|call| call.answer.clone()).unwrap();
    (code == 0, json)
}

#[test]
fn the_proxy_of_the_environment_is_used_but_for_this_computer_and_what_no_proxy_names() {
    let store = Store::open();
    let proxy = ConnectProxy::start(upstream(&store), Does::Tunnel);
    let url = proxy.url();
    // The proxy leads to the sandbox, whose certificate is not for this name: it was asked, and it was trusted no more than the net.
    let (listed, json) = list_with(&store, "https://engage.invalid", &[("HTTPS_PROXY", &url)]);
    assert!(!listed && json["message"].as_str().unwrap().contains("another server's"), "{json}");
    assert!(proxy.wishes()[0].starts_with("CONNECT engage.invalid:443 "), "{:?}", proxy.wishes());
    let (_, json) = list_with(&store, "https://engage.invalid", &[("ALL_PROXY", &url), ("NO_PROXY", "invalid")]);
    assert_eq!(json["name"], "EPS_DNS_FAILED", "{json}");
    let (listed, _) = list_with(&store, &store.sandbox.https_url(), &[("HTTPS_PROXY", &url)]);
    assert!(listed && proxy.wishes().len() == 1, "a server on this computer is not asked through a proxy");
}

/// The real tinyproxy, with a login. Ended when dropped.
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
fn a_real_proxy_with_a_login_carries_a_sale_and_refuses_a_wrong_login() {
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
    // A server that is not there is the proxy's to find out.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lost = store.client_with(&json!({
        "proxy": format!("http://till:secret@127.0.0.1:{}", proxy.port), "baseUrl": format!("https://localhost:{nowhere}"),
    }));
    let error = lost.purchase(LOAD, COFFEE, None).unwrap_err();
    assert_eq!(error.code(), Code::ProxyFailed, "{error} {:?}", error.cause());
}
