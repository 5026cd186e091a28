//! Certificates: a root certificate that is kept, and invalid certificates on request.

use std::fs;
use std::path::Path;

use engage_sandbox::{BadCertificate, Sandbox, TlsFault};
use rustls::CertificateError;
use serde_json::json;

use crate::client::{Connection, handshake, with_headers};

fn verify(sandbox: &Sandbox) -> String {
    match handshake(&sandbox.https_url(), sandbox.ca_pem()) {
        Ok(()) => "accepted".to_owned(),
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })) => "expired".to_owned(),
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { .. })) => {
            "not valid yet".to_owned()
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })) => {
            "other name".to_owned()
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature | CertificateError::UnknownIssuer)) => {
            "unknown authority".to_owned()
        }
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn the_next_connections_receive_the_armed_certificate() {
    let sandbox = Sandbox::builder().start();
    let arm = |certificate, connections| sandbox.arm_tls(TlsFault { certificate, connections });
    arm(BadCertificate::Expired, 1);
    arm(BadCertificate::NotYetValid, 2);
    arm(BadCertificate::UnknownCa, 1);
    arm(BadCertificate::WrongHost, 0);
    let results = |count: usize| -> Vec<String> { (0..count).map(|_| verify(&sandbox)).collect() };
    assert_eq!(
        results(6),
        ["expired", "not valid yet", "not valid yet", "unknown authority", "other name", "other name"]
    );
    sandbox.clear_tls_faults();
    assert_eq!(results(1), ["accepted"]);
}

#[test]
fn tls_faults_are_armed_listed_and_cleared_over_http() {
    let sandbox = Sandbox::builder().start();
    // This connection was opened before, and stays valid.
    let mut admin = Connection::open(&sandbox);
    assert_eq!(admin.get("/_sandbox/tls").json(), json!([]));
    assert_eq!(admin.post("/_sandbox/tls", &json!({ "certificate": "expired", "connections": 2 })).status, 201);
    assert_eq!(admin.post("/_sandbox/tls", &json!({ "certificate": "unknownCa" })).status, 201);
    let wrong = admin.post("/_sandbox/tls", &json!({ "certificate": "stolen" }));
    assert_eq!((wrong.status, &wrong.json()["field"]), (400, &json!("certificate")));
    assert_eq!(verify(&sandbox), "expired");
    let armed = admin.get("/_sandbox/tls").json();
    assert_eq!(armed[0], json!({ "certificate": "expired", "connections": 1 }));
    assert_eq!(armed[1], json!({ "certificate": "unknownCa", "connections": 1 }));
    admin.send(&with_headers("DELETE", "/_sandbox/tls", "", ""));
    assert_eq!(admin.response().unwrap().status, 204);
    assert_eq!(verify(&sandbox), "accepted");
}

#[test]
fn a_root_certificate_is_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, file) = (dir.path().join("ca"), dir.path().join("shop.db"));
    let builders = [Sandbox::builder().ca_dir(&kept), Sandbox::builder().state_file(&file)];
    for builder in builders {
        let first = builder.clone().start();
        let (pem, ca_file) = (first.ca_pem().to_owned(), first.ca_file().to_owned());
        drop(first);
        assert_eq!(fs::read_to_string(&ca_file).unwrap(), pem);
        let again = builder.start();
        assert_eq!(handshake(&again.https_url(), &pem), Ok(()));
        assert_eq!(again.ca_file(), ca_file);
    }
    assert!(dir.path().join("shop.db-ca/ca.pem").exists());
    let rejection = |kept: &Path| Sandbox::builder().ca_dir(kept).try_start().unwrap_err().to_string();

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(kept.join("ca-key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // The sandbox ended between the two writes. It continues with the stored key.
    fs::remove_file(kept.join("ca.pem")).unwrap();
    drop(Sandbox::builder().ca_dir(&kept).start());
    fs::copy(dir.path().join("shop.db-ca/ca.pem"), kept.join("ca.pem")).unwrap();
    assert!(rejection(&kept).contains("ca-key.pem is not the key of ca.pem"), "{}", rejection(&kept));
    fs::remove_file(kept.join("ca-key.pem")).unwrap();
    assert!(rejection(&kept).contains("ca-key.pem is missing beside ca.pem"), "{}", rejection(&kept));
}
