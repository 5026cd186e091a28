//! The till's own configuration, and clients made from it.

use crate::failure::{Exit, Failure};
use crate::{Result, fields};
use engage_point_shop::{Client, Config};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The environment's key, for a configuration without one.
const KEY: &str = "ENGAGE_API_KEY";

/// The till's log belongs to the till: two processes would rotate one file.
const LOG_KEYS: &[&str] = &["logFile", "logLevel", "logFileBytes", "logFiles"];

/// The keys that a client needs to read a journal. A missing root certificate or proxy must not
/// stop that.
const JOURNAL_KEYS: &[&str] =
    &["baseUrl", "userAgent", "tenant", "journalPath", "sealPath", "historyLagMs", "referenceWindowMs", "apiMapping"];

#[derive(Debug)]
pub struct Till {
    pub values: Map<String, Value>,
}

impl Till {
    /// Reads and checks the configuration of a till.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let path = path.ok_or_else(|| {
            Failure::new(Exit::Usage, "--config FILE is missing: the JSON that the POS gives to eps_client_open")
        })?;
        let text = std::fs::read_to_string(path).map_err(|error| Failure::of_file(path, &error))?;
        Config::parse(&text)?;
        let text = text.trim_start_matches('\u{feff}');
        let mut values: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| Failure::of_file(path, &error))?;
        values.retain(|_, value| !value.is_null());
        if let (false, Ok(key)) = (values.contains_key("apiKey"), std::env::var(KEY)) {
            values.insert("apiKey".into(), key.into());
        }
        Ok(Self { values })
    }

    /// Returns the configuration with changes. A null removes a key.
    pub fn with(&self, changes: &Value) -> String {
        let mut values = self.values.clone();
        values.extend(changes.as_object().cloned().unwrap_or_default());
        values.retain(|key, value| !value.is_null() && !LOG_KEYS.contains(&key.as_str()));
        Value::Object(values).to_string()
    }

    fn needs_journal(&self) -> Result<()> {
        match self.values.contains_key("journalPath") {
            true => Ok(()),
            false => Err(Failure::new(Exit::Journal, "the configuration has no journalPath, so there is no journal")),
        }
    }

    /// Returns what a client needs to read the journal.
    pub fn journal_config(&self) -> Result<String> {
        self.needs_journal()?;
        let needed = self.values.iter().filter(|(key, _)| JOURNAL_KEYS.contains(&key.as_str()));
        Ok(Value::Object(needed.map(|(key, value)| (key.clone(), value.clone())).collect()).to_string())
    }

    /// Opens a client that reads the journal and nothing else.
    pub fn reader(&self) -> Result<Client> {
        Ok(Client::open_to_read(&self.journal_config()?)?)
    }

    /// Opens a client that reads the journal and asks Engage.
    pub fn reader_of_engage(&self) -> Result<Client> {
        self.needs_journal()?;
        Ok(Client::open_to_read(&self.with(&json!({})))?)
    }

    /// Opens a client that may write, as a second process beside the till. It makes no journal,
    /// brings none to another version and accepts no loss. Its own queries begin within an hour.
    pub fn writer(&self) -> Result<Client> {
        self.reader()?.close();
        let changes = json!({
            "preconnect": false, "startupJitterMs": 3_600_000, "waitMs": 10_000, "journalRole": null,
            "journalRecovery": null,
        });
        Ok(Client::open(&self.with(&changes))?)
    }

    /// Returns the names of the API mapping that the till uses.
    pub fn api_mapping(&self) -> Result<Value> {
        let config = Config::parse(&self.with(&json!({})))?;
        fields::parse(config.api_mapping().as_bytes())
    }
}
