//! Whom we trust: the operating system's certificate authorities and `caFile`, TLS 1.2 and 1.3, rustls with ring.
//! And how a till proves who it is where a store relay asks: `clientCertFile` and `clientKeyFile`.

use crate::config::Config;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::secret::Wiped;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use once_cell::sync::OnceCell;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_native_certs::CertificateResult;
use std::path::Path;
use std::sync::Arc;

/// The system's authorities. Each is read once a process: it takes milliseconds, and a till may open many clients.
#[derive(Clone, Copy)]
enum System {
    /// Those in the file that holds them all. What an administrator has put into the folder beside it only is not among them.
    Bundle,
    /// All there are, which takes three times as long.
    Whole,
}

impl System {
    /// Where there are none it says why, and the next time looks again.
    fn certificates(self) -> std::result::Result<&'static [CertificateDer<'static>], Vec<String>> {
        static BUNDLE: OnceCell<Vec<CertificateDer<'static>>> = OnceCell::new();
        static WHOLE: OnceCell<Vec<CertificateDer<'static>>> = OnceCell::new();
        let (kept, read): (_, fn() -> CertificateResult) = match self {
            System::Bundle => (&BUNDLE, bundle),
            System::Whole => (&WHOLE, rustls_native_certs::load_native_certs),
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
    // Where the environment tells what to trust, that is all there is.
    let told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let file = if told { None } else { openssl_probe::probe().cert_file };
    rustls_native_certs::load_certs_from_paths(file.as_deref(), None)
}

/// Windows has a store and no file.
#[cfg(not(unix))]
fn bundle() -> CertificateResult {
    CertificateResult::default()
}

/// Whom we trust: the authorities that are quickly read, and all there are for where those do not vouch.
#[derive(Debug)]
struct Authorities {
    provider: Arc<CryptoProvider>,
    /// The configuration's.
    own: RootCertStore,
    first: Arc<WebPkiServerVerifier>,
    /// None: the first ones are all.
    whole: Option<OnceCell<Arc<WebPkiServerVerifier>>>,
}

impl Authorities {
    fn of(config: &Config, own: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self> {
        let nothing: &[CertificateDer<'static>] = &[];
        let (system, is_all) = match config.system_trust {
            false => (nothing, true),
            true => match System::Bundle.certificates() {
                Ok(bundle) => (bundle, false),
                Err(_) => match System::Whole.certificates() {
                    Ok(whole) => (whole, true),
                    // With a file of its own the till can do without the system's.
                    Err(_) if !own.is_empty() => (nothing, true),
                    Err(causes) => {
                        let says = "the operating system has no certificate authorities; name a PEM file as caFile and set systemTrust to false";
                        return Err(Error::new(Code::NoCaCertificates, says).with_cause(causes));
                    }
                },
            },
        };
        if own.is_empty() && system.is_empty() {
            let says = "systemTrust is false and there is no caFile, so no server can be trusted";
            return Err(Error::new(Code::NoCaCertificates, says));
        }
        let first = verifier(&own, system, &provider).map_err(|error| not_set_up(chain(&error)))?;
        Ok(Self { provider, own, first, whole: (!is_all).then(OnceCell::new) })
    }

    /// By all authorities.
    fn whole(&self) -> Option<&WebPkiServerVerifier> {
        let made = self.whole.as_ref()?.get_or_try_init(|| {
            let system = System::Whole.certificates().map_err(drop)?;
            verifier(&self.own, system, &self.provider).map_err(drop)
        });
        made.ok().map(|verifier| &**verifier)
    }
}

fn verifier(
    own: &RootCertStore,
    system: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
    let mut roots = own.clone();
    roots.add_parsable_certificates(system.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()
}

fn not_set_up(cause: Vec<String>) -> Error {
    Error::new(Code::NoCaCertificates, "TLS could not be set up").with_cause(cause)
}

/// Verifies a server by its authorities.
#[derive(Debug)]
struct Trust {
    authorities: Arc<Authorities>,
    /// As if it were this time. None: it is what the till's clock says.
    at: Option<UnixTime>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let now = self.at.unwrap_or(now);
        let verify = |by: &WebPkiServerVerifier| by.verify_server_cert(certificate, intermediates, name, ocsp, now);
        verify(&self.authorities.first).or_else(|error| self.authorities.whole().map_or(Err(error), verify))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.first.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.first.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.first.supported_verify_schemes()
    }
}

/// What connections are secured with.
pub(crate) struct Security {
    pub config: Arc<ClientConfig>,
    authorities: Arc<Authorities>,
}

impl Security {
    /// For `https://`. A loopback `http://` server needs no trust, and reading the system's store would only cost time.
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
        let authorities = Arc::new(Authorities::of(config, own, provider.clone())?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| not_set_up(chain(&error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trust { authorities: authorities.clone(), at: None }));
        let mut tls = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { config: Arc::new(tls), authorities }))
    }

    /// For asking a server whose certificate seems to be out of its time what time it is. It is verified like any other, but for the
    /// time at which it is valid. Nothing but that question may be asked: no session is kept, so none is resumed by a request.
    pub fn at(&self, time: UnixTime) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        let trust = Trust { authorities: self.authorities.clone(), at: Some(time) };
        config.dangerous().set_certificate_verifier(Arc::new(trust));
        Arc::new(config)
    }
}

