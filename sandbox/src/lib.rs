//! An Engage Point Shop that runs anywhere: a real HTTP and HTTPS server with a ledger, the documented semantics,
//! and failures on request. Tests start one with [`Sandbox::builder`]; the binary `engage-sandbox` is the same server.
//!
//! ```
//! use engage_sandbox::{Effect, Fault, Operation, Sandbox, seed::demo};
//!
//! let sandbox = Sandbox::builder().start();
//! sandbox.arm(Fault::on(Operation::Purchase, Effect::ResetAfterCommit));
//! assert_eq!(sandbox.balance(demo::ASTRID), Some(1200));
//! assert!(sandbox.https_url().starts_with("https://localhost:"));
//! ```

mod admin;
pub mod api;
pub mod api_mapping;
mod app;
pub mod certify;
pub mod clock;
mod dashboard;
mod export;
pub mod fault;
pub mod judge;
pub mod junit;
pub mod ledger;
pub mod log;
pub mod magic;
mod random;
pub mod script;
pub mod seed;
mod server;
mod state_file;
pub mod store;
mod tls;
mod webhook;

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

use app::App;
use server::Server;
use tls::Tls;

/// How a sandbox is to be started.
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
}

impl Builder {
    /// Where to listen for HTTP; 127.0.0.1 and a free port unless told otherwise.
    #[must_use]
    pub fn http(mut self, address: SocketAddr) -> Builder {
        self.http = address;
        self
    }

    /// Where to listen for HTTPS; 127.0.0.1 and a free port unless told otherwise.
    #[must_use]
    pub fn https(mut self, address: SocketAddr) -> Builder {
        self.https = address;
        self
    }

    /// The API key; `demo-key` unless told otherwise.
    #[must_use]
    pub fn key(mut self, key: &str) -> Builder {
        key.clone_into(&mut self.key);
        self
    }

    /// One more key, with a store of its own that starts like the first.
    #[must_use]
    pub fn another_key(mut self, key: &str) -> Builder {
        self.more_keys.push(key.to_owned());
        self
    }

    /// The members and items to start with; the demo's unless told otherwise.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// Above which rate to answer 429; 200 unless told otherwise. `None`: never.
    #[must_use]
    pub fn requests_per_second(mut self, limit: Option<u32>) -> Builder {
        self.requests_per_second = limit;
        self
    }

    /// The file that holds the stores; made if there is none. Without one they are gone when the sandbox stops.
    #[must_use]
    pub fn state_file(mut self, path: &Path) -> Builder {
        self.state_file = Some(path.to_owned());
        self
    }

    /// Where to write the certificate of the authority, instead of a temporary directory.
    #[must_use]
    pub fn ca_out(mut self, path: &Path) -> Builder {
        self.ca_out = Some(path.to_owned());
        self
    }

    /// The folder that holds the authority; made if there is none. Without one it is beside the state file, and new at each start
    /// if there is no state file.
    #[must_use]
    pub fn ca_dir(mut self, path: &Path) -> Builder {
        self.ca_dir = Some(path.to_owned());
        self
    }

    /// What is to go wrong from the start, in the first store.
    #[must_use]
    pub fn script(mut self, script: Script) -> Builder {
        self.script = Some(script);
        self
    }

    /// Starts the sandbox.
    ///
    /// # Panics
    ///
    /// When it cannot start; see [`Builder::try_start`].
    pub fn start(self) -> Sandbox {
        self.try_start().unwrap_or_else(|error| panic!("the sandbox cannot start: {error}"))
    }

    /// Starts the sandbox, unless an address is taken, a file cannot be written or the seed contradicts itself.
    pub fn try_start(self) -> io::Result<Sandbox> {
        let bad = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let app = App::new(self.key, self.seed.clone(), self.requests_per_second, self.state_file.as_deref());
        let app = app.map_err(bad)?;
        for key in self.more_keys.iter().filter(|key| app.store(key).is_none()) {
            let seed = self.seed.clone().unwrap_or_else(Seed::demo);
            app.add(key, seed).map_err(|invalid| bad(format!("the key {key}: {invalid}")))?;
        }
        let beside = self.state_file.as_ref().map(|path| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push("-ca");
            path.with_file_name(name)
        });
        let ca_dir = self.ca_dir.or(beside);
        let tls = Arc::new(Tls::new(self.https.ip(), ca_dir.as_deref()).map_err(io::Error::other)?);
        if let Some(script) = self.script {
            let wrong = |wrong| io::Error::new(io::ErrorKind::InvalidInput, format!("the script: {wrong}"));
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
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The same port on `::1`, if it is to be had: `localhost` means that too, and some clients try it first and long.
fn ipv6_twin(address: SocketAddr) -> Option<TcpListener> {
    let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), address.port());
    (address.is_ipv4() && address.ip().is_loopback()).then(|| listen(twin).ok()).flatten()
}

/// A running Engage. Dropping it stops it and frees its ports. It is its first store; see [`Store`] for what can be asked of that.
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
    /// A sandbox with the demo's store on free ports of 127.0.0.1, not yet started.
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
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http_at)
    }

    /// `https://localhost:PORT`
    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.https_at.port())
    }

    /// The certificate to trust.
    pub fn ca_pem(&self) -> &str {
        self.tls.ca_pem()
    }

    /// The file that holds the certificate to trust.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Arms a fault of the next connections over TLS, behind those that are armed already.
    ///
    /// # Panics
    ///
    /// When no certificate can be made.
    pub fn arm_tls(&self, fault: TlsFault) {
        self.tls.arm(fault).unwrap_or_else(|error| panic!("cannot make a certificate: {error}"));
    }

    /// Disarms every fault of connections over TLS.
    pub fn clear_tls_faults(&self) {
        self.tls.clear();
    }

    /// Applies a script to the first store. The faults and the chaos of before are gone.
    pub fn apply(&self, script: Script) -> Result<(), Invalid> {
        admin::apply(&self.app.first, &self.tls, script)
    }

    /// The store with this key; see [`Sandbox::add_store`].
    pub fn store(&self, key: &str) -> Option<Arc<Store>> {
        self.app.store(key)
    }

    /// Adds a store with a key of its own: its own members and items, ledger, faults, clock, log, rate and dialect.
    pub fn add_store(&self, key: &str, seed: Seed) -> Result<Arc<Store>, Invalid> {
        self.app.add(key, seed)
    }
}

/// The store that was there first.
impl Deref for Sandbox {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.app.first
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, because a runtime must not be shut down from inside another.
            let _ = thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join();
        }
    }
}
