//! The JSON objects of the C API as data, from the JSON Schema.

use crate::run::{Result, root};
use serde_json::Value;
use std::collections::BTreeMap;

/// The type of a value, as far as bindings distinguish it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Text,
    /// One of some texts.
    OneOf(Vec<String>),
    Flag,
    Whole,
    /// A code: a whole number of 32 bits.
    Code,
    Outcome,
    Action,
    Whatever,
    /// An object that is Engage's own.
    Engages,
    /// A described object, by its name in the schema.
    Object(String),
    List(Box<Type>),
}

pub struct Field {
    pub name: String,
    pub of: Type,
    /// Whether the value may be null.
    pub null: bool,
    /// Whether the key may be absent.
    pub optional: bool,
    pub meaning: String,
}

/// The schema of `include/`.
pub struct Schema(Value);

/// The objects that results consist of, and their names in a binding with types.
pub const RESULTS: &[(&str, &str)] = &[
    ("operation", "Operation"),
    ("operationPage", "OperationPage"),
    ("review", "Review"),
    ("foundReward", "FoundReward"),
    ("receipt", "Receipt"),
    ("resolution", "Resolution"),
    ("journalCopy", "JournalCopy"),
    ("stats", "Stats"),
    ("healthReport", "HealthReport"),
    ("healthCheck", "HealthCheck"),
    ("problem", "Problem"),
];

/// Returns a described object's name in a binding.
pub fn named(name: &str) -> &str {
    let name = if name == "purchaseResult" { "operation" } else { name };
    RESULTS.iter().find(|(of, _)| *of == name).map_or("object", |(_, named)| named)
}

impl Schema {
    pub fn read() -> Result<Self> {
        let path = root().join("include/engage_point_shop.schema.json");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map(Self).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn meaning(&self, name: &str) -> String {
        self.0["$defs"][name]["description"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the fields of an object: the required ones in their order, then the others.
    pub fn fields(&self, name: &str) -> Vec<Field> {
        let object = &self.0["$defs"][name];
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fields: Vec<Field> = object["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                let (of, null) = self.of(value);
                let meaning = self.described(value);
                Field { name: key.clone(), of, null, optional: !required.contains(&key.as_str()), meaning }
            })
            .collect();
        let place = |field: &Field| required.iter().position(|key| *key == field.name).unwrap_or(required.len());
        fields.sort_by_key(place);
        fields
    }

    /// Returns every option of every call, by its name.
    pub fn options(&self) -> BTreeMap<String, Field> {
        let names = self.0["$defs"].as_object().into_iter().flatten().map(|(name, _)| name);
        let of_calls = names.filter(|name| name.ends_with("Options"));
        of_calls.flat_map(|name| self.fields(name)).map(|field| (field.name.clone(), field)).collect()
    }

    /// Returns the names of the objects with options, `purchaseOptions`.
    pub fn option_objects(&self) -> Vec<String> {
        let names = self.0["$defs"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| name.ends_with("Options") && name != "noOptions").collect()
    }

    fn described(&self, value: &Value) -> String {
        let own = value["description"].as_str();
        let referred = || value["$ref"].as_str().map(|to| self.meaning(to.trim_start_matches("#/$defs/")));
        own.map(str::to_owned).or_else(referred).unwrap_or_default()
    }

    /// Returns the type of a value, and whether it may be null.
    fn of(&self, value: &Value) -> (Type, bool) {
        if let Some(any) = value["anyOf"].as_array() {
            let null = any.iter().any(|one| one["type"] == "null");
            let other = any.iter().find(|one| one["type"] != "null").unwrap_or(&Value::Null);
            return (self.of(other).0, null);
        }
        if let Some(to) = value["$ref"].as_str() {
            let name = to.trim_start_matches("#/$defs/");
            let target = &self.0["$defs"][name];
            return match name {
                "code" => (Type::Code, false),
                "outcome" => (Type::Outcome, false),
                "action" => (Type::Action, false),
                "purchaseResult" => (Type::Object("operation".to_owned()), false),
                _ if target["type"] == "object" => (Type::Object(name.to_owned()), false),
                _ => self.of(target),
            };
        }
        let null = value["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
        let of = value["type"].as_str().or_else(|| value["type"][0].as_str());
        let texts =
            value["enum"].as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let of = match of {
            Some("string") => texts.map_or(Type::Text, Type::OneOf),
            Some("boolean") => Type::Flag,
            Some("integer") => Type::Whole,
            Some("array") => Type::List(Box::new(self.of(&value["items"]).0)),
            Some("object") => Type::Engages,
            _ => Type::Whatever,
        };
        (of, null)
    }
}
