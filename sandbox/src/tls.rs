//! TLS: a root certificate that is made once, a server certificate for this computer, and invalid
//! certificates on request.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::{TlsAcceptor, rustls};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A fault of the next TLS connections, for every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsFault {
    /// The certificate that the server presents.
    pub certificate: BadCertificate,
    /// The number of connections; 0: until the faults are cleared.
    #[serde(default = "once")]
    pub connections: u32,
}

fn once() -> u32 {
    1
}

/// A certificate that no client should accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BadCertificate {
    /// It was valid until yesterday.
    Expired,
    /// It will be valid from tomorrow.
    NotYetValid,
    /// Another root certificate of the same name has signed it.
    UnknownCa,
    /// It names another host.
    WrongHost,
}

/// The certificates of the HTTPS listeners.
pub(crate) struct Tls {
    authority: Authority,
    names: Vec<String>,
    usual: TlsAcceptor,
    armed: Mutex<VecDeque<(TlsFault, TlsAcceptor)>>,
}

/// Leaves out the root certificate's key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("armed", &self.armed()).finish_non_exhaustive()
    }
}

impl Tls {
    /// Returns TLS for an address. The folder keeps the root certificate; it is created if it does
    /// not exist. Without a folder the root certificate is new.
    pub fn new(address: IpAddr, folder: Option<&Path>) -> Result<Tls> {
        let authority = match folder {
            Some(folder) => Authority::from_folder(folder).map_err(|error| format!("{}: {error}", folder.display()))?,
            None => Authority::new(KeyPair::generate()?)?,
        };
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        if !address.is_loopback() && !address.is_unspecified() {
            names.push(address.to_string());
        }
        let now = OffsetDateTime::now_utc();
        let usual = authority.acceptor(&names, now - Duration::days(1), now + Duration::days(365))?;
        Ok(Tls { authority, names, usual, armed: Mutex::default() })
    }

    /// Returns the root certificate as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.authority.pem
    }

    /// Arms a fault, behind the faults that are armed already.
    pub fn arm(&self, fault: TlsFault) -> Result<()> {
        let acceptor = self.bad(fault.certificate)?;
        self.queue().push_back((fault, acceptor));
        Ok(())
    }

    /// Returns the armed faults.
    pub fn armed(&self) -> Vec<TlsFault> {
        self.queue().iter().map(|(fault, _)| *fault).collect()
    }

    /// Disarms every fault.
    pub fn clear(&self) {
        self.queue().clear();
    }

    /// Returns the acceptor for the next connection.
    pub fn next(&self) -> TlsAcceptor {
        let mut armed = self.queue();
        let Some((fault, acceptor)) = armed.front_mut() else { return self.usual.clone() };
        let acceptor = acceptor.clone();
        if fault.connections == 1 {
            armed.pop_front();
        } else {
            fault.connections = fault.connections.saturating_sub(1);
        }
        acceptor
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<(TlsFault, TlsAcceptor)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bad(&self, bad: BadCertificate) -> Result<TlsAcceptor> {
        let now = OffsetDateTime::now_utc();
        let (day, year) = (Duration::days(1), Duration::days(365));
        match bad {
            BadCertificate::Expired => self.authority.acceptor(&self.names, now - year, now - day),
            BadCertificate::NotYetValid => self.authority.acceptor(&self.names, now + day, now + year),
            BadCertificate::UnknownCa => {
                Authority::new(KeyPair::generate()?)?.acceptor(&self.names, now - day, now + year)
            }
            BadCertificate::WrongHost => {
                self.authority.acceptor(&["elsewhere.example".to_owned()], now - day, now + year)
            }
        }
    }
}

/// The root certificate and its key.
struct Authority {
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new(key: KeyPair) -> Result<Authority> {
        Ok(Authority { pem: Authority::params()?.self_signed(&key)?.pem(), key })
    }

    /// Reads the root certificate of a folder, so that a client keeps accepting it after a
    /// restart.
    fn from_folder(folder: &Path) -> Result<Authority> {
        let (pem_file, key_file) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
        if !key_file.exists() {
            if pem_file.exists() {
                return Err("ca-key.pem is missing beside ca.pem. Restore ca-key.pem, or remove ca.pem".into());
            }
            fs::create_dir_all(folder)?;
            let made = Authority::new(KeyPair::generate()?)?;
            write_secret(&key_file, &made.key.serialize_pem())?;
            fs::write(&pem_file, &made.pem)?;
            return Ok(made);
        }
        let key = KeyPair::from_pem(&fs::read_to_string(&key_file)?).map_err(|error| format!("ca-key.pem: {error}"))?;
        if !pem_file.exists() {
            // An earlier start ended between the two writes.
            fs::write(&pem_file, Authority::params()?.self_signed(&key)?.pem())?;
        }
        let pem = fs::read_to_string(&pem_file)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("ca.pem: {error}"))?;
        let public = key.public_key_raw();
        if !certificate.windows(public.len()).any(|part| part == public) {
            return Err("ca-key.pem is not the key of ca.pem. Remove both files".into());
        }
        Ok(Authority { pem, key })
    }

    fn params() -> Result<CertificateParams> {
        let now = OffsetDateTime::now_utc();
        let mut params = params(Vec::new(), "engage-sandbox CA", now - Duration::days(1), now + Duration::days(3650))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }

    /// Returns an acceptor with a new certificate for these names.
    fn acceptor(&self, names: &[String], from: OffsetDateTime, to: OffsetDateTime) -> Result<TlsAcceptor> {
        let mut leaf = params(names.to_vec(), &names[0], from, to)?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = KeyPair::generate()?;
        let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&Authority::params()?, &self.key))?;

        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn params(
    names: Vec<String>,
    common_name: &str,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = (from, to);
    Ok(params)
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
