//! The shared cases of `cases.json`: a call, the server's response, and the expected code and
//! fields. The same cases run from C, C++, C#, Python and Rust.

use crate::languages::{ALL, Language};
use crate::tools::{root, stdout};
use engage_point_shop::code::{self, TABLE};
use engage_point_shop::{AssignmentId, Client, Code, ContactId, Error, ItemId, OperationId};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// The result of a case.
struct CaseResult {
    code: String,
    outcome: String,
    json: Value,
}

/// A server that sends each case its response. The API key names the case. A status query gets the
/// case's "query". A request without a prepared response gets a 503.
fn serve(cases: &[Value]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cases = Arc::new(cases.to_vec());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let cases = cases.clone();
            // A client that disconnects is no failure.
            thread::spawn(move || stream.and_then(|stream| response(&stream, &cases)));
        }
    });
    url
}

fn response(stream: &TcpStream, cases: &[Value]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let header = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = header("content-length:").map_or(0, |length| length.parse().unwrap());
    reader.read_exact(&mut vec![0; length])?;

    let number: usize = header("apikey:").and_then(|key| key.strip_prefix("case-")).unwrap().parse().unwrap();
    let spends = |step: &Value| ["purchase", "redeem_reward"].iter().any(|call| step["call"] == *call);
    let spends = spends(&cases[number]) || cases[number]["before"].as_array().into_iter().flatten().any(spends);
    let query = spends && head[0].starts_with("GET");
    let prepared = &cases[number][if query { "query" } else { "response" }];
    let unprepared = json!({ "status": 503, "text": "" });
    let prepared = if prepared.is_null() { &unprepared } else { prepared };
    let body = prepared["text"].as_str().map_or_else(|| prepared["body"].to_string(), str::to_owned);
    let kind = prepared["type"].as_str().unwrap_or("application/json; charset=utf-8");
    let mut bytes = Vec::new();
    write!(bytes, "HTTP/1.1 {} Response\r\nContent-Type: {kind}\r\nConnection: close\r\n", prepared["status"])?;
    for (name, value) in prepared["headers"].as_object().into_iter().flatten() {
        write!(bytes, "{name}: {}\r\n", value.as_str().unwrap())?;
    }
    write!(bytes, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut stream = stream;
    stream.write_all(&bytes)
}

/// Makes a case's call through the Rust API.
fn make(url: &str, number: usize, case: &Value) -> CaseResult {
    let config =
        json!({ "baseUrl": url, "apiKey": format!("case-{number}"), "userAgent": "Cases/1", "journal": "memory" });
    let client = Client::open(&config.to_string()).unwrap();
    for step in case["before"].as_array().into_iter().flatten() {
        // Only its effect counts. The expected result shows it.
        let _ = call(&client, step);
    }
    let (row, json) = match call(&client, case) {
        Ok(response) => (&TABLE[0], response),
        Err(error) => (error.code().row(), error.to_json()),
    };
    CaseResult {
        code: row.name.into(),
        outcome: row.outcome.name().into(),
        json: serde_json::from_slice(&json).unwrap(),
    }
}

/// Makes the call of a case or of a step before it.
fn call(client: &Client, step: &Value) -> Result<Vec<u8>, Error> {
    let text = |at: usize| step["arguments"][at].as_str().unwrap_or_default();
    let contact = || ContactId::parse(text(0), "contact_id");
    let operation = || OperationId::parse(text(0), "operation_id");
    let given = step.get("options").map(Value::to_string);
    let options = given.as_deref();
    match step["call"].as_str().unwrap() {
        "find_contact" => client.find_contact(text(0), text(1), options),
        "list_points" => client.list_points(contact()?, options),
        "list_items" => client.list_items(contact()?, options),
        "purchase" => client.purchase(contact()?, ItemId::parse(text(1), "item_id")?, options),
        "list_purchases" => client.list_purchases(contact()?, options),
        "list_rewards" => client.list_rewards(contact()?, options),
        "find_reward" => client.find_reward(operation()?, options),
        "redeem_reward" => {
            let contact = step["arguments"][0].is_string().then(contact).transpose()?;
            client.redeem_reward(contact, AssignmentId::parse(text(1), "assignment_id")?, options)
        }
        "list_unacknowledged" => client.list_unacknowledged(options),
        "list_operations" => client.list_operations(options),
        "get_operation" => client.get_operation(operation()?),
        "resolve_pending" => client.resolve_pending(options),
        "acknowledge" => client.acknowledge(operation()?),
        "resolve_review" => client.resolve_review(operation()?, text(1), options),
        "acknowledge_reference" | "backup_journal" if text(0).is_empty() => Err(Error::of(Code::EmptyArgument)),
        "acknowledge_reference" => client.acknowledge_reference(text(0), options),
        "backup_journal" => client.backup_journal(text(0), options),
        "check" => client.check(options),
        "read_metrics" => client.read_metrics().map(|text| json!(String::from_utf8(text).unwrap()).to_string().into()),
        "read_stats" => client.read_stats(),
        // The C API's own functions: here the expected result by other means.
        "code_action" => Ok(json!(code::action(text(0).parse().unwrap()).name()).to_string().into()),
        "code_meaning" => {
            let row = TABLE.iter().find(|row| row.code.number().to_string() == text(0));
            let meaning = row.map_or("This version of the library has no code of this number.", |row| row.meaning);
            Ok(json!(meaning).to_string().into())
        }
        "json_get" => {
            let value: Option<Value> = serde_json::from_str(text(0)).ok();
            let found = value.as_ref().and_then(|value| value.pointer(text(1))).ok_or(Error::of(Code::BadOptions))?;
            let unquoted = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            Ok(json!(unquoted).to_string().into())
        }
        "json_quote" => Ok(json!(text(0)).to_string().into()),
        other => panic!("no such call: {other}"),
    }
}

/// Returns the differences from the expected result.
fn fault(case: &Value, actual: &CaseResult) -> Option<String> {
    let name = case["expect"]["code"].as_str().unwrap();
    let row = TABLE.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} is no code"));
    if actual.code != name || actual.outcome != row.outcome.name() {
        return Some(format!("{name} was due, not {} ({}): {}", actual.code, actual.outcome, actual.json));
    }
    let fields = case["expect"]["fields"].as_object().unwrap();
    let wrong = fields.iter().find(|(path, due)| {
        let found = actual.json.pointer(path).unwrap_or(&Value::Null);
        // A 7 may be written as 7.0.
        let same_number = || found.as_f64().is_some_and(|found| due.as_f64() == Some(found));
        let anything = *due == "*" && !found.is_null();
        found != *due && !anything && !same_number()
    });
    wrong.map(|(path, due)| format!("{path} was due to be {due}: {}", actual.json))
}

