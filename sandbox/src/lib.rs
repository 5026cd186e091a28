//! An Engage Point Shop for tests and trials: an HTTP and HTTPS server with a ledger, the
//! documented semantics, and faults on request.
//! Tests start a sandbox with [`Sandbox::builder`]. The binary `engage-sandbox` is the same server.
//!
//! ```
//! use engage_sandbox::{Effect, Fault, Operation, Sandbox, seed::demo};
//!
//! let sandbox = Sandbox::builder().start();
//! sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
//! assert_eq!(sandbox.balance(demo::ASTRID), Some(1200));
//! assert!(sandbox.https_url().starts_with("https://localhost:"));
//! ```

#![warn(clippy::too_many_lines)]

pub mod active;
mod admin;
pub mod api;
pub mod api_mapping;
mod app;
mod barcode;
mod browser;
pub mod certify;
pub mod clock;
mod dashboard;
pub mod effects;
mod export;
pub mod fault;
pub mod http_client;
pub mod journal_file;
pub mod judge;
pub mod junit;
pub mod ledger;
pub mod log;
pub mod magic;
pub mod nearest;
mod pictures;
mod random;
pub mod script;
pub mod seed;
mod server;
mod state_file;
pub mod store;
mod till;
mod tls;
mod webhook;
mod world;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use api_mapping::ApiMapping;
pub use clock::{Clock, ClockChange, Time};
pub use fault::{ArmedFault, Chaos, ChaosRate, Effect, Fault, FaultResponse, Operation};
pub use ledger::{Assignment, Behaviour, Invalid, Item, LedgerEntry, LedgerKind, Member, Purchase, Status};
pub use log::{KeySeen, RequestEntry};
pub use script::Script;
pub use seed::Seed;
pub use store::{LimitsChange, Settings, Snapshot, Store};
pub use tls::{BadCertificate, TlsFault};
pub use world::{Departure, MemberDeparture, World};

use app::App;
use certify::manual::Terminal;
use server::Server;
use tls::Tls;

/// The configuration of a sandbox that has not started.
#[derive(Clone, Debug)]
pub struct Builder {
    http: SocketAddr,
    https: SocketAddr,
    key: String,
    more_keys: Vec<String>,
    seed: Option<Seed>,
    requests_per_second: Option<u32>,
    state_file: Option<PathBuf>,
    ca_out: Option<PathBuf>,
    ca_dir: Option<PathBuf>,
    script: Option<Script>,
    till_journal: Option<PathBuf>,
    guide: Option<Arc<Terminal>>,
}

impl Builder {
    /// Sets the address for HTTP. The default is a free port of 127.0.0.1.
    #[must_use]
    pub fn http(mut self, address: SocketAddr) -> Builder {
        self.http = address;
        self
    }

    /// Sets the address for HTTPS. The default is a free port of 127.0.0.1.
    #[must_use]
    pub fn https(mut self, address: SocketAddr) -> Builder {
        self.https = address;
        self
    }

    /// Sets the API key. The default is `demo-key`.
    #[must_use]
    pub fn key(mut self, key: &str) -> Builder {
        key.clone_into(&mut self.key);
        self
    }

    /// Adds a key with a store of its own. The store has the same seed as the first one.
    #[must_use]
    pub fn another_key(mut self, key: &str) -> Builder {
        self.more_keys.push(key.to_owned());
        self
    }

    /// Sets the members and items at the start. The default is the demo's seed.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// Sets the rate above which the status is 429. The default is 200 requests a second; `None`:
    /// no limit.
    #[must_use]
    pub fn requests_per_second(mut self, limit: Option<u32>) -> Builder {
        self.requests_per_second = limit;
        self
    }

    /// Sets the state file, which is created if it does not exist. Without one the stores end with
    /// the sandbox.
    #[must_use]
    pub fn state_file(mut self, path: &Path) -> Builder {
        self.state_file = Some(path.to_owned());
        self
    }

    /// Sets the file for the root certificate. The default is a file in a temporary directory.
    #[must_use]
    pub fn ca_out(mut self, path: &Path) -> Builder {
        self.ca_out = Some(path.to_owned());
        self
    }

    /// Sets the folder of the root certificate and its key, which is created if it does not exist.
    /// The default is beside the state file. Without a state file, each start makes a new
    /// certificate.
    #[must_use]
    pub fn ca_dir(mut self, path: &Path) -> Builder {
        self.ca_dir = Some(path.to_owned());
        self
    }

    /// Sets the script that is applied to the first store at the start.
    #[must_use]
    pub fn script(mut self, script: Script) -> Builder {
        self.script = Some(script);
        self
    }

    /// Sets the journal of the dashboard's till. The default is a file in a temporary directory.
    #[must_use]
    pub fn till_journal(mut self, path: &Path) -> Builder {
        self.till_journal = Some(path.to_owned());
        self
    }

    /// Sets the certification that the dashboard leads a person through.
    pub(crate) fn guide(mut self, guide: &Arc<Terminal>) -> Builder {
        self.guide = Some(Arc::clone(guide));
        self
    }

    /// Starts the sandbox.
    ///
    /// # Panics
    ///
    /// If the sandbox cannot start; see [`Builder::try_start`].
    pub fn start(self) -> Sandbox {
        self.try_start().unwrap_or_else(|error| panic!("the sandbox cannot start: {error}"))
    }

