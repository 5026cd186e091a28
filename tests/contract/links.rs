//! The documents' links: each leads to a file of the repository, and each anchor to a heading. Each
//! page of `docs/` is in the site.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all Markdown files, but those of builds and the template of a page.
fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir()
                && !["target", "dist", "xtask"].iter().any(|other| name == *other)
                && !name.to_string_lossy().starts_with('.')
            {
                collect(&path, pages);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    pages
}

/// Returns a page's text without its code, in which brackets are no links.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let blocks: String = text.split("```").step_by(2).collect();
    blocks.split('`').step_by(2).collect()
}

/// Returns the anchors of a page's headings, as GitHub and the site make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let blocks: String = text.split("```").step_by(2).collect();
    let headings = blocks
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let anchor = |heading: String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let (mut links, mut broken) = (0, Vec::new());
    for page in pages() {
        let text = prose(&page);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")) {
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let is_heading = anchor.is_empty() || path.is_file() && anchors(&path).contains(anchor);
            if !path.exists() || !is_heading {
                broken.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(links > 200, "{links} links");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn site_has_every_page_of_the_documents_once() {
    let site = fs::read_to_string(root().join("packaging/docs/mkdocs.yml")).unwrap();
    let listed: Vec<&str> = site
        .lines()
        .filter_map(|line| line.trim().rsplit(' ').next())
        .filter(|end| Path::new(end).extension().is_some_and(|it| it == "md"))
        .collect();
    for page in &listed {
        assert!(root().join(page).exists(), "the site lists {page}, which is missing");
        assert_eq!(listed.iter().filter(|other| other == &page).count(), 1, "the site lists {page} twice");
    }
    // The pages of support and the decision records are made or listed by their own page.
    let pages = pages().into_iter().filter(|page| page.starts_with(root().join("docs")));
    for page in pages.map(|page| page.strip_prefix(root()).unwrap().display().to_string()) {
        let is_listed_by_its_page = page.starts_with("docs/adr/") || page.starts_with("docs/support/");
        assert!(is_listed_by_its_page || listed.contains(&page.as_str()), "the site lacks {page}");
    }
}

#[test]
fn page_that_a_check_names_exists() {
    let mut named = 0;
    for source in ["src/core/check.rs", "tools/eps/src/doctor.rs", "tools/eps/src/engage.rs"] {
        let text = fs::read_to_string(root().join(source)).unwrap();
        for rest in text.split("docs/").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_".contains(c)).unwrap_or(rest.len());
            let page = root().join("docs").join(&rest[..end]);
            assert!(page.is_dir() || page.with_extension("md").is_file(), "{source}: docs/{}", &rest[..end]);
            named += 1;
        }
    }
    assert!(named > 8, "{named} pages");
}
