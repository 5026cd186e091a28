//! TLS 1.2 and 1.3 by rustls with ring. Root certificates: the operating system's and `caFile`.
//! Client certificate, where a store relay asks for one: `clientCertFile` and `clientKeyFile`.

use crate::config::Config;
use crate::core::check::ClientCertificate;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::secret::Wiped;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use once_cell::sync::OnceCell;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_native_certs::CertificateResult;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A source of the system's root certificates. Each is read once a process, because reading takes
/// milliseconds and a till may open many clients.
#[derive(Debug, Clone, Copy)]
enum System {
    /// The bundle file. It lacks a certificate that an administrator has put only into the folder.
    Bundle,
    /// The full system store. Reading it takes three times as long.
    Full,
}

impl System {
    /// Returns the certificates, or why there are none. After an error the next call reads again.
    fn certificates(self) -> std::result::Result<&'static [CertificateDer<'static>], Vec<String>> {
        static BUNDLE: OnceCell<Vec<CertificateDer<'static>>> = OnceCell::new();
        static FULL: OnceCell<Vec<CertificateDer<'static>>> = OnceCell::new();
        let (kept, read): (_, fn() -> CertificateResult) = match self {
            System::Bundle => (&BUNDLE, bundle),
            System::Full => (&FULL, rustls_native_certs::load_native_certs),
        };
        let certificates = kept.get_or_try_init(|| {
            let found = read();
            match found.certs.is_empty() {
                true => Err(found.errors.iter().map(ToString::to_string).collect()),
                false => Ok(found.certs),
            }
        });
        certificates.map(Vec::as_slice)
    }
}

#[cfg(unix)]
fn bundle() -> CertificateResult {
    // These variables replace the system's store.
    let replaced = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let file = if replaced { None } else { openssl_probe::probe().cert_file };
    let text = file.as_ref().and_then(|file| std::fs::read(file).ok());
    match text.and_then(|text| plain_certificates(&text)) {
        Some(certificates) if !certificates.is_empty() => {
            let mut found = CertificateResult::default();
            found.certs = certificates;
            found
        }
        _ => rustls_native_certs::load_certs_from_paths(file.as_deref(), None),
    }
}

/// Returns the certificates of a PEM text in the form that systems write. None: another form. A
/// cold start consists mostly of reading a bundle, and a reader of all forms takes longer.
#[cfg(unix)]
fn plain_certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let blocks = std::str::from_utf8(text).ok()?.split("-----BEGIN CERTIFICATE-----\n").skip(1);
    let certificate = |block: &str| {
        let (body, _) = block.split_once("-----END CERTIFICATE-----")?;
        let base64: String = body.split('\n').collect();
        BASE64_STANDARD.decode(base64).ok().map(CertificateDer::from)
    };
    blocks.map(certificate).collect()
}

/// Returns nothing: Windows has a store and no bundle file.
#[cfg(not(unix))]
fn bundle() -> CertificateResult {
    CertificateResult::default()
}

/// Root certificates. A server is verified by those of `caFile`; if they do not know it, by the
/// system's bundle file; then by the system's full store. Each is read when it is needed.
#[derive(Debug)]
struct RootCertificates {
    provider: Arc<CryptoProvider>,
    own: Option<Arc<WebPkiServerVerifier>>,
    /// Empty without `systemTrust`.
    system: Vec<(System, OnceCell<Arc<WebPkiServerVerifier>>)>,
}

impl RootCertificates {
    fn of(config: &Config, own: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self> {
        let system: &[System] = if config.system_trust { &[System::Bundle, System::Full] } else { &[] };
        let system: Vec<_> = system.iter().map(|system| (*system, OnceCell::new())).collect();
        let own = match own.is_empty() {
            true => None,
            false => Some(verifier(own, &provider).map_err(|error| not_set_up(chain(&error)))?),
        };
        let roots = Self { provider, own, system };
        if roots.verifiers().next().is_some() {
            return Ok(roots);
        }
        let (says, causes) = match System::Full.certificates() {
            Err(causes) if config.system_trust => (
                "the operating system has no root certificates; name a PEM file as caFile and set systemTrust to false",
                causes,
            ),
            _ => (
                "systemTrust is false and caFile is missing, so there are no root certificates; name a PEM file as caFile",
                Vec::new(),
            ),
        };
        Err(Error::new(Code::NoCaCertificates, says).with_cause(causes))
    }

    /// Returns the verifiers in turn. A source that cannot be read is left out.
    fn verifiers(&self) -> impl Iterator<Item = &Arc<WebPkiServerVerifier>> {
        self.own.iter().chain(self.system.iter().filter_map(|(system, made)| {
            let made = made.get_or_try_init(|| {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(system.certificates().map_err(drop)?.iter().cloned());
                verifier(roots, &self.provider).map_err(drop)
            });
            made.ok()
        }))
    }
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()
}

fn not_set_up(cause: Vec<String>) -> Error {
    Error::new(Code::NoCaCertificates, "TLS could not be set up").with_cause(cause)
}

/// Verifies a server's certificate by the root certificates.
#[derive(Debug)]
struct RootVerifier {
    roots: Arc<RootCertificates>,
    /// The time to verify for. None: the till's clock.
    at: Option<UnixTime>,
}

impl ServerCertVerifier for RootVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let now = self.at.unwrap_or(now);
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let mut reason = unknown();
        for verifier in self.roots.verifiers() {
            match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
                // A source that knows the authority says what else is wrong.
                Err(error) if reason == unknown() => reason = error,
                Err(_) => {}
                verified => return verified,
            }
        }
        Err(reason)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.roots.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.roots.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Presents no client certificate.
