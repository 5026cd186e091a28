//! The JSON Schema of every object that crosses the C interface. Real results of a running client
//! match it, the library accepts exactly its options and configuration keys, and the header and the
//! bindings name each of its properties.

use crate::header::{self, functions};
use crate::support::{
    self, ASTRID, COFFEE, LOAD, Store, buy, buy_pending, eventually, id_of, parse, problem, resolved,
};
use crate::tools::{read, root};
use engage_point_shop::{AssignmentId, Client, Code, Config, Error, ItemId, Level, OperationId};
use engage_sandbox::seed::demo;
use engage_sandbox::{Effect, Fault, FaultResponse, Operation, judge};
use serde::de::{Deserializer, Visitor};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::mpsc;

const SCHEMA: &str = "include/engage_point_shop.schema.json";

/// The schema, stricter than it is published: an object has the named properties and no others.
struct Schema {
    document: Value,
    /// The results that were checked, by definition.
    seen: BTreeMap<String, usize>,
}

impl Schema {
    fn strict() -> Schema {
        let mut document = published();
        close(&mut document["$defs"]);
        // Engage's own objects are passed on unchanged.
        for (list, element) in [("points", "items"), ("items", "items"), ("rewards", "items")] {
            document["$defs"][list][element].as_object_mut().unwrap().remove("additionalProperties");
        }
        Schema { document, seen: BTreeMap::new() }
    }

    /// Fails unless the value matches the definition.
    #[track_caller]
    fn check(&mut self, definition: &str, value: &Value, of: &str) {
        let faults = faults(&self.document, definition, value);
        assert!(faults.is_empty(), "{of} is no {definition}\n{value:#}\n{}", faults.join("\n"));
        *self.seen.entry(definition.to_owned()).or_default() += 1;
    }

    /// Checks an operation's object in every list and as a single one.
    #[track_caller]
    fn check_operation(&mut self, client: &Client, id: OperationId, of: &str) -> Value {
        let operation = parse(&client.get_operation(id).unwrap());
        self.check("operation", &operation, of);
        assert!(operation.get("existing").is_none(), "{of}: existing belongs to a purchaseResult");
        self.check("operations", &parse(&client.list_unacknowledged(None).unwrap()), of);
        self.check("operationPage", &parse(&client.list_operations(None).unwrap()), of);
        self.check("stats", &parse(&client.read_stats().unwrap()), of);
        operation
    }

    /// Checks the result of a purchase or a redeem, and the operation that it left.
    #[track_caller]
    fn check_result(&mut self, client: &Client, result: &Result<Value, Error>, of: &str) -> OperationId {
        let id = match result {
            Ok(operation) => {
                self.check("purchaseResult", operation, of);
                id_of(operation)
            }
            Err(error) => {
                self.check("problem", &problem(error), of);
                error.operation().unwrap()
            }
        };
        self.check_operation(client, id, of);
        id
    }
}

fn published() -> Value {
    serde_json::from_str(&read(SCHEMA)).unwrap()
}

/// Rejects properties that a schema does not name.
fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        if object.get("properties").is_some_and(Value::is_object) && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".into(), false.into());
        }
        object.values_mut().for_each(close);
    } else if let Some(array) = schema.as_array_mut() {
        array.iter_mut().for_each(close);
    }
}

