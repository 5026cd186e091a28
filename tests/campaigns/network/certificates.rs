//! Certificates for the tests: a root, and the certificates that it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

pub struct Certificate {
    pub der: CertificateDer<'static>,
    pub pem: String,
    pub key: KeyPair,
}

impl Certificate {
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Writes the certificate and its key as files of a folder.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.pem).unwrap();
        std::fs::write(&key, self.key.serialize_pem()).unwrap();
        (certificate, key)
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = params(&[], name, now() - Duration::days(9_000), now() + Duration::days(9_000));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes the root certificate as a file of a folder.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let file = folder.join(name);
        std::fs::write(&file, &self.pem).unwrap();
        file
    }

    pub fn server(&self, name: &str) -> Certificate {
        self.server_between(name, now() - Duration::days(1), now() + Duration::days(1))
    }

    /// Makes a certificate for a server, valid between two times.
    pub fn server_between(&self, name: &str, from: OffsetDateTime, until: OffsetDateTime) -> Certificate {
        self.issue(params(&[name], name, from, until), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Makes a certificate for a till.
    pub fn client(&self, name: &str) -> Certificate {
        let params = params(&[], name, now() - Duration::days(1), now() + Duration::days(1));
        self.issue(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Certificate {
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { der: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn params(names: &[&str], common_name: &str, from: OffsetDateTime, until: OffsetDateTime) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = (from, until);
    params
}
