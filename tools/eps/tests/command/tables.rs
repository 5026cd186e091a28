//! `codes`, `completions` and the usage.

use super::support::eps;
use engage_point_shop::code::TABLE;

#[test]
fn codes_are_found_by_number_and_by_name() {
    for code in ["-117", "117", "EPS_REFERENCE_REUSED", "reference_reused"] {
        eps(&["codes", code]).ends(0).says(&["-117 EPS_REFERENCE_REUSED", "Meaning"]);
    }
    let all = eps(&["codes"]).ends(0).says(&[]);
    assert_eq!(all.out.lines().count(), TABLE.len() + 1);
    let json = eps(&["codes", "--json"]).ends(0).json();
    assert_eq!(json["codes"].as_array().unwrap().len(), TABLE.len());
    eps(&["codes", "-1"]).ends(2).says(&["is no code"]);
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let run = eps(&["completions", shell]).ends(0);
        assert!(run.out.contains("simulate-fleet") && run.out.contains("journal"), "{shell}");
    }
}

#[test]
fn usage_mistakes_end_with_2() {
    let missing = "/nowhere/till.json";
    for arguments in [&["list"][..], &["list", "--config", missing], &["nothing"], &["codes", "x y"], &["show"]] {
        assert_eq!(eps(arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(eps(&["list", "--api-key", "k"]).code, 2, "the key is never an argument");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("till.json");
    std::fs::write(&path, r#"{"baseUrl":"https://a.voyado.com","userAgent":"A/1","waitMS":1}"#).unwrap();
    let guess = ["probe", "--as", "x", "--try", "barcodeFields=ean"];
    eps(&guess).ends(2).says(&["apiMapping in the configuration"]);
    eps(&["simulate-fleet", "--rate", "0"]).ends(2).says(&["--rate", "1.."]);
    eps(&["list", "--config", path.to_str().unwrap()]).ends(2).says(&["unknown key waitMS"]);
}

#[test]
fn fleet_is_simulated_as_a_table_and_a_chart() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("fleet.svg");
    let run = eps(&["simulate-fleet", "--tills", "300", "--rate", "50", "--svg", svg.to_str().unwrap()]).ends(0);
    run.says(&["300 tills", "STARTUPJITTERMS", "300000"]);
    let chart = std::fs::read_to_string(&svg).unwrap();
    assert!(chart.starts_with("<svg") && chart.ends_with("</svg>\n") && chart.matches("<polyline").count() == 3);
    let json = eps(&["simulate-fleet", "--tills", "300", "--startup-jitter-ms", "0,60000", "--json"]).ends(0).json();
    let runs = json["runs"].as_array().unwrap();
    assert!(runs[0]["peakRequestsPerSecond"].as_u64() > runs[1]["peakRequestsPerSecond"].as_u64(), "{json}");
    assert!(runs.iter().all(|run| run["pending"] == 0), "{json}");
}