/// Returns the faults of a value.
fn faults(document: &Value, definition: &str, value: &Value) -> Vec<String> {
    let schema = json!({ "$ref": format!("#/$defs/{definition}"), "$defs": document["$defs"] });
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Returns the properties of a definition.
fn properties(document: &Value, definition: &str) -> Map<String, Value> {
    document["$defs"][definition]["properties"].as_object().unwrap_or_else(|| panic!("{definition}")).clone()
}

/// Returns the keys that a message lists behind "allowed:".
fn allowed(message: &str) -> BTreeSet<String> {
    let keys = message.split_once("allowed: ").map(|(_, keys)| keys.split(", ").map(str::to_owned).collect());
    assert!(keys.is_some() || message.contains("no key is allowed here"), "{message}");
    keys.unwrap_or_default()
}

const SURPRISE: &str = r#"{"surprise":1}"#;

#[test]
fn schema_is_valid_and_names_every_function_with_a_result() {
    let document = published();
    jsonschema::draft202012::meta::validate(&document).unwrap();
    let header = header::code();
    let named = document["x-functions"].as_object().unwrap();
    for function in functions() {
        let declaration = header.split(&format!("{function}(")).nth(1).unwrap().split(");").next().unwrap();
        // The results of eps_json_get and eps_json_quote are any value and any string, and the one
        // of eps_read_metrics is no JSON.
        let is_other = function.starts_with("eps_json_") || function == "eps_read_metrics";
        let has_result = declaration.contains("eps_buffer *out") && !is_other;
        assert_eq!(named.contains_key(&function), has_result, "{function}");
        if has_result {
            let entry = &named[&function];
            assert_eq!(entry.get("options").is_some(), declaration.contains("options_json"), "{function}");
            for reference in entry.as_object().unwrap().values() {
                let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{function}: {pointer}");
            }
        }
    }
    // Every definition is reached.
    let text = document.to_string();
    for definition in document["$defs"].as_object().unwrap().keys() {
        let alone = ["problem", "logLine"].contains(&definition.as_str());
        assert!(alone || text.contains(&format!("\"#/$defs/{definition}\"")), "{definition} is not used");
    }
}

#[test]
fn results_of_a_running_client_match_the_schema() {
    let mut schema = Schema::strict();
    let store = Store::open();
    let journal = json!({ "journalPath": store.journal() });
    let client = store.client_with(&journal);
    let (lines, logged) = mpsc::channel();
    client.set_log(Level::Debug, Some(Box::new(move |_, line| lines.send(line.to_owned()).unwrap()))).unwrap();

    reads(&mut schema, &client);
    outcomes(&mut schema, &store, &client);
    redeems(&mut schema, &store, &client);
    rewards(&mut schema, &store);
    schema.check("stats", &parse(&store.client_with(&json!({ "journal": null })).read_stats().unwrap()), "no journal");
    schema.check("resolution", &parse(&client.resolve_pending(None).unwrap()), "resolve_pending");
    reviews(&mut schema, &store);
    let copy = store.journal().with_file_name("copy.db").display().to_string();
    schema.check("journalCopy", &parse(&client.backup_journal(&copy, None).unwrap()), "backup_journal");
    schema.check("problem", &problem(&client.backup_journal(&copy, None).unwrap_err()), "a copy that exists");
    schema.check("healthReport", &parse(&client.check(None).unwrap()), "check");
    client.close();
    // The operations of this journal belong to another tenant.
    let other = store.client_with(&json!({ "journalPath": store.journal(), "tenant": "another" }));
    let page = parse(&other.list_operations(None).unwrap());
    schema.check("operationPage", &page, "another tenant");
    assert!(page["operations"].as_array().unwrap().iter().all(|operation| operation["foreign"] == true), "{page:#}");

    let lines: Vec<String> = logged.try_iter().collect();
    assert!(lines.len() > 10, "{lines:?}");
    for line in &lines {
        schema.check("logLine", &serde_json::from_str(line).unwrap(), "a line of the log");
    }
    let results = published()["x-functions"].as_object().unwrap().clone();
    let of_c_only = ["opened", "newId"];
    for result in results.values().map(|function| function["result"].as_str().unwrap().trim_start_matches("#/$defs/")) {
        assert!(schema.seen.contains_key(result) || of_c_only.contains(&result), "no {result} was checked");
    }
    println!("schema: {:?} results", schema.seen);
}

fn reads(schema: &mut Schema, client: &Client) {
    let found = client.find_contact("email", "astrid@example.com", None).unwrap();
    schema.check("contact", &parse(&found), "find_contact");
    schema.check("points", &parse(&client.list_points(ASTRID, None).unwrap()), "list_points");
    schema.check("items", &parse(&client.list_items(ASTRID, None).unwrap()), "list_items");
    schema.check("purchases", &parse(&client.list_purchases(ASTRID, None).unwrap()), "list_purchases");
    schema.check("rewards", &parse(&client.list_rewards(ASTRID, None).unwrap()), "list_rewards");
    let faults: [(&str, Result<Vec<u8>, Error>); 5] = [
        ("an unknown member", client.find_contact("email", "nobody@example.com", None)),
        ("an unknown key", client.find_contact("shoeSize", "x", None)),
        ("an unknown option", client.list_items(ASTRID, Some(SURPRISE))),
        ("an unknown operation", client.get_operation(OperationId::fresh())),
        ("another resolution", client.resolve_review(OperationId::fresh(), "perhaps", None)),
    ];
    for (of, result) in faults {
        schema.check("problem", &problem(&result.unwrap_err()), of);
    }
}

fn outcomes(schema: &mut Schema, store: &Store, client: &Client) {
    let bought = buy(client, ASTRID, COFFEE, &json!({ "reference": "completed", "snapshotRewards": true }));
    let id = schema.check_result(client, &bought, "a completed purchase");
    let submitted = buy(client, LOAD, COFFEE, &json!({ "reference": "submitted", "submit": true }));
    schema.check_result(client, &submitted, "a submitted purchase");
    let again = buy(client, ASTRID, COFFEE, &json!({ "reference": "completed" }));
    assert_eq!(again.as_ref().unwrap()["existing"], true);
    schema.check_result(client, &again, "an existing purchase");
    schema.check("foundReward", &parse(&client.find_reward(id, None).unwrap()), "the reward of a purchase");
    schema.check("operation", &parse(&client.acknowledge(id).unwrap()), "acknowledge");
    schema.check(
        "operations",
        &parse(&client.acknowledge_reference("completed", None).unwrap()),
        "acknowledge_reference",
    );
    let reviewed = parse(&client.resolve_review(id, "declined", None).unwrap());
    schema.check("operation", &reviewed, "a review of a known outcome");

    let expired = ItemId::from_uuid(demo::PROMOTION_EXPIRED);
    let declined = buy(client, ASTRID, expired, &json!({ "reference": "declined" }));
    assert_eq!(declined.as_ref().unwrap_err().code(), Code::PromotionExpired);
    schema.check_result(client, &declined, "a declined purchase");

    let used = buy(client, ASTRID, COFFEE, &json!({ "reference": "completed", "purchaseId": OperationId::fresh() }));
    schema.check("problem", &problem(&used.unwrap_err()), "a reference in conflict");

    let offline = store.client_with(&json!({ "baseUrl": "https://127.0.0.1:9" }));
    let not_sent = buy(&offline, ASTRID, COFFEE, &json!({ "waitMs": 300 }));
    assert_eq!(not_sent.as_ref().unwrap_err().code(), Code::Offline);
    schema.check_result(&offline, &not_sent, "a purchase that was not sent");

    // Without an attempt and its response, with a status query that fails, and resolved later.
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallAfterCommit));
    store.sandbox.arm(Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).times(0));
    let pending = Err(buy_pending(client, LOAD, COFFEE, &json!({ "reference": "pending" })));
    let id = schema.check_result(client, &pending, "a pending purchase");
    schema.check("problem", &problem(&client.acknowledge(id).unwrap_err()), "a pending purchase, acknowledged");
    let fault = client.acknowledge_reference("pending", None).unwrap_err();
    schema.check("problem", &problem(&fault), "a pending receipt, acknowledged");
    eventually("a status query fails", || {
        let operation = schema.check_operation(client, id, "a pending purchase after a query");
        (!operation["lastQueryAtMs"].is_null()).then_some(())
    });
    store.sandbox.clear_faults();
    resolved(client, id);
    schema.check_operation(client, id, "a resolved purchase");

    // A client of its own, because pending operations use up the budget of status queries.
    let client = &store.client();
    for (of, effect) in [
        ("a server error", Effect::Status(FaultResponse::status(500))),
        ("too many requests", Effect::Status(FaultResponse::status(429))),
        ("a refusal without a code", Effect::Status(FaultResponse::status(422))),
        ("a wrong key", Effect::Status(FaultResponse::status(401))),
        ("an error in the assignment", Effect::Status(FaultResponse::error(500, "PromotionAssignmentError"))),
    ] {
        store.sandbox.arm(Fault::on(Operation::Purchase, effect));
        // A wait may end before the operation begins on a busy machine.
        let result = eventually("the operation begins", || {
            let result = buy(client, LOAD, COFFEE, &json!({ "reference": of, "waitMs": 100 }));
            result.as_ref().map_or_else(Error::operation, |operation| Some(id_of(operation))).map(|_| result)
        });
        schema.check_result(client, &result, of);
        store.sandbox.clear_faults();
    }
}