    /// Opens the stores.
    fn app(&self) -> io::Result<App> {
        let bad = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let state_file = self.state_file.as_deref();
        let app = App::new(self.key.clone(), self.seed.clone(), self.requests_per_second, state_file).map_err(bad)?;
        for key in self.more_keys.iter().filter(|key| app.store(key).is_none()) {
            let seed = self.seed.clone().unwrap_or_else(Seed::demo);
            app.add(key, seed).map_err(|invalid| bad(format!("the store {key} cannot be added: {invalid}")))?;
        }
        if let Some(guide) = &self.guide {
            let _ = app.guide.set(Arc::clone(guide));
        }
        Ok(app)
    }

    /// Starts the sandbox. Returns an error if an address is in use, a file cannot be written, or
    /// the seed or the script is invalid.
    pub fn try_start(self) -> io::Result<Sandbox> {
        let app = self.app()?;
        let beside = self.state_file.as_ref().map(|path| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push("-ca");
            path.with_file_name(name)
        });
        let ca_dir = self.ca_dir.or(beside);
        let tls = Arc::new(Tls::new(self.https.ip(), ca_dir.as_deref()).map_err(io::Error::other)?);
        if let Some(script) = self.script {
            let wrong = |wrong| io::Error::new(io::ErrorKind::InvalidInput, format!("the script is invalid: {wrong}"));
            admin::apply(&app.first, &tls, script).map_err(wrong)?;
        }
        let app = Arc::new(app);
        let http = listen(self.http)?;
        let https = listen(self.https)?;

        let (ca_file, temporary) = match (self.ca_out, ca_dir) {
            (Some(path), _) => (path, None),
            (None, Some(dir)) => (dir.join("ca.pem"), None),
            (None, None) => {
                let dir = tempfile::Builder::new().prefix("engage-sandbox-").tempdir()?;
                (dir.path().join("ca.pem"), Some(dir))
            }
        };
        std::fs::write(&ca_file, tls.ca_pem())
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", ca_file.display())))?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engage-sandbox")
            .enable_all()
            .build()?;
        let server = Server::new(Arc::clone(&app), &tls);
        let addresses = (http.local_addr()?, https.local_addr()?);
        let place = app::Place {
            http: format!("http://{}", addresses.0),
            https: format!("https://localhost:{}", addresses.1.port()),
            ca_file: ca_file.clone(),
            ca_is_temporary: temporary.is_some(),
            till_journal: self.till_journal,
        };
        let _ = app.place.set(place);
        {
            let _inside = runtime.enter();
            runtime.spawn(server.clone().listen(tokio::net::TcpListener::from_std(http)?, None));
            if let Some(twin) = ipv6_twin(addresses.1) {
                runtime.spawn(server.clone().listen(tokio::net::TcpListener::from_std(twin)?, Some(Arc::clone(&tls))));
            }
            runtime.spawn(server.listen(tokio::net::TcpListener::from_std(https)?, Some(Arc::clone(&tls))));
        }
        Ok(Sandbox {
            app,
            http_at: addresses.0,
            https_at: addresses.1,
            tls,
            ca_file,
            _temporary: temporary,
            runtime: Some(runtime),
        })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {address}: {error}. Use another address, or port 0 for a free port"),
        )
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens on the same port of `::1`, if possible. `localhost` means `::1` too, and some clients
/// try it first.
fn ipv6_twin(address: SocketAddr) -> Option<TcpListener> {
    let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), address.port());
    (address.is_ipv4() && address.ip().is_loopback()).then(|| listen(twin).ok()).flatten()
}

/// A running sandbox. Dropping it stops the server and frees the ports. It dereferences to its
/// first store; see [`Store`].
#[derive(Debug)]
pub struct Sandbox {
    app: Arc<App>,
    http_at: SocketAddr,
    https_at: SocketAddr,
    tls: Arc<Tls>,
    ca_file: PathBuf,
    _temporary: Option<TempDir>,
    runtime: Option<Runtime>,
}

impl Sandbox {
    /// Returns the configuration of a sandbox with the demo's store on free ports of 127.0.0.1.
    pub fn builder() -> Builder {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Builder {
            http: any_port,
            https: any_port,
            key: "demo-key".to_owned(),
            more_keys: Vec::new(),
            seed: None,
            requests_per_second: Some(200),
            state_file: None,
            ca_out: None,
            ca_dir: None,
            script: None,
            till_journal: None,
            guide: None,
        }
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http_at)
    }

    /// Returns `https://localhost:PORT`.
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.https_at.port())
    }

    /// Returns the root certificate as PEM.
    pub fn ca_pem(&self) -> &str {
        self.tls.ca_pem()
    }

    /// Returns the file that holds the root certificate.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Arms a fault of the next TLS connections, behind the faults that are armed already.
    ///
    /// # Panics
    ///
    /// If no certificate can be made.
    pub fn arm_tls(&self, fault: TlsFault) {
        self.tls.arm(fault).unwrap_or_else(|error| panic!("cannot make a certificate: {error}"));
    }

    /// Disarms every TLS fault.
    pub fn clear_tls_faults(&self) {
        self.tls.clear();
    }

    /// Applies a script to the first store. Earlier faults and chaos end.
    pub fn apply(&self, script: Script) -> Result<(), Invalid> {
        admin::apply(&self.app.first, &self.tls, script)
    }

    /// Returns the store with this key; see [`Sandbox::add_store`].
    pub fn store(&self, key: &str) -> Option<Arc<Store>> {
        self.app.store(key)
    }

    /// Adds a store with a key of its own. Each store has its own members, items, ledger, faults,
    /// clock, log, rate limit and API mapping.
    pub fn add_store(&self, key: &str, seed: Seed) -> Result<Arc<Store>, Invalid> {
        self.app.add(key, seed)
    }
}

/// Dereferences to the first store.
impl Deref for Sandbox {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.app.first
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A thread of its own stops the runtime, because a runtime must not stop inside another
            // runtime.
            let _ = thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join();
        }
    }
}
