//! The documents as a site: offline, with a search, and with `llms.txt` for programs that read.

use crate::package::{copy, make, write};
use crate::run::{Result, output, root, run, target};
use crate::setup;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folders and files with pages, or with what pages link to.
const PLACES: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "bindings/csharp/README.md",
    "bindings/pascal",
    "bindings/python/README.md",
    "docs",
    "examples",
    "include",
    "packaging/monitoring",
    "packaging/relay",
    "sandbox/README.md",
    "sandbox/certificate.schema.json",
    "sandbox/csharp/README.md",
    "sandbox/openapi.json",
    "sandbox/python/README.md",
];

/// Builds the site below the target folder, once for all packages; returns its folder. A broken
/// link is an error.
pub fn build() -> Result<PathBuf> {
    static SITE: OnceLock<Result<PathBuf>> = OnceLock::new();
    SITE.get_or_init(make_site).clone()
}

fn make_site() -> Result<PathBuf> {
    let work = target().join("docs");
    let (source, site) = (work.join("source"), work.join("site"));
    for folder in [&source, &site] {
        let _ = fs::remove_dir_all(folder);
    }
    make(&source)?;
    let mut take = Command::new("cp");
    run(take.args(["-r", "--parents"]).args(PLACES).arg(&source).current_dir(root()))?;
    let config = fs::read_to_string(root().join("packaging/docs/mkdocs.yml")).map_err(|error| error.to_string())?;
    let config = config.replace("      # The pages of the codes follow.\n", &codes()?);
    without_diagrams(&source.join("README.md"))?;
    write(&work.join("mkdocs.yml"), &config)?;
    let mut mkdocs = Command::new(builder()?.join("mkdocs"));
    mkdocs.args(["build", "--strict"]).current_dir(&work).env("SOURCE_DATE_EPOCH", "315619200");
    output(&mut mkdocs)?;
    // A page of web servers: on a disk nothing leads to it, and its links lead nowhere.
    fs::remove_file(site.join("404.html")).map_err(|error| format!("404.html: {error}"))?;
    take_worker(&work, &site)?;
    loads_nothing(&site)?;
    links_lead_to_files(&site)?;
    write(&site.join("llms.txt"), llms(&config)?)?;
    Ok(site)
}

pub fn run_docs() -> Result {
    let site = build()?;
    setup::install(&[setup::TEST])?;
    // Opened from the disk, as from an unpacked package.
    let address = format!("file://{}?q=journal", site.join("docs/index.html").display());
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]);
    if !output(chromium.arg(address))?.contains("docs/operating/journal.html?h=journal") {
        return Err("the search finds no page about the journal".into());
    }
    println!("{} pages: {}", pages(&site)?.len(), site.join("index.html").display());
    Ok(())
}

/// Installs mkdocs-material below the target folder; returns its `bin` folder.
fn builder() -> Result<PathBuf> {
    let venv = target().join("mkdocs");
    let (wanted, installed) = (root().join("packaging/docs/requirements.txt"), venv.join("requirements.txt"));
    if fs::read(&wanted).ok() != fs::read(&installed).ok() {
        let _ = fs::remove_dir_all(&venv);
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]).arg(&wanted))?;
        copy(&wanted, &installed)?;
    }
    Ok(venv.join("bin"))
}

/// The script by which the search works in a page that was opened from a disk.
const WORKER: (&str, &str) = ("iframe-worker@1.0.3", "https://unpkg.com/iframe-worker/shim");

/// Puts that script into the site, which would take it from another server.
fn take_worker(work: &Path, site: &Path) -> Result {
    setup::install(&[setup::NODE])?;
    let mut npm = Command::new("npm");
    let packed = output(npm.args(["pack", "--silent", WORKER.0]).current_dir(work))?;
    run(Command::new("tar").args(["-xzf", packed.trim()]).current_dir(work))?;
    for name in ["shim/index.js", "LICENSE"] {
        let to = site
            .join("assets/javascripts")
            .join(name.replace("shim/index", "iframe-worker").replace("LICENSE", "iframe-worker.LICENSE"));
        copy(&work.join("package").join(name), &to)?;
    }
    for page in pages(site)? {
        let depth = page.strip_prefix(site).map_or(0, |path| path.components().count() - 1);
        let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        write(&page, text.replace(WORKER.1, &format!("{}assets/javascripts/iframe-worker.js", "../".repeat(depth))))?;
    }
    Ok(())
}

