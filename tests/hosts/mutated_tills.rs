//! Mistakes that a POS vendor makes, each put into the till in C. The certification finds every
//! one, and names its risk in words. `EPS_BUDGET=full` tries all of them instead of the quick ones.

use crate::tools::{library, read, root, run, stdout};
use engage_sandbox::certify::{Plan, ScenarioResult, Template, certify};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// A mistake.
struct Mistake {
    name: &'static str,
    /// The parts of the source, each with its replacement.
    changes: &'static [(&'static str, &'static str)],
    /// A scenario that finds it.
    scenario: &'static str,
    /// The risk that the report names.
    risk: &'static str,
    /// Whether it is found within seconds.
    quick: bool,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "the receipt is not passed",
        changes: &[(r#"add_text(options, "reference", given->reference)"#, "1")],
        scenario: "second-press",
        risk: "deducts twice when the cashier presses again for the same sale",
        quick: true,
    },
    Mistake {
        name: "a sale is bought twice",
        changes: &[(
            "    cJSON_free(options_json);\n    json = take(&buffer);\n    show_cashier(code, json);",
            "    cJSON_free(options_json);\n    eps_buffer_dispose(&buffer);\n    \
             code = eps_purchase(shop, contact, item, NULL, &buffer);\n    json = take(&buffer);\n    show_cashier(code, json);",
        )],
        scenario: "sale",
        risk: "deducts twice when a member buys a reward",
        quick: true,
    },
    Mistake {
        name: "another purchase replaces a pending one",
        changes: &[(
            "    cJSON_free(options_json);\n    json = take(&buffer);\n    show_cashier(code, json);",
            "    cJSON_free(options_json);\n    if (eps_outcome(code) == EPS_OUTCOME_PENDING) {\n        \
             eps_buffer_dispose(&buffer);\n        code = eps_purchase(shop, contact, item, \"{\\\"waitMs\\\": 2000}\", &buffer);\n    }\n    \
             json = take(&buffer);\n    show_cashier(code, json);",
        )],
        scenario: "queue-goes-on",
        risk: "deducts twice when one sale is pending, and the next customer is served",
        quick: false,
    },
    Mistake {
        name: "another item is bought",
        changes: &[(
            "given->item ? strcmp(given->item, text_of(item, \"id\")) == 0 : cost <= points",
            "cost <= points",
        )],
        scenario: "promotion-removed",
        risk: "deducts twice when the reward's promotion was removed",
        quick: true,
    },
    Mistake {
        name: "all receipts have one number",
        changes: &[(
            r#"add_text(options, "reference", given->reference)"#,
            r#"add_text(options, "reference", "receipt")"#,
        )],
        scenario: "two-sales",
        risk: "loses a purchase when the member buys the same reward on another receipt",
        quick: true,
    },
    Mistake {
        name: "the journal is a new file at each start",
        changes: &[(
            "char *config_json, *journal = absolute_path(given->journal);",
            "char *config_json, *journal, name[4096];\n    sprintf(name, \"%s-%ld\", given->journal, (long)getpid());\n    \
             journal = absolute_path(name);",
        )],
        scenario: "power-cut-response-due",
        risk: "loses a purchase when the power is cut after the deduction and before the response",
        quick: false,
    },
    Mistake {
        name: "each receipt has a journal",
        changes: &[(
            "char *config_json, *journal = absolute_path(given->journal);",
            "char *config_json, *journal, name[4096];\n    \
             sprintf(name, \"%s-%s\", given->journal, given->reference ? given->reference : \"\");\n    \
             journal = absolute_path(name);",
        )],
        scenario: "power-cut-request-sent",
        risk: "loses a purchase when the power is cut after the request has reached Engage, and Engage never processes it",
        quick: false,
    },
    Mistake {
        name: "the journal is deleted at each start",
        changes: &[(
            "    code = eps_client_open(EPS_ABI_VERSION",
            "    remove(given->journal);\n    code = eps_client_open(EPS_ABI_VERSION",
        )],
        scenario: "power-cut-response-due",
        risk: "loses a purchase when the power is cut after the deduction and before the response",
        quick: false,
    },
    Mistake {
        name: "nothing is acknowledged",
        changes: &[
            (
                "int32_t code = eps_acknowledge(shop, operation_id, &buffer);",
                "int32_t code = eps_get_operation(shop, operation_id, &buffer);",
            ),
            (
                "eps_acknowledge_reference(shop, reference, NULL, &buffer)",
                "eps_get_operation(shop, operation_id, &buffer)",
            ),
        ],
        scenario: "acknowledged-is-not-shown",
        risk: "reports a false outcome when the outcome of a sale was shown already",
        quick: true,
    },
    Mistake {
        name: "an earlier sale is shown and not acknowledged",
        changes: &[(
            "if (strcmp(outcome, \"pending\") != 0) acknowledge(shop, id);",
            "if (strcmp(outcome, \"pending\") != 0) fputs(id, stderr);",
        )],
        scenario: "completed-later-is-shown",
        risk: "reports a false outcome when a pending sale completes later",
        quick: false,
    },
    Mistake {
        name: "earlier sales are not shown",
        changes: &[
            ("note_shown(given, text_of(operation, \"reference\"), outcome);", "(void)given;"),
            ("static void note_shown", "void note_shown"),
        ],
        scenario: "declined-later-is-shown",
        risk: "loses a purchase when a pending sale is declined later",
        quick: false,
    },
    Mistake {
        name: "an earlier sale is always shown as completed",
        changes: &[(
            "note_shown(given, text_of(operation, \"reference\"), outcome);",
            "note_shown(given, text_of(operation, \"reference\"), \"completed\");",
        )],
        scenario: "declined-later-is-shown",
        risk: "reports a false outcome when a pending sale is declined later",
        quick: false,
    },
    Mistake {
        name: "earlier sales are not resolved",
        changes: &[("        if (!resolved++) {", "        if (resolved) {")],
        scenario: "power-cut-response-due",
        risk: "loses a purchase when the power is cut after the deduction and before the response",
        quick: false,
    },
    Mistake {
        name: "pending is reported as declined",
        changes: &[("        default: return PENDING;", "        default: return DECLINED;")],
        scenario: "queue-goes-on",
        risk: "reports a false outcome when one sale is pending, and the next customer is served",
        quick: false,
    },
    Mistake {
        name: "pending is reported as completed",
        changes: &[("        default: return PENDING;", "        default: return COMPLETED;")],
        scenario: "processing-fails",
        risk: "reports a false outcome when Engage is still processing, and fails later",
        quick: true,
    },
    Mistake {
        name: "the program ends with an error when a sale is pending",
        changes: &[("        default: return PENDING;", "        default: abort();")],
        scenario: "processing-fails",
        risk: "reports a false outcome when Engage is still processing, and fails later",
        quick: true,
    },
    Mistake {
        name: "declined is reported as pending",
        changes: &[(
            "        case EPS_OUTCOME_DECLINED: return DECLINED;",
            "        case EPS_OUTCOME_DECLINED: return PENDING;",
        )],
        scenario: "not-enough-points",
        risk: "reports a false outcome when the member has not enough points",
        quick: true,
    },
    Mistake {
        name: "declined is reported as completed",
        changes: &[(
            "        case EPS_OUTCOME_DECLINED: return DECLINED;",
            "        case EPS_OUTCOME_DECLINED: return COMPLETED;",
        )],
        scenario: "purchase-failed",
        risk: "reports a false outcome when Engage reports that the purchase failed",
        quick: true,
    },
    Mistake {
        name: "completed is reported as declined",
        changes: &[(
            "        case EPS_OUTCOME_COMPLETED: return COMPLETED;",
            "        case EPS_OUTCOME_COMPLETED: return DECLINED;",
        )],
        scenario: "sale",
        risk: "reports a false outcome when a member buys a reward",
        quick: true,
    },
    Mistake {
        name: "not sent is reported as declined",
        changes: &[(
            "        case EPS_OUTCOME_NOT_SENT: return NOT_SENT;",
            "        case EPS_OUTCOME_NOT_SENT: return DECLINED;",
        )],
        scenario: "offline-start",
        risk: "reports a false outcome when the till starts without a network",
        quick: false,
    },
    Mistake {
        name: "the cashier waits for a minute",
        changes: &[(r#"add_number(options, "waitMs", given->wait_ms)"#, r#"add_number(options, "waitMs", 60000)"#)],
        scenario: "queue-goes-on",
        risk: "holds up the queue when one sale is pending, and the next customer is served",
        quick: false,
    },
    Mistake {
        name: "the next customer waits for earlier sales",
        changes: &[(r#""{\"waitMs\": 5000}""#, r#""{\"waitMs\": 60000}""#)],
        scenario: "queue-goes-on",
        risk: "holds up the queue when one sale is pending, and the next customer is served",
        quick: false,
    },
];

fn full() -> bool {
    std::env::var("EPS_BUDGET").is_ok_and(|budget| budget == "full")
}

/// Compiles the till in C with a mistake.
fn build(mistake: &Mistake, at: usize, folder: &Path) -> PathBuf {
    let mut source = read("examples/c/till.c");
    for (part, replacement) in mistake.changes {
        assert_eq!(source.matches(part).count(), 1, "{}: {part}", mistake.name);
        source = source.replace(part, replacement);
    }
    let (file, program) = (folder.join(format!("till-{at}.c")), folder.join(format!("till-{at}")));
    std::fs::write(&file, source).unwrap();
    let cjson = stdout(Command::new("pkg-config").args(["--cflags", "--libs", "libcjson"]));
    let mut cc = Command::new("cc");
    cc.arg("-I").arg(root().join("include")).arg(&file).arg("-o").arg(&program);
    cc.arg(folder.join("libengage_point_shop.so.1")).arg("-Wl,-rpath,$ORIGIN").args(cjson.split_whitespace());
    run(&mut cc);
    program
}

/// Certifies a till with a mistake, and returns the risks that the report names.
fn risks(mistake: &Mistake, program: &Path) -> Vec<String> {
    let options = "--url {url} --ca {ca} --key {key} --contact {contact} --item {item} --reference {reference} \
                   --journal {journal} --wait {wait} --shown {shown} --request-timeout 3000";
    let words = [program.to_str().unwrap()].into_iter().chain(options.split_whitespace()).map(str::to_owned);
    let only = vec![mistake.scenario.to_owned()];
    let plan = Plan { only, ..Plan::new(Template::new(words.collect()).unwrap()) };
    let report = certify(&plan, &()).unwrap();
    report.scenarios.iter().flat_map(ScenarioResult::risks).collect()
}

#[test]
fn certification_finds_each_mistake_and_names_its_risk() {
    assert!(MISTAKES.len() >= 20);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(library("libengage_point_shop.so"), folder.path().join("libengage_point_shop.so.1")).unwrap();
    let wanted: Vec<(usize, &Mistake)> = MISTAKES.iter().enumerate().filter(|(_, one)| one.quick || full()).collect();
    let missed: Vec<String> = thread::scope(|scope| {
        let tried: Vec<_> = wanted
            .iter()
            .map(|(at, mistake)| {
                let folder = folder.path();
                scope.spawn(move || {
                    let risks = risks(mistake, &build(mistake, *at, folder));
                    let found = risks.iter().any(|risk| risk == mistake.risk);
                    (!found).then(|| format!("{} ({}): {risks:?}", mistake.name, mistake.scenario))
                })
            })
            .collect();
        tried.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    println!("campaign mistakes: {} tried, {} missed", wanted.len(), missed.len());
    assert!(missed.is_empty(), "{missed:#?}");
}
