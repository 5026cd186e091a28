//! The languages whose compilers and runtimes are not part of every test run: the same cases,
//! tills, certification and lifetimes. `cargo xtask test --target java` (or node, pascal, other)
//! installs what is missing and runs them.

use crate::languages::{JAVA, JNA, Language, NODE, PASCAL};
use crate::support::{Store, unacknowledged};
use crate::tools::{library, root, run, said, stdout};
use crate::{cases, example_tills, lifetimes};
use std::process::Command;

/// The tests that every language has.
macro_rules! language {
    ($name:ident, $language:expr, $reason:literal) => {
        mod $name {
            use super::*;

            #[test]
            #[ignore = $reason]
            fn cases_have_the_shared_results() {
                cases::run_cases(&[$language]);
            }

            #[test]
            #[ignore = $reason]
            fn till_prints_the_same_as_in_c() {
                example_tills::run_stories(&[Language::C, $language]);
            }

            #[test]
            #[ignore = $reason]
            fn till_is_certified() {
                example_tills::certify_till($language);
            }

            #[test]
            #[ignore = $reason]
            fn resident_till_is_certified() {
                example_tills::certify_resident_till($language);
            }

            #[test]
            #[ignore = $reason]
            fn lifetimes_are_as_the_header_states() {
                lifetimes::run_lifetimes(&[$language]);
            }
        }
    };
}

language!(pascal, Language::Pascal, "cargo xtask test --target pascal");
language!(node, Language::Node, "cargo xtask test --target node");
language!(java, Language::Java, "cargo xtask test --target java");

#[test]
#[ignore = "cargo xtask test --target java"]
fn java_names_a_missing_or_wrong_library() {
    // The classes alone: the jar holds the library.
    let folder = tempfile::tempdir().unwrap();
    let unpack = |what: &str| {
        let mut python = Command::new("python3");
        python.args(["-m", "zipfile", "-e", what]).arg(folder.path());
        stdout(&mut python);
    };
    unpack(&format!("{}/engage-point-shop-{}.jar", JAVA.display(), engage_point_shop::VERSION));
    std::fs::remove_dir_all(folder.path().join("linux-x86-64")).unwrap();
    let java = |place: &str| {
        let mut java = Command::new("java");
        java.arg(format!("-Djna.library.path={place}")).arg("-cp");
        java.arg(format!("{}:{}:{JNA}", JAVA.display(), folder.path().display())).arg("Lifetimes");
        java
    };
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    lifetimes::wrong_libraries_are_named(&place.join("libengage_point_shop.so"), || {
        let output = java(place.to_str().unwrap()).env_remove("LD_LIBRARY_PATH").output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        said(&output)
    });
    std::fs::copy(library("libengage_point_shop.so"), place.join("libengage_point_shop.so")).unwrap();
    assert_eq!(stdout(&mut java(place.to_str().unwrap())), format!("{}\n", engage_point_shop::VERSION));
}

#[test]
#[ignore = "cargo xtask test --target node"]
fn node_names_a_missing_or_wrong_library() {
    let place = NODE.join("node_modules/engage-point-shop/native/linux-x64/libengage_point_shop.so");
    // A package of its own: the other tests use the installed one.
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("cp").arg("-r").arg(NODE.join("node_modules")).arg(folder.path()));
    run(Command::new("cp").arg(NODE.join("lifetimes.js")).arg(folder.path()));
    let place = folder.path().join(place.strip_prefix(&*NODE).unwrap());
    let node = || {
        let mut node = Command::new("node");
        node.arg(folder.path().join("lifetimes.js")).env_remove("LD_LIBRARY_PATH");
        node
    };
    lifetimes::wrong_libraries_are_named(&place, || {
        let output = node().output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        said(&output)
    });
    std::fs::copy(library("libengage_point_shop.so"), &place).unwrap();
    assert_eq!(stdout(&mut node()), format!("{}\n", engage_point_shop::VERSION));
}

#[test]
#[ignore = "cargo xtask test --target pascal"]
fn pascal_names_a_missing_or_wrong_library() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("lifetimes");
    std::fs::copy(PASCAL.join("lifetimes"), &program).unwrap();
    lifetimes::wrong_libraries_are_named(&folder.path().join("libengage_point_shop.so"), || {
        let output = Command::new(&program).env_remove("LD_LIBRARY_PATH").output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        said(&output)
    });
}