#[derive(Debug)]
struct NoIdentity;

impl ResolvesClientCert for NoIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// The TLS settings of a client's connections.
pub(crate) struct Security {
    pub config: Arc<ClientConfig>,
    pub client_certificate: ClientCertificate,
    roots: Arc<RootCertificates>,
}

impl Security {
    /// Reads the settings for `https://`. None for a loopback `http://` server, for which reading
    /// the system's store would cost time only.
    pub fn of(config: &Config) -> Result<Option<Self>> {
        let identity =
            config.client_identity.as_ref().map(|files| identity(&files.certificate, &files.key)).transpose()?;
        let mut own = RootCertStore::empty();
        if let Some(file) = &config.ca_file {
            add_file(&mut own, file)?;
        }
        if !config.base_url.is_https() {
            return Ok(None);
        }
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(RootCertificates::of(config, own, provider.clone())?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| not_set_up(chain(&error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(RootVerifier { roots: roots.clone(), at: None }));
        let validity = |identity: &CertifiedKey| {
            let until = identity.cert.first().and_then(|certificate| super::validity::not_after(certificate));
            until.map_or(ClientCertificate::Unread, ClientCertificate::Until)
        };
        let client_certificate = identity.as_ref().map(validity).unwrap_or_default();
        let mut tls = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { config: Arc::new(tls), client_certificate, roots }))
    }

    /// Returns the settings for the request of a server's time, when its certificate is not valid
    /// by the till's clock. The certificate is verified for `time`. Nothing else may be sent on
    /// such a connection: it presents no client certificate, and no session is kept that a request
    /// could resume.
    pub fn at(&self, time: UnixTime) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        config.client_auth_cert_resolver = Arc::new(NoIdentity);
        let verifier = RootVerifier { roots: self.roots.clone(), at: Some(time) };
        config.dangerous().set_certificate_verifier(Arc::new(verifier));
        Arc::new(config)
    }
}

/// Returns the end of a certificate's validity that the till's clock is beyond. The certificate is
/// valid at that time.
pub(crate) fn violated_validity(error: &rustls::Error) -> Option<UnixTime> {
    use CertificateError::{ExpiredContext, NotValidYetContext};
    match error {
        rustls::Error::InvalidCertificate(ExpiredContext { not_after, .. }) => Some(*not_after),
        rustls::Error::InvalidCertificate(NotValidYetContext { not_before, .. }) => Some(*not_before),
        _ => None,
    }
}

/// Returns what to do about an error of rustls, where the error does not say it.
pub(crate) fn advice(error: &rustls::Error) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, Error as Tls};
    Some(match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the certificate's authority is not trusted here. If caFile is named, check that it has this server's \
             authority. If a proxy or a filter inspects TLS, install its root certificate in the operating system's \
             store or name it as caFile"
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is another server's. Check baseUrl, and any proxy or filter on the way",
        // The type of this reason belongs to the library that rustls verifies by.
        Tls::InvalidCertificate(CertificateError::Other(reason)) if reason.to_string() == "CaUsedAsEndEntity" => {
            "the server presents an authority's certificate as its own; a self-signed one often is. Have an authority \
             sign a certificate for the server, and name the authority's certificate as caFile"
        }
        Tls::AlertReceived(Alert::CertificateRequired) => {
            "the server requires a client certificate. Name it as clientCertFile and clientKeyFile"
        }
        Tls::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => "the server does not accept this till's certificate. Check clientCertFile",
        Tls::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) | Tls::PeerIncompatible(_) => {
            "the server, or a device on the way, supports no cipher of TLS 1.2 or 1.3 that this library supports. Update it"
        }
        Tls::AlertReceived(Alert::UnrecognisedName) => {
            "the server does not know the host name in baseUrl. Check baseUrl"
        }
        Tls::InvalidMessage(_) => "the server does not speak TLS. Check the port in baseUrl, and any proxy",
        _ => return None,
    })
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    for (at, certificate) in certificates("caFile", file, Code::NoCaCertificates)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            let says = format!("caFile {}: certificate {} is not valid", file.display(), at + 1);
            Error::new(Code::NoCaCertificates, says).with_cause(chain(&error))
        })?;
    }
    Ok(())
}

