//! Rules of the sources that the compiler does not check. Every export is one call of the boundary.
//! Unsafe code stays in `src/ffi` and `src/os`, and each piece has a SAFETY comment. Each rule is
//! tried on a snippet that breaks it.

use crate::tools::root;
use proc_macro2::{TokenStream, TokenTree};
use std::path::{Path, PathBuf};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, ItemFn, Lit, Stmt, Visibility};

/// Returns every `extern "C"` function that is visible outside its module.
fn extern_functions(source: &str) -> Vec<ItemFn> {
    struct Found(Vec<ItemFn>);
    impl Visit<'_> for Found {
        fn visit_item_fn(&mut self, item: &ItemFn) {
            if item.sig.abi.is_some() && !matches!(item.vis, Visibility::Inherited) {
                self.0.push(item.clone());
            }
            visit::visit_item_fn(self, item);
        }
    }
    let mut found = Found(Vec::new());
    found.visit_file(&syn::parse_file(source).unwrap());
    found.0
}

/// The names of the exports.
pub fn exports(source: &str) -> Vec<String> {
    extern_functions(source).iter().map(|function| function.sig.ident.to_string()).collect()
}

/// Returns the fault of an export's body, if any. The body must be one call of a function of
/// `boundary` with the export's name.
fn body_fault(function: &ItemFn) -> Option<&'static str> {
    let mut stmts = &function.block.stmts;
    if let [Stmt::Expr(Expr::Unsafe(block), _)] = stmts.as_slice() {
        stmts = &block.block.stmts;
    }
    let [Stmt::Expr(Expr::Call(call), _)] = stmts.as_slice() else { return Some("is more than one call") };
    let Expr::Path(path) = &*call.func else { return Some("calls no named function") };
    let segments: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    if segments.len() != 2 || segments[0] != "boundary" {
        return Some("calls something else than boundary");
    }
    match call.args.first() {
        Some(Expr::Lit(literal)) if matches!(&literal.lit, Lit::Str(name) if function.sig.ident == name.value()) => {
            None
        }
        _ => Some("gives boundary another name than its own"),
    }
}

#[test]
fn exports_are_one_call_of_the_boundary() {
    let mut seen = 0;
    for file in rust_files("src") {
        for function in extern_functions(&std::fs::read_to_string(&file).unwrap()) {
            let fault = body_fault(&function);
            assert!(fault.is_none(), "{}: {} {}", file.display(), function.sig.ident, fault.unwrap_or_default());
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} exports were found");
}

#[test]
fn export_beside_the_boundary_is_reported() {
    let fault = |body: &str| {
        let source = format!("mod inner {{ pub unsafe extern \"C\" fn eps_x(a: i32) -> i32 {{ {body} }} }}");
        let functions = extern_functions(&source);
        assert_eq!(functions.len(), 1);
        body_fault(&functions[0])
    };
    assert_eq!(fault("unsafe { boundary::code(\"eps_x\", || Ok(())) }"), None);
    assert_eq!(fault("boundary::value(\"eps_x\", 0, || 1);"), None);
    for broken in [
        "",
        "a",
        "let b = a; boundary::code(\"eps_x\", || b)",
        "unsafe { log(a); boundary::code(\"eps_x\", || Ok(())) }",
        "boundary::code(\"eps_x\", || Ok(())) + 1",
        "boundary::code(\"eps_y\", || Ok(()))",
        "other::code(\"eps_x\", || Ok(()))",
        "code(\"eps_x\", || Ok(()))",
        "if a == 0 { 0 } else { boundary::code(\"eps_x\", || Ok(())) }",
    ] {
        assert!(fault(broken).is_some(), "{broken}");
    }
}

/// Returns the lines of unsafe blocks and impls without `// SAFETY:` in the comment directly above.
fn unexplained(source: &str) -> Vec<usize> {
    struct Found(Vec<usize>);
    impl Visit<'_> for Found {
        fn visit_expr_unsafe(&mut self, block: &syn::ExprUnsafe) {
            self.0.push(block.unsafe_token.span().start().line);
            visit::visit_expr_unsafe(self, block);
        }
        fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
            self.0.extend(item.unsafety.map(|token| token.span().start().line));
            visit::visit_item_impl(self, item);
        }
    }
    let mut found = Found(Vec::new());
    found.visit_file(&syn::parse_file(source).unwrap());
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let explained = |line: usize| {
        let above = lines[..line - 1].iter().rev().take_while(|text| text.starts_with("//"));
        above.into_iter().any(|text| text.starts_with("// SAFETY: ") && text.len() > 15)
    };
    found.0.into_iter().filter(|line| !explained(*line)).collect()
}

#[test]
fn unsafe_code_in_ffi_and_os_has_a_safety_comment() {
    let allowed = ["src/ffi", "src/os"].map(|folder| root().join(folder));
    // A library of another vendor, for a program that links both.
    let other = root().join("tests/abi/other_library.rs");
    let mut pieces = 0;
    for file in ["src", "tests", "sandbox", "tools", "xtask", "examples"].into_iter().flat_map(rust_files) {
        if file == other {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        if allowed.iter().any(|folder| file.starts_with(folder)) {
            let missing = unexplained(&source);
            assert!(missing.is_empty(), "{}: no SAFETY comment above lines {missing:?}", file.display());
            pieces += source.matches("// SAFETY: ").count();
        } else {
            assert!(!is_unsafe(source.parse().unwrap()), "{}: unsafe code outside src/ffi and src/os", file.display());
        }
    }
    assert!(pieces >= 20, "only {pieces} pieces of unsafe code were found");
}

#[test]
fn unsafe_code_without_comment_or_elsewhere_is_reported() {
    let good = "fn f() {\n    // SAFETY: it is a snippet.\n    // More of it.\n    unsafe { g() }\n}";
    assert_eq!(unexplained(good), [0; 0]);
    assert_eq!(unexplained("fn f() {\n    unsafe { g() }\n}"), [2]);
    assert_eq!(unexplained("fn f() {\n    // Quick.\n    unsafe { g() }\n}"), [3]);
    assert_eq!(unexplained("fn f() {\n    // SAFETY: it is a snippet.\n\n    unsafe { g() }\n}"), [4]);
    assert_eq!(unexplained("struct S;\nunsafe impl Send for S {}"), [2]);
    assert!(is_unsafe("fn f() { g!(x, unsafe { h() }) }".parse().unwrap()));
    assert!(is_unsafe("#[unsafe(no_mangle)] fn f() {}".parse().unwrap()));
    assert!(!is_unsafe("fn f() { /* unsafe */ print(\"unsafe\"); } // unsafe".parse().unwrap()));
}

/// Returns whether `unsafe` stands anywhere outside comments and texts, also inside a macro.
fn is_unsafe(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => is_unsafe(group.stream()),
        TokenTree::Ident(word) => word == "unsafe",
        _ => false,
    })
}

/// Every Rust file below a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // Build output is no source.
                if path.file_name().is_some_and(|name| name != "target") {
                    walk(&path, files);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files
}
