//! The configuration of a client, read from JSON and checked once, when the client is opened.

mod api_mapping;
mod base_url;
mod fields;
mod proxy;

pub(crate) use api_mapping::ApiMapping;
pub(crate) use base_url::BaseUrl;
pub(crate) use fields::Fields;
pub(crate) use proxy::{Proxy, ProxySetting};

use crate::core::code::Code;
use crate::core::error::{Error, Result};
use crate::core::retry::RetryRules;
use crate::secret::Secret;
use crate::texts::Language;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// The configuration that `eps_client_open` gets. Only [`Config::parse`] makes one.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // Independent settings.
pub struct Config {
    pub(crate) base_url: BaseUrl,
    /// Whether every call returns what it was given, for the tests of a binding.
    pub(crate) echoes: bool,
    /// None when a relay adds the key.
    pub(crate) api_key: Option<Secret>,
    pub(crate) user_agent: String,
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether the operating system's root certificates are used beside `caFile`.
    pub(crate) system_trust: bool,
    pub(crate) client_identity: Option<ClientIdentity>,
    pub(crate) proxy: ProxySetting,
    /// Whether a connection is made when the client is opened, for the first call.
    pub(crate) preconnect: bool,
    /// How long a call may wait for its result.
    pub(crate) wait: Duration,
    /// Limit of one request.
    pub(crate) request_timeout: Duration,
    pub(crate) max_response_bytes: u64,
    pub(crate) journal: JournalPlace,
    /// Where the journal's seal lies. None: beside the journal.
    pub(crate) seal_path: Option<PathBuf>,
    pub(crate) journal_role: JournalRole,
    pub(crate) journal_recovery: JournalRecovery,
    pub(crate) retry: RetryRules,
    /// Whose operations the journal holds: not the key, which may be rotated.
    pub(crate) tenant: String,
    /// Assumption A2, in ms.
    pub(crate) history_lag_ms: u64,
    /// How long after its acknowledgement a reference still means the same operation, in ms.
    pub(crate) reference_window_ms: u64,
    /// Whether purchase ids are derived from tenant, reference, contact and item.
    pub(crate) tenant_ids: bool,
    /// How long acknowledged records are kept.
    pub(crate) retention: Duration,
    /// The language of the texts for the cashier and the member.
    pub(crate) language: Language,
    pub(crate) log_file: Option<LogFile>,
    pub(crate) api_mapping: ApiMapping,
}

/// The library's own log file.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pub path: PathBuf,
    pub level: LogLevel,
    /// The size at which the file is renamed and begun anew.
    pub bytes: u64,
    /// The number of files, the newest one included.
    pub files: u64,
}

/// The level of the lines in the log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Info,
    Error,
    Warn,
    Debug,
}

/// What is done with a journal that has lost records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalRecovery {
    /// It is not opened.
    Reject,
    /// It is opened with the records that can be read.
    Accept,
}

/// What a journal that is marked as a copy is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalRole {
    /// Only a journal that is no copy opens.
    Live,
    /// A copy opens for reading only.
    Copy,
    /// Any journal opens for reading only, also beside its owner. No configuration has it.
    Inspect,
    /// A copy becomes live.
    TakeOver,
}

/// The place of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JournalPlace {
    /// Not configured: calls that spend fail.
    None,
    /// Lost with the process.
    Memory,
    File(PathBuf),
}

/// The PEM files of the till's client certificate.
#[derive(Debug, Clone)]
pub(crate) struct ClientIdentity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The base URL of a client that returns what it was given.
const ECHO: &str = "echo:";

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