/// A time at which a certificate is valid that is out of its time now.
pub(crate) fn valid_time(error: &rustls::Error) -> Option<UnixTime> {
    use CertificateError::{ExpiredContext, NotValidYetContext};
    match error {
        rustls::Error::InvalidCertificate(ExpiredContext { not_after, .. }) => Some(*not_after),
        rustls::Error::InvalidCertificate(NotValidYetContext { not_before, .. }) => Some(*not_before),
        _ => None,
    }
}

/// What rustls' verdict means at a till, where its own words do not say what to do.
pub(crate) fn advice(error: &rustls::Error) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, Error as Tls};
    Some(match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the certificate's authority is not trusted here: if a proxy or a filter reads along, install its authority in the \
             operating system's store or name it as caFile"
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is another server's: check baseUrl, and what answers in its place",
        Tls::AlertReceived(Alert::CertificateRequired) => {
            "the server asks for a client certificate: name it as clientCertFile and clientKeyFile"
        }
        Tls::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => "the server does not accept this till's certificate: check clientCertFile",
        Tls::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) | Tls::PeerIncompatible(_) => {
            "the server, or a device on the way, has no version or cipher of TLS 1.2 or 1.3 in common with this library"
        }
        Tls::AlertReceived(Alert::UnrecognisedName) => "the server does not know the name in baseUrl",
        Tls::InvalidMessage(_) => "what answered does not speak TLS: check the port in baseUrl, and any proxy",
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

/// The certificates of a PEM file, which is named by the configuration's `key`.
fn certificates(key: &str, file: &Path, code: Code) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |says: &str| Error::new(code, format!("{key} {}: {says}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| failed("cannot be read as PEM").with_cause(chain(&error)))?;
    match certificates.is_empty() {
        true => Err(failed("holds no certificate (-----BEGIN CERTIFICATE-----)")),
        false => Ok(certificates),
    }
}

/// The till's certificate, with the authorities between it and the one the server knows, and its key.
fn identity(certificate_file: &Path, key_file: &Path) -> Result<CertifiedKey> {
    let failed = |key: &str, file: &Path, says: &str| {
        Error::new(Code::BadConfig, format!("config_json: {key} {}: {says}", file.display()))
    };
    let chain_of = certificates("config_json: clientCertFile", certificate_file, Code::BadConfig)?;
    let pem = std::fs::read(key_file)
        .map_err(|error| failed("clientKeyFile", key_file, "cannot be read").with_cause(chain(&error)))?;
    let der = private_key(&pem.into()).map_err(|says| failed("clientKeyFile", key_file, says))?;
    let key = PrivateKeyDer::try_from(&*der)
        .map_err(|_| failed("clientKeyFile", key_file, "is neither a PKCS#8, a PKCS#1 nor a SEC1 key"))?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| {
        failed("clientKeyFile", key_file, "is no RSA, ECDSA (P-256, P-384) or Ed25519 key").with_cause(chain(&error))
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

/// The private key of a PEM text. Read here and not by a library, which would leave copies of it behind in memory.
fn private_key(pem: &Wiped) -> std::result::Result<Wiped, &'static str> {
    let mut base64 = None::<Wiped>;
    for line in pem.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        match &mut base64 {
            _ if line.starts_with(b"-----BEGIN ENCRYPTED") || line.starts_with(b"Proc-Type: 4,ENCRYPTED") => {
                return Err(
                    "is encrypted; a till that starts by itself needs it in the clear, in a file that only the POS \
                            may read (openssl pkey -in … -out …)",
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
                der.truncate(length.map_err(|_| "is damaged: what stands between BEGIN and END is not base64")?);
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

    /// An authority, and a server that it vouches for.
    fn authority() -> (CertificateDer<'static>, CertificateDer<'static>) {
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap().der().clone();
        let server = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
        let server = server.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap();
        (own, server.der().clone())
    }

    #[test]
    fn an_authority_that_is_not_in_the_bundle_is_looked_for_among_all() {
        let ((bundled, by_bundled), (added, by_added), (_, by_stranger)) = (authority(), authority(), authority());
        let provider = Arc::new(ring::default_provider());
        let verifier = |roots: &[_]| verifier(&RootCertStore::empty(), roots, &provider).unwrap();
        let trust = |whole| {
            let first = verifier(std::slice::from_ref(&bundled));
            let authorities = Authorities { provider: provider.clone(), own: RootCertStore::empty(), first, whole };
            Trust { authorities: Arc::new(authorities), at: None }
        };
        let accepts = |trust: &Trust, server: &CertificateDer<'_>| {
            trust.verify_server_cert(server, &[], &ServerName::try_from("shop.test").unwrap(), &[], UnixTime::now())
        };
        // All have the same name, so the wrong one is first taken for the right one: not only an unknown issuer is worth another look.
        let refused = |trust, server| matches!(accepts(trust, server), Err(rustls::Error::InvalidCertificate(_)));

        let both = trust(Some(OnceCell::with_value(verifier(&[bundled.clone(), added]))));
        assert!(accepts(&both, &by_bundled).is_ok());
        assert!(accepts(&both, &by_added).is_ok());
        assert!(refused(&both, &by_stranger));

        let bundle_only = trust(None);
        assert!(accepts(&bundle_only, &by_bundled).is_ok());
        assert!(refused(&bundle_only, &by_added));
    }
}
