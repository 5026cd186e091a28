//! Whom we trust: the operating system's certificate authorities and `caFile`, TLS 1.2 and 1.3, rustls with ring.

use crate::code::Code;
use crate::config::Config;
use crate::error::{Error, Result, chain};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn client_config(config: &Config) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &config.ca_file {
        add_file(&mut roots, file)?;
    }
    // A loopback http:// server needs no trust; reading the system's store would only cost time.
    let needs_tls = config.base_url.as_str().starts_with("https");
    if config.system_trust && needs_tls {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
    }
    if roots.is_empty() && needs_tls {
        return Err(Error::new(
            Code::NoTrust,
            "no certificate authority is known: the operating system has none or systemTrust is false; name a PEM file as caFile",
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