fn redeems(schema: &mut Schema, store: &Store, client: &Client) {
    let redeem = |reward: AssignmentId, options: Value| {
        client.redeem_reward(Some(LOAD), reward, Some(&options.to_string())).map(|json| parse(&json))
    };
    let reward = |reference: &str| {
        buy(client, LOAD, COFFEE, &json!({ "reference": reference })).unwrap();
        AssignmentId::from_uuid(store.sandbox.assignments(demo::LOAD).pop().unwrap().id)
    };
    let first = reward("redeem");
    let redeemed = redeem(first, json!({ "reference": "redeem", "channel": "POS" }));
    schema.check_result(client, &redeemed, "a completed redeem");
    let id = id_of(&redeemed.unwrap());
    schema.check("problem", &problem(&client.find_reward(id, None).unwrap_err()), "the reward of a redeem");
    let again = redeem(first, json!({ "reference": "other" }));
    assert_eq!(again.as_ref().unwrap_err().code(), Code::AlreadyRedeemed);
    schema.check_result(client, &again, "a declined redeem");

    let second = reward("pending redeem");
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::StallAfterCommit));
    let press = |wait_ms| redeem(second, json!({ "reference": "pending redeem", "waitMs": wait_ms }));
    let pending = Err(support::pending(press));
    let id = schema.check_result(client, &pending, "a pending redeem");
    store.sandbox.clear_faults();
    resolved(client, id);
    schema.check_operation(client, id, "a resolved redeem");
}

