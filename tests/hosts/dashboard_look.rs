//! The look of the dashboard at the sizes of a desk, a till and a phone, light and dark: axe-core
//! finds nothing, controls have contrast, nothing is cut off, the focus is visible, and each page
//! looks like its reference picture. `cargo xtask test --target dashboard` runs it.
//!
//! EPS_UPDATE_PICTURES=1 writes the reference pictures.

use crate::browser::Browser;
use crate::support::{ASTRID, COFFEE, Store, buy};
use crate::tools::{root, run};
use engage_point_shop::ItemId;
use engage_sandbox::seed::demo;
use engage_sandbox::{Clock, Effect, Fault, Operation, Time};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

const AXE: &str = "axe-core@4.11.0";

const SIZES: [(u32, u32); 3] = [(1280, 800), (1024, 768), (390, 844)];

/// The pages: name, address, and what is true once the page is complete.
const PAGES: [(&str, &str, &str); 5] = [
    ("requests", "/?", "document.querySelectorAll('#list li').length >= 4"),
    ("request", "/?request=1", "document.querySelectorAll('#list li').length >= 4"),
    ("till", "/_sandbox/dashboard/till?", "document.getElementById('receipt') !== null"),
    ("store", "/_sandbox/dashboard/store?", "document.querySelectorAll('#purchases tr').length >= 2"),
    ("start", "/_sandbox/dashboard/start?", "true"),
];

/// A reference picture is this much smaller than the window. The rest of a font is an average.
const SCALE: u32 = 4;
/// The largest mean difference of a channel, of 255.
const MEAN: f64 = 5.0;
/// The largest share of the pixels that differ by more than 48.
const FAR: f64 = 0.06;

/// Returns a store with the same contents each time, and the text of axe-core.
fn prepared() -> (Store, Browser) {
    let store = Store::open();
    store.sandbox.set_clock(Clock::Stands(Time::from_millis(1_800_000_000_000)));
    let client = store.durable_client();
    store.sandbox.arm(Fault::on(Operation::Purchase, Effect::CloseAfterCommit));
    buy(&client, ASTRID, COFFEE, &json!({ "reference": "4711" })).unwrap();
    let _ = buy(&client, ASTRID, ItemId::from_uuid(demo::EXPIRED), &json!({ "reference": "4712" }));
    store.sandbox.arm(Fault::on(Operation::Redeem, Effect::Delay { ms: 5000 }));
    let mut browser = Browser::open(&format!("{}/_sandbox/dashboard/till", store.sandbox.http_url()));
    browser.until("document.getElementById('member-1004') !== null");
    browser.click("#member-1004");
    browser.until("document.getElementById('buy-b0000000-0000-4000-8000-000000000051') !== null");
    browser.click("#buy-b0000000-0000-4000-8000-000000000051");
    browser.until("document.getElementById('receipt') !== null");
    (store, browser)
}

fn axe() -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("axe");
    std::fs::create_dir_all(&folder).unwrap();
    run(Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
        .arg(&folder)
        .arg(AXE));
    std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap()
}

/// Opens each page at each size in each scheme.
fn on_each_page(mut check: impl FnMut(&mut Browser, &str)) {
    let (store, mut browser) = prepared();
    for (width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.set_window(width, height, scheme);
            for (name, path, complete) in PAGES {
                browser.go(&format!("{}{path}", store.sandbox.http_url()));
                browser.until("document.getElementById('active').innerText.includes('slow')");
                browser.until(complete);
                check(&mut browser, &format!("{name}-{width}-{scheme}"));
            }
        }
    }
}

#[test]
#[ignore = "cargo xtask test --target dashboard"]
fn axe_finds_nothing() {
    let (axe, mut wrong) = (axe(), Vec::new());
    on_each_page(|browser, page| {
        browser.call("Runtime.evaluate", &json!({ "expression": axe }));
        let found = browser.value(
            "axe.run(document, { resultTypes: ['violations'] }).then(result => result.violations.map(violation =>
                violation.id + ': ' + violation.nodes.map(node => node.target + ' ' + node.failureSummary).join(' | ')))",
        );
        wrong.extend(found.as_array().unwrap().iter().map(|what| format!("{page}: {what}")));
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "cargo xtask test --target dashboard"]
fn controls_have_contrast_and_nothing_is_cut_off() {
    let mut wrong = Vec::new();
    on_each_page(|browser, page| {
        let found = browser.value(include_str!("dashboard_look.js"));
        wrong.extend(found.as_array().unwrap().iter().map(|what| format!("{page}: {what}")));
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "cargo xtask test --target dashboard"]
fn each_focus_of_the_keyboard_is_visible() {
    on_each_page(|browser, page| {
        browser.value("document.activeElement.blur()");
        let mut seen: Vec<Value> = Vec::new();
        for _ in 0..60 {
            browser.key("Tab");
            let focus = browser.value(
                "(() => { const it = document.activeElement, r = it.getBoundingClientRect(), s = getComputedStyle(it);
                   return it === document.body ? null : [it.outerHTML.slice(0, 120),
                   s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.bottom > 0
                   && r.top < innerHeight && r.right > 0 && r.left < innerWidth]; })()",
            );
            if focus.is_null() {
                break;
            }
            assert_eq!(focus[1], true, "{page}: the focus is not visible: {}", focus[0]);
            seen.push(focus);
        }
        assert!(seen.len() > 8, "{page}: Tab reaches only {seen:?}");
    });
}

