//! Tests the bindings whose compilers and runtimes are not part of every test run, each with the
//! package that its developers install: shared cases, till, certification and lifetimes. And the
//! look of the sandbox's dashboard.

use crate::package::consumer::fresh;
use crate::package::{bindings, from_debug, same_bytes};
use crate::run::{Result, cargo, output, run};
use crate::setup::{self, DASHBOARD, JAVA, NODE, Need, OTHER, PASCAL};

/// Each target's name, the module of its tests, and its tools.
const LANGUAGES: &[(&str, &str, &[Need])] = &[
    ("java", "more_languages::java", JAVA),
    ("node", "more_languages::node", NODE),
    ("pascal", "more_languages::pascal", PASCAL),
    ("other", "more_languages::other", OTHER),
    ("dashboard", "dashboard_look", DASHBOARD),
];

/// Tests one language, or the dashboard. Returns false if there is none of this name.
pub fn try_named(name: &str) -> Result<bool> {
    let Some((name, module, needs)) = LANGUAGES.iter().find(|(of, ..)| *of == name) else { return Ok(false) };
    setup::install(&[needs])?;
    let tests = |more: &[&str]| {
        let mut test = cargo();
        test.args(["test", "--package", "engage-point-shop", "--test", "hosts", "--", "--ignored"]);
        test.arg(module).args(more);
        test
    };
    // A filter that matches nothing passes.
    let listed = output(&mut tests(&["--list"]))?.matches(": test").count();
    if listed == 0 {
        return Err(format!("There are no tests of {name} in tests/hosts/{module}."));
    }
    run(&mut tests(&["--nocapture", "--test-threads=2"]))?;
    // The packages of all three are made together.
    if *name == "java" {
        packs_the_same()?;
    }
    println!("{name}: {listed} tests passed");
    Ok(true)
}

/// Checks that packing the same files again gives the same bytes, with the debug library.
fn packs_the_same() -> Result {
    let work = fresh("bindings")?;
    let (once, twice) = (work.join("once"), work.join("twice"));
    let built = [from_debug(&work.join("built"))?];
    bindings::pack(&built, &once)?;
    bindings::pack(&built, &twice)?.iter().try_for_each(|package| same_bytes(package, &once))
}

pub fn try_all() -> Result {
    LANGUAGES.iter().try_for_each(|(name, ..)| try_named(name).map(drop))
}