/// `store` holds several rewards of one promotion for LOAD.
fn rewards(schema: &mut Schema, store: &Store) {
    for wanted in ["ambiguous", "newSincePurchase", "onlyCandidate", "none", "explicit"] {
        let fresh = Store::open();
        let store = if wanted == "ambiguous" { store } else { &fresh };
        let client = store.client();
        let id = OperationId::fresh();
        if wanted == "none" {
            store.sandbox.arm(Fault::on(Operation::Rewards, Effect::Status(json_response(&json!([])))).times(0));
        }
        if wanted == "explicit" {
            let body = json!({ "id": id, "status": "Completed", "promotionAssignmentId": OperationId::fresh() });
            store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StatusAfterCommit(json_response(&body))));
        }
        let options = json!({ "purchaseId": id, "snapshotRewards": wanted == "newSincePurchase" });
        let bought = buy(&client, LOAD, COFFEE, &options).unwrap();
        let found = parse(&client.find_reward(id_of(&bought), None).unwrap());
        assert_eq!(found["certainty"], wanted, "{found:#}");
        schema.check("foundReward", &found, wanted);
    }
}

fn json_response(body: &Value) -> FaultResponse {
    let content_type = Some("application/json".into());
    FaultResponse { body: Some(body.to_string()), content_type, ..FaultResponse::status(200) }
}

