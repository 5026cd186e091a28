//! Whom we trust: the operating system's certificate authorities and `caFile`, TLS 1.2 and 1.3, rustls with ring.

use crate::code::Code;
use crate::config::Config;
use crate::error::{Error, Result, chain};
use once_cell::sync::OnceCell;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// The system's authorities, read once a process: it takes milliseconds, and a till may open many clients.
/// A system without any is asked again the next time.
static SYSTEM: OnceCell<Vec<CertificateDer<'static>>> = OnceCell::new();

fn system() -> Result<&'static [CertificateDer<'static>]> {
    let loaded = SYSTEM.get_or_try_init(|| {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() { Err(found.errors) } else { Ok(found.certs) }
    });
    match loaded {
        Ok(certificates) => Ok(certificates),
        Err(errors) => Err(Error::new(
            Code::NoTrust,
            "the operating system has no certificate authorities; name a PEM file as caFile and set systemTrust to false",
        )
        .with_cause(errors.iter().map(ToString::to_string).collect())),
    }
}

pub(crate) fn client_config(config: &Config) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // A loopback http:// server needs no trust; reading the system's store would only cost time.
    let needs_tls = config.base_url.as_str().starts_with("https");
    if let Some(file) = &config.ca_file {
        add_file(&mut roots, file)?;
    }
    if config.system_trust && needs_tls {
        match system() {
            Ok(certificates) => drop(roots.add_parsable_certificates(certificates.iter().cloned())),
            // With a file of its own the till can do without the system's.
            Err(error) if roots.is_empty() => return Err(error),
            Err(_) => {}
        }
    }
    if roots.is_empty() && needs_tls {
        return Err(Error::new(
            Code::NoTrust,
            "systemTrust is false and there is no caFile, so no server can be trusted",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| Error::new(Code::NoTrust, "TLS could not be set up").with_cause(chain(&error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let failed = |says: String, cause: Vec<String>| {
        Error::new(Code::NoTrust, format!("caFile {}: {says}", file.display())).with_cause(cause)
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| failed("cannot be read as PEM".into(), chain(&error)))?;
    if certificates.is_empty() {
        return Err(failed("holds no certificate (-----BEGIN CERTIFICATE-----)".into(), Vec::new()));
    }
    for (at, certificate) in certificates.into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|error| failed(format!("certificate {} is not valid", at + 1), chain(&error)))?;
    }
    Ok(())
}