/// Reads the certificates of a PEM file that the configuration's `key` names.
fn certificates(key: &str, file: &Path, code: Code) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |says: &str| Error::new(code, format!("{key} {}: {says}", file.display()));
    let pem = read_pem(file).map_err(|error| failed("cannot be read").with_cause(chain(&error)))?;
    let certificates = CertificateDer::pem_slice_iter(without_bom(&pem))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| failed("cannot be read as PEM").with_cause(chain(&error)))?;
    match certificates.is_empty() {
        true => Err(failed("holds no certificate (-----BEGIN CERTIFICATE-----)")),
        false => Ok(certificates),
    }
}

/// No PEM file is larger. The bundle of a whole system has 0.3 MB.
const LONGEST_PEM: u64 = 16 << 20;

/// Reads a file of a configuration. A pipe or a device could block, or never end.
fn read_pem(file: &Path) -> io::Result<Vec<u8>> {
    let about = std::fs::metadata(file)?;
    if !about.is_file() || about.len() > LONGEST_PEM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file, or larger than 16 MB"));
    }
    // Into memory of the file's size: memory that grows leaves copies of a key behind.
    std::fs::read(file)
}

/// Returns the text without a byte order mark, which editors on Windows write.
fn without_bom(pem: &[u8]) -> &[u8] {
    pem.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(pem)
}

/// Reads the till's certificate with its intermediates, and its key.
fn identity(certificate_file: &Path, key_file: &Path) -> Result<CertifiedKey> {
    let failed = |key: &str, file: &Path, says: &str| {
        Error::new(Code::BadConfig, format!("config_json: {key} {}: {says}", file.display()))
    };
    let chain_of = certificates("config_json: clientCertFile", certificate_file, Code::BadConfig)?;
    let pem = read_pem(key_file)
        .map_err(|error| failed("clientKeyFile", key_file, "cannot be read").with_cause(chain(&error)))?;
    let der = private_key(&pem.into()).map_err(|says| failed("clientKeyFile", key_file, says))?;
    let key = PrivateKeyDer::try_from(&*der)
        .map_err(|_| failed("clientKeyFile", key_file, "is not a PKCS#8, PKCS#1 or SEC1 key"))?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| {
        failed("clientKeyFile", key_file, "is not an RSA, ECDSA (P-256, P-384) or Ed25519 key")
            .with_cause(chain(&error))
    })?;
    let identity = CertifiedKey::new(chain_of, key);
    match identity.keys_match() {
        Ok(()) => Ok(identity),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(failed("clientKeyFile", key_file, "does not belong to the first certificate of clientCertFile"))
        }
        Err(error) => Err(failed("clientCertFile", certificate_file, "is not valid").with_cause(chain(&error))),
    }
}

