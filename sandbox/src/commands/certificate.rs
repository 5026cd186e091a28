//! Signed certificates, in the format of the tool minisign: the signature of `report.json` is
//! `report.json.minisig`.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::Args;
use engage_sandbox::clock::{Clock, Time};
use minisign::{PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};
use serde_json::Value;

use super::{BAD_ARGUMENT, Failed, write};

/// Verify a certificate's signature, verdict and validity. Exit code 0: valid, 1: not valid, 3:
/// valid with exceptions
#[derive(Debug, Args)]
pub struct Options {
    /// The certificate: report.json, beside its signature report.json.minisig
    #[arg(value_name = "FILE")]
    certificate: PathBuf,
    /// The public key of the signer, or its file
    #[arg(long, value_name = "KEY|FILE")]
    public_key: String,
}

/// Reads a secret key. A key with a password asks for it in the terminal.
pub fn secret_key(path: &Path) -> Result<SecretKey, Failed> {
    let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--sign {}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| bad(&error))?;
    let boxed = || SecretKeyBox::from_string(&text).map_err(|error| bad(&error));
    let key = match boxed()?.into_unencrypted_secret_key() {
        Ok(key) => key,
        Err(_) => boxed()?.into_secret_key(None).map_err(|error| bad(&error))?,
    };
    Ok(key)
}

/// Signs a certificate.
pub fn sign(key: &SecretKey, file: &Path, json: &str) -> Result<(), Failed> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let comment = format!("engage-sandbox certificate {name}");
    let signature = minisign::sign(None, key, Cursor::new(json), Some(&comment), Some("engage-sandbox certificate"));
    let signature = signature.map_err(|error| (1, format!("cannot sign {}: {error}", file.display())))?;
    write(&signature_of(file), &signature.into_string())
}

fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Verifies a certificate, and returns the exit code.
pub fn run(options: &Options) -> Result<u8, Failed> {
    let file = &options.certificate;
    let bad = |path: &Path, what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("{}: {what}", path.display()));
    let key = public_key(&options.public_key)?;
    let text = fs::read_to_string(file).map_err(|error| bad(file, &error))?;
    let signature_file = signature_of(file);
    let signature = SignatureBox::from_file(&signature_file).map_err(|error| bad(&signature_file, &error))?;
    if let Err(error) = minisign::verify(&key, &signature, Cursor::new(&text), true, false, false) {
        println!("not valid: the signature is not the signer's: {error}");
        return Ok(1);
    }
    let report: Value = serde_json::from_str(&text).map_err(|error| bad(file, &error))?;
    let (code, verdict) = judge(&report, Clock::default().now());
    let named = |name: &str| report["till"][name].as_str().unwrap_or("-").to_owned();
    println!("{verdict}\ntill: {} {} by {}", named("name"), named("version"), named("vendor"));
    match report["validUntil"].as_str() {
        Some(until) => println!("certified {}, valid until {until}", text_of(&report, "began")),
        None => println!("tested {}", text_of(&report, "began")),
    }
    for scenario in report["scenarios"].as_array().into_iter().flatten().filter(|one| one["result"] == "skipped") {
        println!("not covered: {}: {}", text_of(scenario, "name"), scenario["reasons"]);
    }
    Ok(code)
}

/// Returns the exit code and the verdict of a certificate whose signature is right.
fn judge(report: &Value, now: Time) -> (u8, &'static str) {
    let until = report["validUntil"].as_str().and_then(|time| time.parse::<Time>().ok());
    let certified = match report["verdict"].as_str() {
        Some("certified") => (0, "valid: certified"),
        Some("certifiedWithExceptions") => (3, "valid: certified with exceptions"),
        _ => return (1, "not valid: the till is not certified"),
    };
    if until.is_none_or(|until| until < now) { (1, "not valid: the certificate has expired") } else { certified }
}

fn text_of<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

fn public_key(given: &str) -> Result<PublicKey, Failed> {
    let bad = |what: &dyn std::fmt::Display| (BAD_ARGUMENT, format!("--public-key: {what}"));
    match fs::read_to_string(given) {
        Ok(text) => {
            PublicKeyBox::from_string(&text).and_then(PublicKeyBox::into_public_key).map_err(|error| bad(&error))
        }
        Err(_) => PublicKey::from_base64(given).map_err(|error| bad(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_certificate_is_judged_by_verdict_and_date() {
        let now: Time = "2030-01-01T00:00:00Z".parse().unwrap();
        for (verdict, until, code) in [
            ("certified", "2030-01-01T00:00:00Z", 0),
            ("certified", "2029-12-31T23:59:59Z", 1),
            ("certifiedWithExceptions", "2031-01-01T00:00:00Z", 3),
            ("passedChosen", "2031-01-01T00:00:00Z", 1),
            ("notCertified", "2031-01-01T00:00:00Z", 1),
        ] {
            let report = json!({ "verdict": verdict, "validUntil": until });
            assert_eq!(judge(&report, now).0, code, "{verdict} {until}");
        }
        assert_eq!(judge(&json!({ "verdict": "certified" }), now).0, 1);
    }
}