/// Returns the first example of a page, for the sandbox in place of Engage. `ca` is the statement
/// of the sandbox's root certificate.
fn example(page: &str, language: &str, store: &Store, ca: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let example = page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    let key = if ca.contains('\'') { "'apiKey', 'secret')" } else { "\"secret\"" };
    assert!(example.contains(key) && example.contains("https://acme.voyado.com"), "{example}");
    let example = example.replace(key, &format!("{key}{ca}")).replace("secret", store.sandbox.api_key());
    let example = example.replace("@CA@", store.sandbox.ca_file().to_str().unwrap());
    let example = example.replace("https://acme.voyado.com", &store.sandbox.https_url());
    example.replace("/var/lib/acmepos/points.db", store.journal().to_str().unwrap())
}

/// Checks that a page's example buys one reward and acknowledges it, and that it says in one line
/// when no server is there.
fn example_buys(store: Store, program: &mut Command) {
    assert_eq!(stdout(program.current_dir(store.folder.path())), "bought\n");
    assert_eq!(store.deductions().len(), 1);
    assert!(unacknowledged(&store.durable_client()).is_empty());
    let Store { sandbox, folder: _folder } = store;
    drop(sandbox);
    let printed = stdout(program);
    assert!(printed.starts_with("nothing was sent, try again: ") && printed.lines().count() == 1, "{printed}");
}

#[test]
#[ignore = "cargo xtask test --target java"]
fn java_example_of_the_page_buys() {
    let store = Store::open();
    let text = example("java.md", "java", &store, ").caFile(\"@CA@\"");
    std::fs::write(store.folder.path().join("First.java"), text).unwrap();
    let path = format!("{}/engage-point-shop-{}.jar:{JNA}:.", JAVA.display(), engage_point_shop::VERSION);
    run(Command::new("javac").args(["-cp", &path, "First.java"]).current_dir(store.folder.path()));
    example_buys(store, Command::new("java").args(["-cp", &path, "First"]));
}

#[test]
#[ignore = "cargo xtask test --target pascal"]
fn pascal_example_of_the_page_buys() {
    let store = Store::open();
    let folder = store.folder.path();
    let text = example("pascal.md", "pascal", &store, ".Text('caFile', '@CA@')");
    std::fs::write(folder.join("first.pas"), text).unwrap();
    // The package: one unit, and the library beside the program.
    std::fs::copy(root().join("bindings/pascal/engagepointshop.pas"), folder.join("engagepointshop.pas")).unwrap();
    std::fs::copy(library("libengage_point_shop.so"), folder.join("libengage_point_shop.so")).unwrap();
    run(Command::new("fpc").args(["-l-", "-v0ew", "first.pas"]).current_dir(folder));
    let program = folder.join("first");
    example_buys(store, &mut Command::new(program));
}

/// Runs the page's commands of one program, in a folder like the unpacked archive. The second press
/// buys nothing, and without the server the program ends with one line.
fn page_buys(is_of_program: fn(&str) -> bool) {
    let (store, archive) = (Store::open(), tempfile::tempdir().unwrap());
    let copy = |from: std::path::PathBuf, to: &str| {
        let to = archive.path().join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    };
    copy(root().join("include/engage_point_shop.h"), "include/engage_point_shop.h");
    for name in ["libengage_point_shop.so", "libengage_point_shop.so.1"] {
        copy(library("libengage_point_shop.so"), &format!("lib/{name}"));
    }
    copy(root().join("examples/go/buy.go"), "share/examples/buy.go");
    copy(root().join("examples/lua/buy.lua"), "share/examples/buy.lua");
    copy(store.sandbox.ca_file().to_owned(), "sandbox-ca.pem");
    let page = std::fs::read_to_string(root().join("docs/other-languages.md")).unwrap();
    let block = page.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let commands = block.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|command| is_of_program(command));
    let script = commands.collect::<Vec<_>>().join("\n");
    let script = script.replace("https://localhost:8643", &store.sandbox.https_url());
    let script = script.replace("demo-key", store.sandbox.api_key());
    let (before, journal) = script.rsplit_once("$PWD/points-").unwrap();
    let (_, after) = journal.split_once(".db").unwrap();
    let script = format!("{before}{}{after}", store.journal().display());
    let press = || {
        let mut sh = Command::new("sh");
        sh.args(["-ec", &script]).current_dir(archive.path());
        sh.env("GOCACHE", std::env::temp_dir().join("engage-point-shop-go"));
        sh
    };
    for _ in 0..2 {
        assert_eq!(stdout(&mut press()), "bought\n");
    }
    assert_eq!(store.deductions().len(), 1);
    assert!(unacknowledged(&store.durable_client()).is_empty());
    let Store { sandbox, folder: _folder } = store;
    drop(sandbox);
    let ended = press().output().unwrap();
    assert!(!ended.status.success() && said(&ended).lines().count() == 1, "{}", said(&ended));
}