fn reviews(schema: &mut Schema, store: &Store) {
    let client = store.client_with(&json!({ "resendLimitMs": 0, "requestTimeoutMs": 300 }));
    let decisions = [("completed", json!({ "by": "Åsa", "note": "seen in Engage" })), ("declined", json!({}))];
    for (resolution, options) in decisions {
        store.sandbox.arm(Fault::on(Operation::Purchase, Effect::StallBeforeCommit));
        let pending = buy(&client, LOAD, COFFEE, &json!({ "reference": resolution }));
        assert_eq!(pending.as_ref().unwrap_err().code(), Code::PendingNeedsReview);
        let id = schema.check_result(&client, &pending, "an operation in manual review");
        let decided = parse(&client.resolve_review(id, resolution, Some(&options.to_string())).unwrap());
        schema.check("operation", &decided, "a review");
        assert_eq!(
            (&decided["outcome"], &decided["review"]["by"]),
            (&json!(resolution), &options["by"]),
            "{decided:#}"
        );
        assert!(!decided["acknowledgedAtMs"].is_null() && decided["needsReview"] == false, "{decided:#}");
        // The first decision stands.
        let again = parse(&client.resolve_review(id, "declined", Some(r#"{"by":"Bo"}"#)).unwrap());
        assert_eq!(again, decided);
        schema.check_operation(&client, id, "a reviewed operation");
        store.sandbox.clear_faults();
    }
}

#[test]
fn configuration_keys_and_limits_are_those_of_the_library() {
    let document = published();
    let base = || json!({ "baseUrl": "https://acme.voyado.com", "userAgent": "A/1" });
    let with = |key: &str, value: &Value| {
        let mut config = base();
        config[key] = value.clone();
        config
    };
    let mut known = allowed(Config::parse(&with("surprise", &json!(1)).to_string()).unwrap_err().message());
    // These belong to the journal's file, and need one.
    known.extend(["sealPath", "journalRole", "journalRecovery"].map(str::to_owned));
    let documented = properties(&document, "configuration");
    assert_eq!(known, documented.keys().cloned().collect(), "the library's keys and the schema's");
    let mapping = with("apiMapping", &json!({ "surprise": 1 }));
    let known = allowed(Config::parse(&mapping.to_string()).unwrap_err().message());
    assert_eq!(known, properties(&document, "apiMapping").keys().cloned().collect());

    let defaults = Config::parse(&base().to_string()).unwrap();
    for (key, schema) in &documented {
        if ["sealPath", "journalRole", "journalRecovery"].contains(&key.as_str()) {
            continue;
        }
        for value in candidates(schema) {
            let config = with(key, &value);
            let valid = faults(&document, "configuration", &config).is_empty();
            let parsed = Config::parse(&config.to_string());
            assert_eq!(parsed.is_ok(), valid, "{key}: {value}: {:?}", parsed.err());
        }
        if let Some(default) = schema.get("default") {
            let parsed = Config::parse(&with(key, default).to_string()).unwrap();
            assert_eq!(format!("{parsed:?}"), format!("{defaults:?}"), "{key}: {default} is not the default");
        }
    }
    let text = read("docs/configuration.md");
    for key in documented.keys().chain(properties(&document, "apiMapping").keys()) {
        assert!(text.contains(&format!("`{key}`")), "docs/configuration.md lacks {key}");
    }
}

/// Returns values at and beyond the limits of a numeric, boolean, array or named property.
fn candidates(schema: &Value) -> Vec<Value> {
    let mut values = vec![Value::Null];
    let is = |kind: &str| schema["type"] == kind || schema["type"][0] == kind;
    if is("integer") {
        for limit in ["minimum", "maximum"] {
            if let Some(limit) = schema[limit].as_i64() {
                values.extend([limit - 1, limit, limit + 1].map(Value::from));
            }
        }
        values.extend([json!("1"), json!(1.5), json!(true)]);
    } else if is("boolean") {
        values.extend([json!(true), json!(false), json!(1), json!("true")]);
    } else if let Some(names) = schema["enum"].as_array() {
        values.extend(names.clone());
        values.extend([json!("surprise"), json!(1), json!("")]);
    } else if is("array") {
        let (least, most) = (&schema["items"]["minimum"], &schema["items"]["maximum"]);
        values.extend([json!([]), json!([least]), json!([most]), json!(vec![least; 16]), json!(vec![least; 17])]);
        values.extend([json!([most.as_i64().unwrap() + 1]), json!([0]), json!("1")]);
    } else if is("string") {
        values.extend([json!(""), json!(7), json!([])]);
    }
    // baseUrl and userAgent are required.
    let required = schema["type"] == "string";
    values.retain(|value| !(required && value.is_null()));
    values
}

#[test]
fn options_and_their_limits_are_those_of_the_library() {
    let document = published();
    let offline = json!({ "baseUrl": "http://127.0.0.1:9", "userAgent": "A/1", "journal": "memory", "waitMs": 0 });
    let client = Client::open(&offline.to_string()).unwrap();
    let id = OperationId::fresh();
    let reward = AssignmentId::from_uuid(demo::ASTRID);
    let call = |function: &str, options: &str| {
        let options = Some(options);
        match function {
            "eps_find_contact" => client.find_contact("any", "x", options),
            "eps_list_points" => client.list_points(ASTRID, options),
            "eps_list_items" => client.list_items(ASTRID, options),
            "eps_purchase" => client.purchase(ASTRID, COFFEE, options),
            "eps_list_purchases" => client.list_purchases(ASTRID, options),
            "eps_list_rewards" => client.list_rewards(ASTRID, options),
            "eps_find_reward" => client.find_reward(id, options),
            "eps_redeem_reward" => client.redeem_reward(None, reward, options),
            "eps_list_unacknowledged" => client.list_unacknowledged(options),
            "eps_list_operations" => client.list_operations(options),
            "eps_resolve_pending" => client.resolve_pending(options),
            "eps_resolve_review" => client.resolve_review(id, "completed", options),
            "eps_acknowledge_reference" => client.acknowledge_reference("x", options),
            "eps_backup_journal" => client.backup_journal("/copy.db", options),
            "eps_check" => client.check(options),
            other => panic!("{other} has options that this test does not try"),
        }
    };
    let mut tried = 0;
    for (function, entry) in document["x-functions"].as_object().unwrap() {
        let Some(definition) = entry["options"].as_str().map(|options| options.trim_start_matches("#/$defs/")) else {
            continue;
        };
        let known = allowed(call(function, SURPRISE).unwrap_err().message());
        let documented = properties(&document, definition);
        assert_eq!(known, documented.keys().cloned().collect(), "{function}");
        for (key, schema) in &documented {
            for value in candidates(schema) {
                let options = json!({ key: value });
                let valid = faults(&document, definition, &options).is_empty();
                // A wait of its own would be waited for: nobody is there.
                if valid && key == "waitMs" && value != json!(0) {
                    continue;
                }
                let code = call(function, &options.to_string()).map_or_else(|error| error.code(), |_| Code::Ok);
                assert_eq!(code != Code::BadOptions, valid, "{function}: {options}: {code:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn header_and_bindings_name_every_property() {
    let document = published();
    let header = read("include/engage_point_shop.h");
    let folder = |path: &str, extension: &str| {
        let files = std::fs::read_dir(root().join(path)).unwrap().map(|entry| entry.unwrap().path());
        let sources = files.filter(|path| path.extension().is_some_and(|end| end == extension));
        sources.map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>()
    };
    let csharp = folder("bindings/csharp", "cs");
    let python = folder("bindings/python/engage_point_shop", "py");
    let results = [
        "problem",
        "operation",
        "review",
        "healthCheck",
        "healthReport",
        "operationPage",
        "resolution",
        "receipt",
        "foundReward",
        "stats",
    ];
    let inputs = document["$defs"].as_object().unwrap().keys().filter(|name| name.ends_with("Options"));
    let given: Vec<&str> = inputs.map(String::as_str).chain(["configuration"]).collect();
    let mut missing = String::new();
    for definition in results.into_iter().chain(given.iter().copied()) {
        let is_result = !given.contains(&definition);
        for key in properties(&document, definition).keys() {
            let quoted = format!("\"{key}\"");
            let in_python = [format!("    {key}: "), format!("{key}=")].iter().any(|text| python.contains(text));
            for (place, found) in [
                ("the header", header.contains(&quoted)),
                ("the C# binding", csharp.contains(&format!("[{quoted}]"))),
                ("the Python binding", in_python),
            ] {
                if !found {
                    writeln!(missing, "{place} lacks {definition}.{key} (result: {is_result})").unwrap();
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing}");
}

/// Takes the names that a type reads: the fields of a struct, or the words of an enum.
struct Names<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("neither a struct nor an enum"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(words);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn names_of<'de, T: serde::Deserialize<'de>>() -> BTreeSet<&'static str> {
    let mut names = Vec::new();
    T::deserialize(Names(&mut names)).err().expect("nothing is given");
    names.into_iter().collect()
}

#[test]
fn judge_of_the_sandbox_reads_only_properties_of_the_schema() {
    let document = published();
    let operation = properties(&document, "operation");
    let read = names_of::<judge::Operation>();
    assert!(read.len() > 10, "{read:?}");
    let unknown: Vec<_> = read.iter().filter(|name| !operation.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "the judge reads {unknown:?}, which no operation has");
    let words = |schema: &Value| -> BTreeSet<String> {
        schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let same = |read: BTreeSet<&str>| read.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    assert_eq!(same(names_of::<judge::Kind>()), words(&operation["kind"]));
    assert_eq!(same(names_of::<judge::Outcome>()), words(&document["$defs"]["outcome"]));
    assert!(names_of::<judge::Journal>().contains("operations"));
    assert!(properties(&document, "operations").contains_key("operations"));
}