#[test]
fn shared_cases_have_equal_results_in_every_language() {
    run_cases(&ALL);
}

/// Runs every case in Rust and in these languages.
pub fn run_cases(languages: &[Language]) {
    let file = root().join("tests/hosts/cases.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let url = serve(&cases);
    let runs: Vec<(String, Vec<CaseResult>)> = thread::scope(|scope| {
        let of_rust = || cases.iter().enumerate().map(|(number, case)| make(&url, number, case)).collect();
        let rust = scope.spawn(of_rust);
        let hosts = languages.iter().map(|language| {
            let (file, url) = (&file, &url);
            scope.spawn(move || {
                let printed = stdout(language.program("cases").arg(file).arg(url));
                let actual = |line: &str| {
                    let words: Vec<&str> = line.splitn(4, '\t').collect();
                    let json = serde_json::from_str(words[3]).unwrap_or_else(|error| panic!("{error}: {line}"));
                    CaseResult { code: words[1].into(), outcome: words[2].into(), json }
                };
                (format!("{language:?}"), printed.lines().map(actual).collect::<Vec<_>>())
            })
        });
        let hosts: Vec<_> = hosts.collect();
        let hosts = hosts.into_iter().map(|host| host.join().unwrap());
        std::iter::once(("Rust".to_owned(), rust.join().unwrap())).chain(hosts).collect()
    });
    let mut faults = Vec::new();
    for (language, actual) in &runs {
        assert_eq!(actual.len(), cases.len(), "{language}");
        for (case, actual) in cases.iter().zip(actual) {
            faults.extend(fault(case, actual).map(|fault| format!("{language}, {}: {fault}", case["case"])));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("cases: {} in {} languages", cases.len(), runs.len());
}

#[test]
fn case_with_another_result_is_reported() {
    let case = json!({ "expect": { "code": "EPS_DECLINED", "fields": { "/httpStatus": 400 } } });
    let actual = |code: &str, outcome: &str, status: Value| CaseResult {
        code: code.into(),
        outcome: outcome.into(),
        json: json!({ "httpStatus": status }),
    };
    assert_eq!(fault(&case, &actual("EPS_DECLINED", "declined", json!(400))), None);
    assert!(fault(&case, &actual("EPS_DECLINED", "pending", json!(400))).is_some());
    assert!(fault(&case, &actual("EPS_PENDING", "pending", json!(400))).is_some());
    assert!(fault(&case, &actual("EPS_DECLINED", "declined", json!(401))).is_some());
    assert!(fault(&case, &actual("EPS_DECLINED", "declined", Value::Null)).is_some());
}