#[test]
#[ignore = "cargo xtask test --target other"]
fn other_language_go_buys_with_cgo() {
    page_buys(|command| ["export CGO_", "go build", "./buy"].iter().any(|start| command.starts_with(start)));
}

#[test]
#[ignore = "cargo xtask test --target other"]
fn other_language_lua_buys_with_luajit() {
    page_buys(|command| command.starts_with("luajit"));
}

#[test]
#[ignore = "cargo xtask test --target java"]
fn java_package_is_resolved_by_maven_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (work, version) = (folder.path(), engage_point_shop::VERSION);
    let placed = work.join("repository/engage/pointshop/engage-point-shop").join(version);
    std::fs::create_dir_all(&placed).unwrap();
    for end in ["jar", "pom"] {
        let name = format!("engage-point-shop-{version}.{end}");
        std::fs::copy(JAVA.join(&name), placed.join(&name)).unwrap();
    }
    // Maven's own plugins and JNA are Debian's.
    let settings = format!(
        "<settings><localRepository>{}</localRepository><mirrors><mirror><id>debian</id><mirrorOf>central</mirrorOf>\
         <url>file:///usr/share/maven-repo</url></mirror></mirrors></settings>",
        work.join("local").display()
    );
    std::fs::write(work.join("settings.xml"), settings).unwrap();
    let page = std::fs::read_to_string(root().join("docs/java.md")).unwrap();
    let dependency = page.split("```xml\n").nth(1).unwrap().split("```").next().unwrap();
    let pom = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>acme</groupId><artifactId>pos</artifactId><version>1</version>\
         <repositories><repository><id>folder</id><url>file://{}</url></repository></repositories>\
         <dependencies>{dependency}</dependencies></project>",
        work.join("repository").display()
    );
    std::fs::write(work.join("pom.xml"), pom).unwrap();
    let mut maven = Command::new("mvn");
    maven.args([
        "-B",
        "-q",
        "-s",
        "settings.xml",
        "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:build-classpath",
    ]);
    run(maven.arg("-Dmdep.outputFile=classpath").current_dir(work));
    let path = std::fs::read_to_string(work.join("classpath")).unwrap();
    assert!(path.contains("/engage-point-shop-") && path.contains("/jna-"), "{path}");
    let mut javac = Command::new("javac");
    run(javac.args(["-cp", &path, "-d"]).arg(work).arg(root().join("tests/hosts/Lifetimes.java")));
    let mut java = Command::new("java");
    assert_eq!(
        stdout(java.arg("-cp").arg(format!("{}:{path}", work.display())).arg("Lifetimes")),
        format!("{version}\n")
    );
}

#[test]
#[ignore = "cargo xtask test --target node"]
fn node_example_of_the_page_buys_and_types_reject_mistakes() {
    let check = |text: &str| {
        std::fs::write(NODE.join("page.ts"), text).unwrap();
        let mut tsc = Command::new("node");
        tsc.args([
            "node_modules/typescript/bin/tsc",
            "--noEmit",
            "--strict",
            "--target",
            "es2022",
            "--module",
            "node16",
        ]);
        said(&tsc.arg("page.ts").current_dir(&*NODE).output().unwrap())
    };
    let store = Store::open();
    let page = example("node.md", "ts", &store, ",\n    caFile: \"@CA@\"");
    assert_eq!(check(&page), "");
    let mut tsc = Command::new("node");
    tsc.args(["node_modules/typescript/bin/tsc", "--target", "es2022", "--module", "node16", "page.ts"]);
    run(tsc.current_dir(&*NODE));
    example_buys(store, Command::new("node").arg(NODE.join("page.js")));
    for (mistake, wanted) in [
        ("shop.purchase(contact, item, { referense: \"1\" });", "referense"),
        ("shop.acknowledge(7);", "number"),
        ("Client.open({ baseUrl: \"x\" });", "userAgent"),
        ("const count: string = (await shop.readStats()).reads;", "number"),
    ] {
        let head = "import { Client } from \"engage-point-shop\";\nasync function f(shop: Client, contact: string, item: string) {\n";
        let found = check(&format!("{head}{mistake}\n}}\n"));
        assert!(found.contains("error TS") && found.contains(wanted), "{mistake}: {found}");
    }
}
