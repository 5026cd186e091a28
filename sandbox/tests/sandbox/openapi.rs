//! The OpenAPI document and the server agree on every request body: for each schema, bodies at its
//! limits and beyond are made, and the server rejects exactly those that the document forbids.

use engage_sandbox::Sandbox;
use engage_sandbox::http_client::Request;
use serde_json::{Map, Value, json};

/// The most bodies of one schema.
const MOST: usize = 400;

/// What a schema cannot say: the meaning of a value depends on other values or on the store.
const MEANINGS: [&str; 5] =
    ["names no ", "is in use by another", "is earlier than", "must not add up", "is more than the member's"];

/// Replaces the references by their schemas. The document has no recursive schema.
fn resolved(document: &Value, schema: &Value) -> Value {
    match schema {
        Value::Object(object) => match object.get("$ref").and_then(Value::as_str) {
            Some(reference) => resolved(document, document.pointer(&reference[1..]).unwrap()),
            None => {
                object.iter().map(|(key, value)| (key.clone(), resolved(document, value))).collect::<Map<_, _>>().into()
            }
        },
        Value::Array(list) => list.iter().map(|value| resolved(document, value)).collect(),
        other => other.clone(),
    }
}

/// Returns values of a schema and beside it, one that it allows first.
fn values(schema: &Value) -> Vec<Value> {
    if let Some(constants) = schema["enum"].as_array() {
        return constants.iter().cloned().chain([json!("no such value"), json!(7)]).collect();
    }
    if let Some(constant) = schema.get("const") {
        return vec![constant.clone(), json!("no such value")];
    }
    for one_of in ["oneOf", "anyOf"] {
        if let Some(schemas) = schema[one_of].as_array() {
            return schemas.iter().flat_map(values).collect();
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["object"],
    };
    let mut found: Vec<Value> = types.iter().flat_map(|kind| values_of(kind, schema)).collect();
    // Of another type.
    found.extend([json!([1]), json!({ "a": 1 }), json!("text"), json!(1.5), json!(-1), json!(true), Value::Null]);
    found
}

fn values_of(kind: &str, schema: &Value) -> Vec<Value> {
    match kind {
        "object" => objects(schema),
        "array" => {
            let items = values(&schema["items"]);
            items.into_iter().take(20).map(|item| json!([item])).chain([json!([])]).collect()
        }
        "string" => strings(schema),
        "integer" | "number" => numbers(schema),
        "boolean" => vec![json!(true), json!(false)],
        _ => vec![Value::Null],
    }
}

fn strings(schema: &Value) -> Vec<Value> {
    let text = match schema["format"].as_str() {
        Some("uuid") => "e0000000-0000-4000-8000-000000000001",
        Some("date-time") => "2030-01-01T00:00:00Z",
        _ => schema["examples"][0].as_str().unwrap_or("text"),
    };
    let long = |length: u64| json!("x".repeat(usize::try_from(length).unwrap()));
    let mut found = vec![json!(text), json!(""), json!("å b\u{1}"), long(300)];
    for limit in ["minLength", "maxLength"] {
        if let Some(length) = schema[limit].as_u64().filter(|length| *length < 10_000) {
            found.extend([long(length.saturating_sub(1)), long(length), long(length + 1)]);
        }
    }
    found
}

fn numbers(schema: &Value) -> Vec<Value> {
    let limits = [schema["minimum"].as_i64(), schema["maximum"].as_i64()];
    let near = limits.into_iter().flatten().flat_map(|limit| [limit, limit.saturating_sub(1), limit.saturating_add(1)]);
    [1].into_iter().chain(near).chain([1 << 33]).map(Value::from).chain([json!(0.5), json!(1e300)]).collect()
}

fn objects(schema: &Value) -> Vec<Value> {
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut least = schema["examples"][0].as_object().cloned().unwrap_or_default();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        least.entry(name).or_insert_with(|| values(&properties[name])[0].clone());
    }
    if schema["minProperties"] == 1 && least.is_empty() {
        // Exactly one of the properties.
        let one = |(name, schema): (&String, &Value)| {
            values(schema).into_iter().map(|value| json!({ name: value })).collect::<Vec<_>>()
        };
        let each: Vec<Value> = properties.iter().flat_map(one).collect();
        return each.into_iter().chain([json!({}), json!({ "noSuchMember": {} })]).collect();
    }
    let with = |name: &str, value: Value| {
        let mut object = least.clone();
        object.insert(name.to_owned(), value);
        Value::Object(object)
    };
    let mut found = vec![Value::Object(least.clone()), with("noSuchMember", json!(1))];
    for name in least.keys() {
        let mut without = least.clone();
        without.remove(name);
        found.push(without.into());
    }
    for (name, schema) in &properties {
        found.extend(values(schema).into_iter().map(|value| with(name, value)));
    }
    if schema["additionalProperties"].is_object() {
        found.extend(values(&schema["additionalProperties"]).into_iter().map(|value| with("x-name", value)));
    }
    found
}

#[test]
fn server_rejects_exactly_what_the_document_forbids() {
    let sandbox = Sandbox::builder().requests_per_second(None).start();
    let send = |method: &str, path: &str, body: &str| {
        let url = format!("{}{path}", sandbox.http_url());
        let headers = format!("apikey: {}\r\nUser-Agent: test\r\n", sandbox.api_key());
        Request { method, url: &url, headers: &headers, body, timeout: None }.send().unwrap()
    };
    let document: Value = serde_json::from_slice(&send("GET", "/_sandbox/openapi.json", "").body).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let schema = &operations["post"]["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() || !path.starts_with("/_sandbox/") {
            continue;
        }
        let schema = resolved(&document, schema);
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        let bodies = values(&schema);
        // Evenly spread, if there are too many.
        let step = bodies.len().div_ceil(MOST);
        for body in bodies.iter().step_by(step) {
            let response = send("POST", path, &body.to_string());
            let (status, allowed) = (response.status, validator.is_valid(body));
            let why = String::from_utf8_lossy(&response.body).into_owned();
            let has_meaning = MEANINGS.iter().any(|meaning| why.contains(meaning));
            count += 1;
            // A list in the place of an object stands for its members in order.
            let lenient = !allowed && status < 300 && body.to_string().contains("[1]");
            if (status == 400) == allowed && !(has_meaning && allowed) && !lenient || status >= 500 {
                let says = if allowed { "allows" } else { "forbids" };
                wrong.push(format!("{path}: {status}, and the document {says}: {body} {why}"));
            }
            send("POST", "/_sandbox/reset", "");
            send("DELETE", "/_sandbox/webhook", "");
            send("DELETE", "/_sandbox/tls", "");
            if path == "/_sandbox/stores" && status == 201 {
                let key = body["key"].as_str().unwrap();
                send("DELETE", &format!("/_sandbox/stores?store={key}"), "");
            }
        }
    }
    println!("{count} bodies");
    assert!(count > 500, "{count} bodies");
    assert!(wrong.is_empty(), "{} of {count} bodies:\n{}", wrong.len(), wrong.join("\n"));
}