/// Reads the private key of a PEM text. A library would leave copies of the key in memory.
fn private_key(pem: &Wiped) -> std::result::Result<Wiped, &'static str> {
    let mut base64 = None::<Wiped>;
    for line in without_bom(pem).split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        match &mut base64 {
            _ if line.starts_with(b"-----BEGIN ENCRYPTED") || line.starts_with(b"Proc-Type: 4,ENCRYPTED") => {
                return Err(
                    "is encrypted. Decrypt it (openssl pkey -in … -out …) into a file that only the POS may read",
                );
            }
            None if line.starts_with(b"-----BEGIN ") && line.ends_with(b"PRIVATE KEY-----") => {
                base64 = Some(Wiped::default());
            }
            None => {}
            Some(base64) if line.starts_with(b"-----END ") => {
                let mut der = vec![0; base64.len()];
                let length = BASE64_STANDARD.decode_slice(&**base64, &mut der);
                let mut der = Wiped::from(der);
                der.truncate(length.map_err(|_| "is damaged: the text between BEGIN and END is not base64")?);
                return Ok(der);
            }
            Some(base64) => base64.push(line),
        }
    }
    Err(if base64.is_some() {
        "is cut off: its END line is missing"
    } else {
        "holds no private key (-----BEGIN PRIVATE KEY-----)"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// Returns a root certificate and a server certificate that it has signed.
    fn authority() -> (CertificateDer<'static>, CertificateDer<'static>) {
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap().der().clone();
        let server = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
        let server = server.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap();
        (own, server.der().clone())
    }

    #[test]
    fn server_is_verified_by_each_source_in_turn() {
        let [(own, by_own), (bundled, by_bundled), (added, by_added), (_, by_stranger)] = [(); 4].map(|()| authority());
        let provider = Arc::new(ring::default_provider());
        let verifier = |roots: &[CertificateDer<'static>]| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots.iter().cloned());
            verifier(store, &provider).unwrap()
        };
        let verifier_of = |own: Option<&CertificateDer<'static>>, full: &[CertificateDer<'static>]| {
            let own = own.map(|own| verifier(std::slice::from_ref(own)));
            let bundle = OnceCell::with_value(verifier(std::slice::from_ref(&bundled)));
            let full = OnceCell::with_value(verifier(full));
            let system = vec![(System::Bundle, bundle), (System::Full, full)];
            let roots = RootCertificates { provider: provider.clone(), own, system };
            RootVerifier { roots: Arc::new(roots), at: None }
        };
        let accepts = |verifier: &RootVerifier, server: &CertificateDer<'_>| {
            verifier.verify_server_cert(server, &[], &ServerName::try_from("shop.test").unwrap(), &[], UnixTime::now())
        };
        // All roots have the same name, so a verifier fails by a bad signature and not by an
        // unknown issuer. The next source must serve both.
        let rejects = |verifier, server| matches!(accepts(verifier, server), Err(rustls::Error::InvalidCertificate(_)));

        let all = verifier_of(Some(&own), &[bundled.clone(), added]);
        assert!([&by_own, &by_bundled, &by_added].iter().all(|server| accepts(&all, server).is_ok()));
        assert!(rejects(&all, &by_stranger));

        let bundle_only = verifier_of(None, std::slice::from_ref(&bundled));
        assert!(accepts(&bundle_only, &by_bundled).is_ok());
        assert!(rejects(&bundle_only, &by_added) && rejects(&bundle_only, &by_own));
    }

    #[test]
    fn self_signed_certificate_of_a_server_is_explained() {
        let (own, _) = authority();
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).unwrap();
        let verifier = verifier(roots, &Arc::new(ring::default_provider())).unwrap();
        let name = ServerName::try_from("shop.test").unwrap();
        let error = verifier.verify_server_cert(&own, &[], &name, &[], UnixTime::now()).unwrap_err();
        let advice = advice(&error).unwrap_or_else(|| panic!("{error} has no advice"));
        assert!(advice.contains("self-signed") && advice.contains("caFile"), "{advice}");
    }

    /// A server that `caFile` vouches for costs no reading of the system's store.
    #[test]
    fn system_store_is_not_read_for_a_server_of_ca_file() {
        let (own, by_own) = authority();
        let provider = Arc::new(ring::default_provider());
        let mut store = RootCertStore::empty();
        store.add(own).unwrap();
        let system = vec![(System::Bundle, OnceCell::new()), (System::Full, OnceCell::new())];
        let own = Some(verifier(store, &provider).unwrap());
        let roots = Arc::new(RootCertificates { provider, own, system });
        let verifier = RootVerifier { roots: roots.clone(), at: None };
        let name = ServerName::try_from("shop.test").unwrap();
        assert!(verifier.verify_server_cert(&by_own, &[], &name, &[], UnixTime::now()).is_ok());
        assert!(roots.system.iter().all(|(_, made)| made.get().is_none()));
    }

    #[cfg(unix)]
    #[test]
    fn plain_pem_is_read_as_by_the_reader_of_all_forms() {
        let (one, other) = (authority().0, authority().0);
        let block = |der: &[u8]| {
            let lines: Vec<String> = BASE64_STANDARD
                .encode(der)
                .as_bytes()
                .chunks(64)
                .map(|line| String::from_utf8_lossy(line).into())
                .collect();
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
        };
        let bundle = format!("# one\n{}\n# other\n{}", block(&one), block(&other));
        assert_eq!(plain_certificates(bundle.as_bytes()), Some(vec![one, other]));
        for other_form in [bundle.replace("MII", "M-I"), bundle.replace("-----END", "----END")] {
            assert_eq!(plain_certificates(other_form.as_bytes()), None);
        }
        for none in ["", "no certificate", &bundle.replace('\n', "\r\n")] {
            assert_eq!(plain_certificates(none.as_bytes()), Some(Vec::new()), "{none}");
        }
    }

    #[test]
    fn device_is_no_certificate_file() {
        let device = if cfg!(windows) { "NUL" } else { "/dev/zero" };
        assert!(read_pem(Path::new(device)).is_err());
        assert!(read_pem(&std::env::temp_dir()).is_err());
    }
}