impl Config {
    /// Reads and checks `config_json`. Every error is `EPS_BAD_CONFIG` and names the key.
    pub fn parse(json: &str) -> Result<Self> {
        let mut fields = Fields::parse(json, Code::BadConfig, "config_json")?;
        let base_url = fields.required_string("baseUrl", "\"https://acme.voyado.com\"")?;
        let echoes = base_url == ECHO;
        let base_url = if echoes { "http://localhost" } else { &base_url };
        let base_url = BaseUrl::parse(base_url).map_err(|says| fields.error("baseUrl", says))?;
        let mut config = Config {
            tenant: tenant(&mut fields, &base_url)?,
            base_url,
            echoes,
            api_key: api_key(&mut fields)?,
            user_agent: user_agent(&mut fields)?,
            wait: Duration::from_millis(fields.integer("waitMs", 10_000, 0..=10 * MINUTE_MS)?),
            request_timeout: Duration::from_millis(fields.integer(
                "requestTimeoutMs",
                MINUTE_MS,
                100..=10 * MINUTE_MS,
            )?),
            ca_file: fields.string("caFile")?.map(PathBuf::from),
            system_trust: fields.flag("systemTrust", true)?,
            client_identity: client_identity(&mut fields)?,
            proxy: proxy_choice(&mut fields)?,
            preconnect: fields.flag("preconnect", true)? && !echoes,
            max_response_bytes: fields.integer("maxResponseBytes", 8 << 20, 1024..=256 << 20)?,
            journal: journal_place(&mut fields)?,
            seal_path: fields.string("sealPath")?.map(|path| absolute(&fields, "sealPath", path)).transpose()?,
            journal_role: fields.choice(
                "journalRole",
                &[("live", JournalRole::Live), ("copy", JournalRole::Copy), ("takeOver", JournalRole::TakeOver)],
            )?,
            journal_recovery: fields.choice(
                "journalRecovery",
                &[("refuse", JournalRecovery::Reject), ("accept", JournalRecovery::Accept)],
            )?,
            retry: RetryRules {
                schedule_ms: fields.integers("retryScheduleMs", &[10_000, 30_000, 60_000, 300_000], 1..=DAY_MS)?,
                startup_jitter_ms: fields.integer("startupJitterMs", 300_000, 0..=HOUR_MS)?,
                resend_limit_ms: fields.integer("resendLimitMs", DAY_MS, 0..=365 * DAY_MS)?,
            },
            history_lag_ms: fields.integer("historyLagMs", 10 * MINUTE_MS, 0..=DAY_MS)?,
            reference_window_ms: fields.integer("referenceWindowMs", 12 * HOUR_MS, 0..=365 * DAY_MS)?,
            tenant_ids: fields.choice("idScope", &[("journal", false), ("tenant", true)])?,
            retention: Duration::from_millis(fields.integer("retentionDays", 90, 1..=3650)? * DAY_MS),
            language: fields.choice("language", &Language::ALL)?,
            log_file: log_file(&mut fields)?,
            api_mapping: ApiMapping::parse(fields.object("apiMapping", "config_json: apiMapping")?)?,
        };
        // A reference means its purchase only as long as the record is there.
        config.retention = config.retention.max(Duration::from_millis(config.reference_window_ms));
        check_places(&fields, &config)?;
        // A till's own configuration has one of them, so that no till can run so.
        if echoes && (config.api_key.is_some() || config.journal != JournalPlace::None) {
            return Err(
                fields.error("baseUrl", "\"echo:\" is for the tests of a binding: it takes no key and no journal")
            );
        }
        fields.finish()?;
        Ok(config)
    }
}

fn api_key(fields: &mut Fields) -> Result<Option<Secret>> {
    match fields.string("apiKey")?.map(Secret::new) {
        Some(key) if !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(fields.error("apiKey", "holds a character that cannot stand in an HTTP header"))
        }
        key => Ok(key),
    }
}

fn user_agent(fields: &mut Fields) -> Result<String> {
    let text = fields.required_string("userAgent", "\"AcmePOS/1.5\"")?;
    match is_product(&text) {
        true => Ok(text),
        false => {
            Err(fields
                .error("userAgent", "must be the POS and its version as Name/Version, for example \"AcmePOS/1.5\""))
        }
    }
}

fn tenant(fields: &mut Fields, base_url: &BaseUrl) -> Result<String> {
    let tenant = fields.string("tenant")?.unwrap_or_else(|| base_url.origin());
    match tenant.len() > 200 || tenant.chars().any(char::is_control) {
        true => Err(fields.error("tenant", "must have at most 200 bytes and no control characters")),
        false => Ok(tenant),
    }
}

fn journal_place(fields: &mut Fields) -> Result<JournalPlace> {
    let path = fields.string("journalPath")?;
    let named = fields.string("journal")?;
    match (path, named.as_deref()) {
        (None, None) => Ok(JournalPlace::None),
        (Some(path), None) => Ok(JournalPlace::File(absolute(fields, "journalPath", path)?)),
        (None, Some("memory")) => Ok(JournalPlace::Memory),
        (Some(_), Some("memory")) => Err(fields.error("journal", "\"memory\" and journalPath exclude each other")),
        (_, Some(_)) => {
            Err(fields.error("journal", "must be \"memory\" or be left out; a file is named by journalPath"))
        }
    }
}

