//! A script: the faults and settings of a store in one JSON or YAML document. A script replaces the
//! one before.

use serde::de;
use serde::{Deserialize, Deserializer, Serialize};

use crate::api_mapping::ApiMapping;
use crate::clock::ClockChange;
use crate::fault::{Chaos, Fault};
use crate::ledger::Invalid;
use crate::seed::{BadJson, from_json, from_yaml};
use crate::store::LimitsChange;
use crate::tls::TlsFault;
use crate::world::World;

/// The faults and settings of a store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Script {
    /// The faults, armed in this order.
    #[serde(deserialize_with = "each_checked")]
    pub faults: Vec<Fault>,
    /// The faults of the next TLS connections, for every store.
    pub tls: Vec<TlsFault>,
    /// Random faults.
    #[serde(deserialize_with = "checked")]
    pub chaos: Option<Chaos>,
    /// Changes the clock.
    pub clock: Option<ClockChange>,
    /// Changes the limits.
    pub limits: Option<LimitsChange>,
    /// Replaces the API mapping.
    #[serde(deserialize_with = "checked")]
    pub api_mapping: Option<ApiMapping>,
    /// Replaces the undocumented behaviour.
    pub world: Option<World>,
}

impl Script {
    /// Parses JSON if the text starts with a brace, else YAML.
    pub fn parse(text: &str) -> Result<Script, BadJson> {
        if text.trim_start().starts_with('{') { from_json(text.as_bytes()) } else { from_yaml(text) }
    }
}

/// A value that can be well formed and still invalid.
trait Check {
    fn check(&self) -> Result<(), Invalid>;
}

impl Check for Fault {
    fn check(&self) -> Result<(), Invalid> {
        Fault::check(self)
    }
}

impl Check for Chaos {
    fn check(&self) -> Result<(), Invalid> {
        Chaos::check(self)
    }
}

impl Check for ApiMapping {
    fn check(&self) -> Result<(), Invalid> {
        ApiMapping::check(self)
    }
}

/// A value that is checked while it is parsed, so that an error names its line.
struct Checked<T>(T);

impl<'de, T: Deserialize<'de> + Check> Deserialize<'de> for Checked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Checked<T>, D::Error> {
        let value = T::deserialize(deserializer)?;
        value.check().map_err(de::Error::custom)?;
        Ok(Checked(value))
    }
}

fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de> + Check>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Checked<T>>::deserialize(deserializer)?.map(|checked| checked.0))
}

fn each_checked<'de, D: Deserializer<'de>, T: Deserialize<'de> + Check>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Checked<T>>::deserialize(deserializer)?.into_iter().map(|checked| checked.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_script_is_rejected_with_its_line_and_field() {
        for (text, expected) in [
            ("faults:\n- match: {operation: buy}\n", "line 2: faults[0].match.operation: unknown variant `buy`"),
            (
                "faults:\n- match: {operation: any}\n  effect:\n    explode: {}\n",
                "line 4: faults[0].effect: unknown variant",
            ),
            (
                "faults:\n- match: {operation: any}\n  effect:\n    delay: {s: 1}\n",
                "line 4: faults[0].effect.delay.s: unknown field",
            ),
            ("chaos:\n  seed: 1\n  rates: [{rate: 2, effect: {html: {}}}]\n", "line 2: chaos: rates[0].rate: "),
            ("fault: []\n", "line 1: fault: unknown field `fault`"),
            ("faults: [\n", "line "),
            ("{\n\"tls\": [{\"certificate\": \"old\"}]}", "line 2: tls[0].certificate: unknown variant `old`"),
            (
                "{\"faults\": [{\"match\": {\"operation\": \"any\", \"nth\": 0},\n\"effect\": {\"html\": {}}}]}",
                "line 2: faults[0]: match.nth: must be 1 or more",
            ),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}\n{error}\nis not\n{expected}");
        }
    }

    #[test]
    fn a_script_in_yaml_equals_the_same_script_in_json() {
        let yaml = "
faults:
  - match: {operation: purchase, nth: 2}
    effect: {resetAfterCommit: {}}
  - match: {operation: any, times: 0}
    effect:
      status: {status: 503, headers: {Retry-After: '7'}}
tls:
  - certificate: expired
chaos:
  seed: 7
  rates:
    - {rate: 0.25, operation: purchase, effect: {delay: {ms: 5}}}
clock: {set: 2030-01-01T00:00:00Z, frozen: true}
limits: {requestsPerSecond: null, redeemGivesUpAfterMs: 100}
apiMapping: {itemIdField: itemId}
";
        let script = Script::parse(yaml).unwrap();
        assert_eq!(script.faults.len(), 2);
        assert_eq!(
            script.limits,
            Some(LimitsChange { requests_per_second: Some(None), redeem_gives_up_after_ms: Some(100) })
        );
        let json = serde_json::to_string(&script).unwrap();
        assert_eq!(Script::parse(&json).unwrap(), script);
        assert_eq!(Script::parse("").unwrap(), Script::default());
        assert_eq!(Script::parse("{}").unwrap(), Script::default());
    }
}