/// Checks that no page loads a script, a style or a picture of another server.
fn loads_nothing(site: &Path) -> Result {
    for page in pages(site)? {
        let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        let foreign = text.split('<').find(|tag| {
            let loads = ["script ", "link ", "img ", "iframe "].iter().any(|name| tag.starts_with(name));
            loads && tag.split('>').next().is_some_and(|tag| tag.contains("=\"http") || tag.contains("=\"//"))
        });
        if let Some(tag) = foreign {
            return Err(format!(
                "{} loads from another server: <{}",
                page.display(),
                tag.split('>').next().unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// Checks that each link of the finished pages leads to a file, as it does on a disk.
fn links_lead_to_files(site: &Path) -> Result {
    let mut broken = Vec::new();
    for page in pages(site)? {
        let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        let folder = page.parent().unwrap_or(site);
        let links = ["href=\"", "src=\""].into_iter().flat_map(|name| text.split(name).skip(1));
        for link in links.filter_map(|rest| rest.split(['"', '#', '?']).next()).filter(|link| !link.contains(':')) {
            // An absolute link leads to another place than the site of the unpacked package.
            if link.starts_with('/') || !folder.join(link).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("broken links:\n{}", broken.join("\n"))) }
}

fn pages(site: &Path) -> Result<Vec<PathBuf>> {
    let found = output(Command::new("find").arg(site).args(["-name", "*.html"]))?;
    Ok(found.lines().map(PathBuf::from).collect())
}

/// Returns the navigation's lines of the codes' pages.
fn codes() -> Result<String> {
    let list = fs::read_to_string(root().join("docs/support/README.md")).map_err(|error| error.to_string())?;
    let names = list.split("](EPS_").skip(1).filter_map(|rest| rest.split(".md").next());
    Ok(names.fold(String::new(), |mut lines, name| {
        let _ = writeln!(lines, "      - EPS_{name}: docs/support/EPS_{name}.md");
        lines
    }))
}

/// Removes diagrams, which only a script of another server would draw.
fn without_diagrams(page: &Path) -> Result {
    let text = fs::read_to_string(page).map_err(|error| error.to_string())?;
    let mut parts = text.split("```mermaid\n");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    parts.filter_map(|part| part.split_once("```\n")).for_each(|(_, rest)| kept.push_str(rest));
    write(page, kept)
}

/// Returns the list of the pages for language models: each page's title, address and first
/// sentence.
fn llms(config: &str) -> Result<String> {
    let mut list = "# Engage Point Shop\n\n> A library with a C ABI by which a POS sells loyalty rewards for points, crash-safe.\n".to_owned();
    let navigation = config.split("\nnav:\n").nth(1).unwrap_or_default();
    for line in navigation.lines() {
        let entry = line.trim().trim_start_matches("- ");
        let place = entry.rsplit(' ').next().unwrap_or_default();
        if Path::new(place).extension().is_none_or(|end| end != "md") {
            let _ = writeln!(list, "\n## {}\n", entry.trim_end_matches(':'));
            continue;
        }
        if !line.starts_with("      ") {
            let _ = writeln!(list, "\n## {}\n", entry.split(':').next().unwrap_or_default());
        }
        let page = fs::read_to_string(root().join(place)).map_err(|error| format!("{place}: {error}"))?;
        let mut lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with("<!--"));
        let title = lines.next().unwrap_or_default().trim_start_matches("# ");
        let is_sentence = |line: &&str| line.starts_with(char::is_alphabetic) && !line.contains("](");
        let summary = lines.next().filter(is_sentence).unwrap_or_default();
        let summary = summary.split_once(". ").map_or(summary, |(first, _)| first).trim_end_matches('.');
        let address = place.replace("README.md", "index.html").replace(".md", ".html");
        let _ = writeln!(list, "- [{title}]({address}){}{summary}", if summary.is_empty() { "" } else { ": " });
    }
    Ok(list)
}