#[test]
#[ignore = "cargo xtask test --target dashboard"]
fn each_page_looks_like_its_reference_picture() {
    let folder = root().join("tests/hosts/pictures");
    let update = std::env::var_os("EPS_UPDATE_PICTURES").is_some();
    let mut differ = Vec::new();
    on_each_page(|browser, page| {
        // What differs from machine to machine, and from run to run.
        browser.value(
            "(() => { const sheet = new CSSStyleSheet();
                sheet.replaceSync('* { font-family: \"DejaVu Sans\" !important } code, pre, pre *, .headers *, .digits { font-family: \"DejaVu Sans Mono\" !important }');
                document.adoptedStyleSheets = [sheet]; })()",
        );
        browser.value(
            "document.querySelectorAll('.path code, .took, #start-url, #start-ca, #start-curl, #start-config, .connect + p')
                .forEach(it => it.style.visibility = 'hidden')",
        );
        let shot = small(browser);
        let file = folder.join(format!("{page}.png"));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, base64(browser, &shot)).unwrap();
            return;
        }
        let reference = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (mean, far) = difference(browser, &shot, &reference);
        println!("{page}: mean difference {mean:.2}, {:.2} % far", far * 100.0);
        if mean > MEAN || far > FAR {
            let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{page}.png"));
            std::fs::write(&kept, base64(browser, &shot)).unwrap();
            differ.push(format!("{page}: mean difference {mean:.2}, {:.2} % far, see {}", far * 100.0, kept.display()));
        }
    });
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Returns the window as a small picture, a data URL.
fn small(browser: &mut Browser) -> String {
    let shot = browser.screenshot();
    let url = browser.value(&format!(
        "(async () => {{ const image = new Image(); image.src = 'data:image/png;base64,{shot}'; await image.decode();
           const canvas = document.createElement('canvas');
           [canvas.width, canvas.height] = [Math.round(image.width / {SCALE}), Math.round(image.height / {SCALE})];
           const context = canvas.getContext('2d'); context.imageSmoothingQuality = 'high';
           context.drawImage(image, 0, 0, canvas.width, canvas.height); return canvas.toDataURL('image/png'); }})()"
    ));
    url.as_str().unwrap().to_owned()
}

/// Returns the bytes of a data URL.
fn base64(browser: &mut Browser, url: &str) -> Vec<u8> {
    let bytes = browser.value(&format!("Array.from(atob('{url}'.split(',')[1]), it => it.charCodeAt(0))"));
    bytes.as_array().unwrap().iter().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect()
}

/// Returns the mean difference of two pictures, and the share of the pixels that differ much.
fn difference(browser: &mut Browser, shot: &str, reference: &[u8]) -> (f64, f64) {
    let result = browser.value(&format!(
        "(async () => {{
           const pixels = async url => {{ const image = new Image(); image.src = url; await image.decode();
             const canvas = document.createElement('canvas'); [canvas.width, canvas.height] = [image.width, image.height];
             const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
             return context.getImageData(0, 0, image.width, image.height).data; }};
           const bytes = Uint8Array.from({reference:?});
           let text = ''; for (const byte of bytes) text += String.fromCharCode(byte);
           const [one, two] = [await pixels('{shot}'), await pixels('data:image/png;base64,' + btoa(text))];
           if (one.length !== two.length) return [255, 1];
           let sum = 0, far = 0;
           for (let at = 0; at < one.length; at += 4) {{
             const by = [0, 1, 2].map(channel => Math.abs(one[at + channel] - two[at + channel]));
             sum += by[0] + by[1] + by[2]; far += Math.max(...by) > 48; }}
           return [sum / (one.length / 4 * 3), far / (one.length / 4)]; }})()"
    ));
    (result[0].as_f64().unwrap(), result[1].as_f64().unwrap())
}