fn log_file(fields: &mut Fields) -> Result<Option<LogFile>> {
    let path = fields.string("logFile")?.map(|path| absolute(fields, "logFile", path)).transpose()?;
    let levels =
        [("info", LogLevel::Info), ("error", LogLevel::Error), ("warn", LogLevel::Warn), ("debug", LogLevel::Debug)];
    let level = fields.choice("logLevel", &levels)?;
    let bytes = fields.integer("logFileBytes", 5 << 20, 64 << 10..=1 << 30)?;
    let files = fields.integer("logFiles", 5, 1..=100)?;
    Ok(path.map(|path| LogFile { path, level, bytes, files }))
}

/// Returns a path without `.`, `..` and double separators. Links are not followed: a disk that
/// hangs must not hold an open. What they lead to is left untouched by the files' own checks.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Checks that the journal, the seal and the log take no file of each other.
fn check_places(fields: &Fields, config: &Config) -> Result<()> {
    let JournalPlace::File(journal) = &config.journal else { return Ok(()) };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let of = |path: &Path| text(&normal(path));
    let journal = of(journal);
    let is_journals =
        |path: &str| path.strip_prefix(&*journal).is_some_and(|end| end.is_empty() || end.starts_with('-'));
    let default_seal = format!("{journal}-seal");
    let seal = config.seal_path.as_deref().map_or(default_seal.clone(), of);
    if seal != default_seal && is_journals(&seal) {
        return Err(fields.error("sealPath", "is the journal or the name of a file beside it; give another name"));
    }
    let Some(log) = &config.log_file else { return Ok(()) };
    let log_path = text(&log.path);
    let older = (1..log.files).map(|number| format!("{log_path}.{number}"));
    let files = [log_path.clone(), format!("{log_path}-lock")].into_iter().chain(older);
    if files.map(|file| of(Path::new(&file))).any(|file| is_journals(&file) || file == seal) {
        return Err(fields.error("logFile", "or a file of its rotation is the journal, its seal or a file beside them"));
    }
    Ok(())
}

/// Returns an absolute path. A relative one would mean another file after the POS changes its
/// working directory, as a file dialog does.
fn absolute(fields: &Fields, key: &str, path: String) -> Result<PathBuf> {
    if path.contains('\0') {
        return Err(fields.error(key, "holds the character NUL, which no path may have"));
    }
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    let now = std::env::current_dir().map(|folder| folder.join(&path));
    let example = now.map_or_else(|_| "the full path".to_owned(), |path| format!("{:?}", path.display().to_string()));
    Err(fields.error(key, &format!("is relative to a working directory that may change; give {example}")))
}

fn client_identity(fields: &mut Fields) -> Result<Option<ClientIdentity>> {
    match (fields.string("clientCertFile")?, fields.string("clientKeyFile")?) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            Ok(Some(ClientIdentity { certificate: PathBuf::from(certificate), key: PathBuf::from(key) }))
        }
        (Some(_), None) => Err(fields.error("clientKeyFile", "is missing; it belongs to clientCertFile")),
        (None, Some(_)) => Err(fields.error("clientCertFile", "is missing; it belongs to clientKeyFile")),
    }
}

fn proxy_choice(fields: &mut Fields) -> Result<ProxySetting> {
    // It may hold a password.
    match fields.string("proxy")?.map(Secret::new) {
        None => Ok(ProxySetting::Environment),
        Some(text) if text.expose() == "none" => Ok(ProxySetting::None),
        Some(text) => match Proxy::parse(text.expose(), "proxy") {
            Ok(proxy) => Ok(ProxySetting::Named(proxy)),
            Err(says) => Err(fields.error("proxy", says)),
        },
    }
}

/// `Name/Version`, and whatever comment may follow.
fn is_product(text: &str) -> bool {
    let token = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    let first = text.split(' ').next().unwrap_or_default();
    first.split_once('/').is_some_and(|(name, version)| token(name) && token(version))
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && text.len() <= 200
}

impl Config {
    /// Returns the API mapping with every key, as JSON.
    pub fn api_mapping(&self) -> String {
        self.api_mapping.to_json().to_string()
    }

    /// The error of a call that spends on a client without a journal.
    pub(crate) fn no_journal() -> Error {
        Error::new(
            Code::BadConfig,
            "config_json: journalPath is missing; a call that spends points needs a journal \
             (or \"journal\": \"memory\", which loses every pending purchase with the process)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(json: &str) -> String {
        let error = Config::parse(json).unwrap_err();
        assert_eq!(error.code(), Code::BadConfig);
        error.message().to_owned()
    }

    fn on_disk(extra: &str) -> String {
        with(&format!(r#","journalPath":"/d/j"{extra}"#))
    }

    /// Adds members to a configuration. On Windows an absolute path names its drive.
    fn with(extra: &str) -> String {
        let drive = if cfg!(windows) { "C:" } else { "" };
        let extra = ["journalPath", "sealPath", "logFile"].iter().fold(extra.to_owned(), |extra, key| {
            extra.replace(&format!("\"{key}\":\"/"), &format!("\"{key}\":\"{drive}/"))
        });
        format!(r#"{{"baseUrl":"https://acme.voyado.com","apiKey":"hush-hush","userAgent":"AcmePOS/1.5"{extra}}}"#)
    }

    #[test]
    fn shortest_configuration_has_the_documented_defaults() {
        let config = Config::parse(&with("")).unwrap();
        assert_eq!(config.wait, Duration::from_secs(10));
        assert_eq!(config.request_timeout, Duration::from_secs(60));
        assert_eq!(config.max_response_bytes, 8 << 20);
        assert_eq!(config.retry.schedule_ms, [10_000, 30_000, 60_000, 300_000]);
        assert_eq!(config.journal, JournalPlace::None);
        assert_eq!((config.retry.startup_jitter_ms, config.retry.resend_limit_ms), (300_000, 86_400_000));
        assert_eq!((config.history_lag_ms, config.reference_window_ms), (600_000, 43_200_000));
        assert_eq!(config.retention, Duration::from_secs(90 * 86_400));
        let longer = Config::parse(&with(r#","retentionDays":1,"referenceWindowMs":172800000"#)).unwrap();
        assert_eq!(longer.retention, Duration::from_secs(2 * 86_400), "a reference is kept for its window");
        assert_eq!((config.journal_role, config.journal_recovery), (JournalRole::Live, JournalRecovery::Reject));
        assert_eq!((config.system_trust, config.preconnect, config.tenant_ids), (true, true, false));
        assert_eq!(config.tenant, "https://acme.voyado.com");
        assert_eq!(config.api_key.as_ref().map(Secret::expose), Some("hush-hush"));
    }

    #[test]
    fn number_is_accepted_from_its_least_to_its_most() {
        for (key, least, most) in [
            ("waitMs", 0, 600_000),
            ("requestTimeoutMs", 100, 600_000),
            ("maxResponseBytes", 1_024, 268_435_456),
            ("startupJitterMs", 0, 3_600_000),
            ("resendLimitMs", 0, 31_536_000_000_u64),
            ("historyLagMs", 0, 86_400_000),
            ("referenceWindowMs", 0, 31_536_000_000),
            ("retentionDays", 1, 3_650),
            ("logFileBytes", 65_536, 1_073_741_824),
            ("logFiles", 1, 100),
        ] {
            let accepted = |value: i128| Config::parse(&with(&format!(",\"{key}\":{value}"))).is_ok();
            let edges = [i128::from(least) - 1, least.into(), most.into(), i128::from(most) + 1];
            assert_eq!(edges.map(accepted), [false, true, true, false], "{key}");
        }
        let schedule = |value: &str| Config::parse(&with(&format!(",\"retryScheduleMs\":{value}"))).is_ok();
        let long = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        let lists = ["[0]", "[1]", "[86400000]", "[86400001]", &long(16), &long(17)];
        assert_eq!(lists.map(schedule), [false, true, true, false, true, false]);
    }

    #[test]
    fn log_file_has_five_files_of_five_megabytes() {
        let file = Config::parse(&with(r#","logFile":"/var/log/points.log""#)).unwrap().log_file.unwrap();
        assert_eq!((file.bytes, file.files), (5_242_880, 5));
    }

    #[test]
    fn every_choice_is_read() {
        let config = |extra: &str| Config::parse(&with(extra)).unwrap();
        assert_eq!(config(r#","journalRole":"copy""#).journal_role, JournalRole::Copy);
        assert_eq!(config(r#","journalRole":"takeOver""#).journal_role, JournalRole::TakeOver);
        assert_eq!(config(r#","journalRecovery":"accept""#).journal_recovery, JournalRecovery::Accept);
        assert!(config(r#","idScope":"tenant""#).tenant_ids);
        assert_eq!(config(r#","journal":"memory""#).journal, JournalPlace::Memory);
        let on_drive = |path: &str| PathBuf::from(if cfg!(windows) { format!("C:{path}") } else { path.to_owned() });
        assert_eq!(config(r#","journalPath":"/x/y""#).journal, JournalPlace::File(on_drive("/x/y")));
        assert_eq!(config(r#","tenant":"acme""#).tenant, "acme");
        assert_eq!(config(r#","sealPath":"/x/s","caFile":"/ca""#).seal_path, Some(on_drive("/x/s")));
        assert!(matches!(config(r#","proxy":"none""#).proxy, ProxySetting::None));
        assert!(matches!(config(r#","proxy":"http://p:1""#).proxy, ProxySetting::Named(_)));
        assert!(matches!(config("").proxy, ProxySetting::Environment));
        let identity = config(r#","clientCertFile":"/c","clientKeyFile":"/k""#).client_identity.unwrap();
        assert_eq!((identity.certificate, identity.key), ("/c".into(), "/k".into()));
        assert!(!config(r#","systemTrust":false"#).system_trust);
        for (extra, part) in [
            (format!(",\"tenant\":\"{}\"", "a".repeat(201)), "at most 200 bytes"),
            (r#","tenant":"a\u0007""#.into(), "no control characters"),
            (r#","apiKey":"a\u0009b""#.into(), "an HTTP header"),
        ] {
            let json = if extra.contains("apiKey") {
                with(&extra).replace(r#""apiKey":"hush-hush","#, "")
            } else {
                with(&extra)
            };
            assert!(error_of(&json).contains(part), "{json}");
        }
        assert!(Config::parse(&with(&format!(",\"tenant\":\"{}\"", "a".repeat(200)))).is_ok());
    }

    #[test]
    fn mistake_in_the_configuration_names_the_key() {
        // The absolute path, as JSON has it.
        let in_folder = if cfg!(windows) { r#"\\points.db""# } else { r#"/points.db""# };
        let cases: &[(String, &[&str])] = &[
            (String::new(), &["not JSON", "line 1"]),
            ("[]".into(), &["must be a JSON object", "an array"]),
            (r#"{"userAgent":"A/1"}"#.into(), &["baseUrl", "missing", "https://"]),
            (r#"{"baseUrl":"https://a.voyado.com"}"#.into(), &["userAgent", "missing", "AcmePOS/1.5"]),
            (with(r#","waitSeconds":3"#), &["unknown key waitSeconds", "allowed", "waitMs"]),
            (with(r#","waitMs":"soon""#), &["waitMs", "a whole number from 0 to 600000", "a string"]),
            (with(r#","waitMs":-1"#), &["waitMs", "from 0 to 600000", "-1"]),
            (with(r#","waitMs":1.5"#), &["waitMs", "1.5"]),
            (with(r#","requestTimeoutMs":99"#), &["requestTimeoutMs", "from 100"]),
            (with(r#","maxResponseBytes":1"#), &["maxResponseBytes", "1024"]),
            (with(r#","systemTrust":1"#), &["systemTrust", "true or false", "a number"]),
            (with(r#","caFile":"""#), &["caFile", "empty"]),
            (with(r#","retryScheduleMs":[]"#), &["retryScheduleMs", "1 to 16"]),
            (with(r#","apiMapping":[]"#), &["apiMapping", "an object", "an array"]),
            (with(r#","apiMapping":{"keyHeder":"x"}"#), &["apiMapping: unknown key keyHeder", "keyHeader"]),
            (with(r#","apiMapping":{"keyHeader":"a b"}"#), &["apiMapping: keyHeader", "header"]),
            (with(r#","apiMapping":{"rewardsPath":"/x"}"#), &["apiMapping: rewardsPath", "{contactId}"]),
            (with(r#","apiMapping":{"purchaseIdFields":[1]}"#), &["apiMapping: purchaseIdFields", "strings"]),
            (with(r#","proxy":"socks5://u:hush@p:1""#), &["proxy", "http://", "no other kind"]),
            (with(r#","proxy":"http://u:hush%@p:1""#), &["proxy", "%25"]),
            (with(r#","waitMs":1,"waitMs":2"#), &["config_json: waitMs is repeated"]),
            (with(r#","apiMapping":{"keyHeader":"a","keyHeader":"b"}"#), &["keyHeader is repeated"]),
            (with(r#","waitMs":1} {"#), &["not JSON"]),
            (with(r#","apiMapping":{"keyHeader":"Host"}"#), &["apiMapping: keyHeader", "sets itself"]),
            (with(r#","apiMapping":{"keyHeader":"content-LENGTH"}"#), &["apiMapping: keyHeader", "sets itself"]),
            (with(r#","apiMapping":{"keyHeader":"a\r\nb: c"}"#), &["apiMapping: keyHeader", "header"]),
            (
                with(r#","apiMapping":{"rewardsPath":"/{contactId} HTTP/1.1\r\nX: y\r\n\r\n"}"#),
                &["apiMapping: rewardsPath", "%XX"],
            ),
            (with(r#","apiMapping":{"rewardsPath":"/é{contactId}"}"#), &["apiMapping: rewardsPath", "%XX"]),
            (r#"{"baseUrl":"https://a.voyado.com:70000","userAgent":"A/1"}"#.into(), &["baseUrl", "from 1 to 65535"]),
            (with(r#","clientCertFile":"x""#), &["clientKeyFile", "missing", "clientCertFile"]),
            (with(r#","clientKeyFile":"x""#), &["clientCertFile", "missing", "clientKeyFile"]),
            (with(r#","preconnect":"yes""#), &["preconnect", "true or false"]),
            (with(r#","journalPath":"points.db""#), &["journalPath", "working directory", in_folder]),
            (with(r#","journalPath":"/d/j\u0000x""#), &["journalPath", "NUL"]),
            (with(r#","logFile":"till.log""#), &["logFile", "working directory"]),
            (with(r#","logLevel":"all""#), &["logLevel", "debug"]),
            (with(r#","logFiles":0"#), &["logFiles", "from 1"]),
            (with(r#","sealPath":"seal""#), &["sealPath", "working directory"]),
            (with(r#","journalRole":"backup""#), &["journalRole", "takeOver"]),
            (with(r#","journalRecovery":"yes""#), &["journalRecovery", "accept"]),
            (with(r#","language":"se""#), &["language", "sv", "fi"]),
            (with(r#","journal":"disk""#), &["journal", "memory", "journalPath"]),
            (with(r#","journal":"memory","journalPath":"x""#), &["journal", "exclude"]),
        ];
        for (json, parts) in cases {
            says(json, parts);
        }
    }

    fn says(json: &str, parts: &[&str]) {
        let message = error_of(json);
        for part in parts {
            assert!(message.contains(part), "{json} says {message:?}, without {part:?}");
        }
        assert!(!message.contains("hush"), "{message}");
    }

    #[test]
    fn files_of_the_library_take_no_place_of_each_other() {
        for (json, parts) in [
            (on_disk(r#","sealPath":"/d/j""#), ["sealPath", "beside it"]),
            (on_disk(r#","sealPath":"/d/j-journal""#), ["sealPath", "beside it"]),
            (on_disk(r#","logFile":"/d/j-wal""#), ["logFile", "the journal"]),
            (on_disk(r#","logFile":"/d/j-seal""#), ["logFile", "the journal"]),
            (on_disk(r#","logFile":"/d/s","sealPath":"/d/s.4""#), ["logFile", "its seal"]),
            (with(r#","journalPath":"/d/p.1","logFile":"/d/p""#), ["logFile", "the journal"]),
            (with(r#","journalPath":"/d/p.1","logFile":"/d/x/..//./p""#), ["logFile", "the journal"]),
            (with(r#","journalPath":"/d/../d/j","sealPath":"/d//j""#), ["sealPath", "beside it"]),
        ] {
            says(&json, &parts);
        }
    }

    #[test]
    fn byte_order_mark_before_the_configuration_is_skipped() {
        assert!(Config::parse(&format!("\u{feff}{}", with(""))).is_ok());
    }

    #[test]
    fn user_agent_is_a_product_and_its_version() {
        for good in ["AcmePOS/1.5", "AcmePOS/1.5 (till 7)"] {
            assert!(is_product(good), "{good}");
        }
        let (longest, longer) = (format!("A/{}", "1".repeat(198)), format!("A/{}", "1".repeat(199)));
        assert!(is_product(&longest) && !is_product(&longer));
        for bad in ["AcmePOS", "/1", "AcmePOS/", "Acme POS/1", "A/1\r\nx: y", "A/1/2", "Å/1"] {
            assert!(!is_product(bad), "{bad}");
        }
    }

    #[test]
    fn printed_configuration_lacks_the_key() {
        let config = Config::parse(&with("")).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
