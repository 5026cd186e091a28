//! Makes mistakes of a source file: each operator, number, guard, statement and body gets a switch
//! `crate::mutant::is(number)`, so that one build has all mistakes.
//!
//! Constants, patterns, the inside of macros, tests and code of other systems have none.

use proc_macro2::Span;
use std::collections::BTreeSet;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, ExprMethodCall, ImplItemFn, ItemFn, Lit, ReturnType, Stmt, Type, UnOp};

/// A mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    pub number: usize,
    pub path: String,
    pub line: usize,
    pub function: String,
    /// The change in words.
    pub change: String,
    /// The line as it stands in the file.
    pub text: String,
}

impl Mutant {
    /// Returns the text by which the list of accepted mistakes names it: line numbers change.
    pub fn key(&self) -> String {
        format!("{} {}: {}: {}", self.path, self.function, self.change, self.text)
    }
}

/// A file with its mistakes.
pub struct Mutated {
    pub text: String,
    pub mutants: Vec<Mutant>,
    /// The number after the last one.
    pub next: usize,
    /// Where the new text has each change, and the numbers of its mistakes.
    pub places: Vec<(Range<usize>, Vec<usize>)>,
}

/// A part of the new text.
enum Part {
    Text(String),
    /// A range of the old text, with the changes in it.
    Source(Range<usize>),
}

struct Edit {
    range: Range<usize>,
    /// Of two changes of one range, the wider one stands outside.
    splits: bool,
    parts: Vec<Part>,
    numbers: Vec<usize>,
}

/// Makes the mistakes of a file. The first one gets the number `first`; `left_out` has the numbers
/// of those that do not compile.
pub fn mutate(path: &str, text: &str, first: usize, left_out: &BTreeSet<usize>) -> Result<Mutated, syn::Error> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder {
        path,
        text,
        first,
        left_out,
        functions: Vec::new(),
        constants: integer_constants(&file),
        edits: Vec::new(),
        mutants: Vec::new(),
    };
    finder.visit_file(&file);
    let Finder { mut edits, mut mutants, .. } = finder;
    edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end), edit.splits));
    let mut writer = Writer { text, edits: &edits, new: String::new(), places: Vec::new() };
    writer.write(0..text.len(), 0);
    let Writer { new, places, .. } = writer;
    let next = first + mutants.len();
    mutants.retain(|mutant| !left_out.contains(&mutant.number));
    Ok(Mutated { text: new, mutants, next, places })
}

struct Writer<'a> {
    text: &'a str,
    edits: &'a [Edit],
    new: String,
    places: Vec<(Range<usize>, Vec<usize>)>,
}

impl Writer<'_> {
    /// Writes a range of the old text, with the changes in it from a place in the list on.
    fn write(&mut self, range: Range<usize>, from: usize) {
        let mut at = range.start;
        for (place, edit) in self.edits.iter().enumerate().skip(from) {
            if edit.range.start >= range.end && !(edit.range.is_empty() && edit.range.start == range.end) {
                break;
            }
            if edit.range.start < at || edit.range.end > range.end {
                continue;
            }
            self.new.push_str(&self.text[at..edit.range.start]);
            let begin = self.new.len();
            for part in &edit.parts {
                match part {
                    Part::Text(text) => self.new.push_str(text),
                    Part::Source(range) => self.write(range.clone(), place + 1),
                }
            }
            self.places.push((begin..self.new.len(), edit.numbers.clone()));
            at = edit.range.end;
        }
        self.new.push_str(&self.text[at..range.end]);
    }
}

/// Returns the names of the file's constants that are whole numbers.
fn integer_constants(file: &syn::File) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in &file.items {
        if let syn::Item::Const(item) = item
            && let Type::Path(path) = &*item.ty
            && path.path.get_ident().is_some_and(|it| is_integer(&it.to_string()))
        {
            names.insert(item.ident.to_string());
        }
    }
    names
}

fn is_integer(name: &str) -> bool {
    matches!(name, "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" | "Millis")
}

struct Finder<'a> {
    path: &'a str,
    text: &'a str,
    first: usize,
    left_out: &'a BTreeSet<usize>,
    functions: Vec<String>,
    constants: BTreeSet<String>,
    edits: Vec<Edit>,
    mutants: Vec<Mutant>,
}

fn range(span: Span) -> Range<usize> {
    span.byte_range()
}

/// Whether code is a test, or is not built here.
fn is_elsewhere(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let text = list.tokens.to_string();
        let other = ["test", "windows", "feature = \"simulation\"", "not (unix)", "fault-injection", "target_os"];
        list.path.is_ident("cfg")
            && other.iter().any(|it| text.contains(it))
            && !text.starts_with("not (feature")
            && !text.starts_with("not (windows")
            && !text.starts_with("target_os = \"linux\"")
    })
}

fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(paren) => has_let(&paren.expr),
        _ => false,
    }
}

impl Finder<'_> {
    /// Notes a mistake. Returns the condition that it is chosen; `false` if it does not compile.
    fn mutant(&mut self, span: Span, change: String) -> (usize, String) {
        let number = self.first + self.mutants.len();
        let line = span.start().line;
        let text = self.text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
        let function = self.functions.last().cloned().unwrap_or_default();
        self.mutants.push(Mutant { number, path: self.path.to_owned(), line, function, change, text });
        let chosen = match self.left_out.contains(&number) {
            true => "false".to_owned(),
            false => format!("crate::mutant::is({number})"),
        };
        (number, chosen)
    }

    fn shown(&self, span: Span) -> String {
        let text = self.text[range(span)].split_whitespace().collect::<Vec<_>>().join(" ");
        match text.char_indices().nth(40) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    fn is_left_out(&self, number: usize) -> bool {
        self.left_out.contains(&number)
    }

    fn edit(&mut self, range: Range<usize>, splits: bool, parts: Vec<Part>, numbers: Vec<usize>) {
        // Nothing is left of a change none of whose mistakes compile.
        if !numbers.iter().all(|number| self.is_left_out(*number)) {
            self.edits.push(Edit { range, splits, parts, numbers });
        }
    }

    fn wrap(&mut self, span: Span, before: String, after: &str, numbers: Vec<usize>) {
        let range = range(span);
        let parts = vec![Part::Text(before), Part::Source(range.clone()), Part::Text(after.to_owned())];
        self.edit(range, false, parts, numbers);
    }

    /// The mistake that a condition is the opposite.
    fn negate(&mut self, span: Span, change: String) {
        let (number, chosen) = self.mutant(span, change);
        self.wrap(span, format!("({chosen} ^ ("), "))", vec![number]);
    }

    /// The mistakes that a condition is always true, and always false.
    fn fix(&mut self, span: Span, name: &str) {
        let shown = self.shown(span);
        let (yes, is_true) = self.mutant(span, format!("{name} `{shown}` is always true"));
        let (no, is_false) = self.mutant(span, format!("{name} `{shown}` is always false"));
        self.wrap(span, format!("({is_true} || !{is_false} && ("), "))", vec![yes, no]);
    }

    /// The operands of a condition with `let`, which cannot be exchanged.
    fn chain(&mut self, expression: &Expr) {
        match expression {
            Expr::Let(_) => {}
            Expr::Binary(binary) if has_let(expression) => {
                self.chain(&binary.left);
                self.chain(&binary.right);
            }
            other => self.fix(other.span(), "condition"),
        }
    }

    fn binary(&mut self, binary: &syn::ExprBinary) {
        let (left, right) = (binary.left.span(), binary.right.span());
        let (left, right) = (range(left).start..range(left).end, range(right).start..range(right).end);
        let whole = left.start..right.end;
        let span = binary.span();
        let op = self.text[range(binary.op.span())].to_owned();
        let split = |before: String, middle: &str, after: String| {
            vec![
                Part::Text(before),
                Part::Source(left.clone()),
                Part::Text(middle.to_owned()),
                Part::Source(right.clone()),
                Part::Text(after),
            ]
        };
        match binary.op {
            BinOp::And(_) | BinOp::Or(_) if !has_let(&Expr::Binary(binary.clone())) => {
                let other = if op == "&&" { "||" } else { "&&" };
                let (number, chosen) = self.mutant(binary.op.span(), format!("{op} becomes {other}"));
                // De Morgan: each operand stands there once.
                let parts = split(
                    format!("({{ let mutant = {chosen}; (((("),
                    &format!(") ^ mutant) {op} (("),
                    ") ^ mutant)) ^ mutant) })".to_owned(),
                );
                self.edit(whole, true, parts, vec![number]);
            }
            BinOp::Eq(_) | BinOp::Ne(_) => {
                let other = if op == "==" { "!=" } else { "==" };
                self.negate(span, format!("{op} becomes {other}"));
            }
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                let (bound, opposite) = match op.as_str() {
                    "<" => ("<=", ">="),
                    "<=" => ("<", ">"),
                    ">" => (">=", "<="),
                    _ => (">", "<"),
                };
                self.negate(span, format!("{op} becomes {opposite}"));
                let (number, chosen) = self.mutant(binary.op.span(), format!("{op} becomes {bound}"));
                let after = format!(")) {{ (l, r) => if {chosen} {{ l {bound} r }} else {{ l {op} r }} }})");
                let parts = split("(match (&(".to_owned(), "), &(", after);
                self.edit(whole, true, parts, vec![number]);
            }
            BinOp::Add(_) | BinOp::Sub(_) => {
                let other = if op == "+" { "-" } else { "+" };
                let (number, chosen) = self.mutant(binary.op.span(), format!("{op} becomes {other}"));
                let after = format!(")) {{ (l, r) => if {chosen} {{ l {other} r }} else {{ l {op} r }} }})");
                self.edit(whole, true, split("(match ((".to_owned(), "), (", after), vec![number]);
            }
            _ => {}
        }
    }

    fn number(&mut self, span: Span, shown: &str, more: &str, less: Option<&str>) {
        let (up, is_up) = self.mutant(span, format!("{shown} becomes {more}"));
        let mut text = format!("(if {is_up} {{ {more} }} else ");
        let mut numbers = vec![up];
        if let Some(less) = less {
            let (down, is_down) = self.mutant(span, format!("{shown} becomes {less}"));
            text = format!("{text}if {is_down} {{ {less} }} else ");
            numbers.push(down);
        }
        self.edit(range(span), true, vec![Part::Text(format!("{text}{{ {shown} }})"))], numbers);
    }

    fn method(&mut self, call: &ExprMethodCall) {
        let name = call.method.to_string();
        let Some(argument) = call.args.first().filter(|_| call.args.len() == 1) else { return };
        let whole = range(call.span());
        let (value, argument) = (range(call.receiver.span()), range(argument.span()));
        let other = match name.as_str() {
            "min" => "max",
            "max" => "min",
            "is_some_and" => "is_none_or",
            "is_none_or" => "is_some_and",
            "any" => "all",
            "all" => "any",
            "saturating_sub" => "saturating_add",
            _ => return,
        };
        let (number, chosen) = self.mutant(call.method.span(), format!("{name} becomes {other}"));
        let (before, after) = match name.as_str() {
            "min" | "max" | "saturating_sub" => (
                "(match (".to_owned(),
                format!(") {{ (l, r) => if {chosen} {{ l.{other}(r) }} else {{ l.{name}(r) }} }})"),
            ),
            // It does not compile: as it is.
            _ if self.is_left_out(number) => return,
            _ => (format!("(crate::mutant::{name}({number}, "), "))".to_owned()),
        };
        let parts = vec![
            Part::Text(before),
            Part::Source(value),
            Part::Text(", ".to_owned()),
            Part::Source(argument),
            Part::Text(after),
        ];
        self.edit(whole, true, parts, vec![number]);
    }

    /// The mistakes that a function does nothing.
    fn body(&mut self, output: &ReturnType, block: &Block) {
        let at = range(block.brace_token.span.open()).end;
        for value in results(output, self.text) {
            let change =
                if value.is_empty() { "returns at once".to_owned() } else { format!("returns {value} at once") };
            let (number, chosen) = self.mutant(block.brace_token.span.open(), change);
            let text = format!(" if {chosen} {{ return {value}; }}");
            self.edit(at..at, true, vec![Part::Text(text)], vec![number]);
        }
    }
}

/// Returns what a function of a type may return without its work.
fn results(output: &ReturnType, text: &str) -> Vec<&'static str> {
    let ReturnType::Type(_, of) = output else { return vec![""] };
    let Type::Path(path) = &**of else {
        return match &text[range(of.span())] {
            "&str" | "&'static str" => vec!["\"\""],
            _ => Vec::new(),
        };
    };
    let Some(last) = path.path.segments.last() else { return Vec::new() };
    let inner = match &last.arguments {
        syn::PathArguments::AngleBracketed(inside) => text[range(inside.span())].to_owned(),
        _ => String::new(),
    };
    match last.ident.to_string().as_str() {
        "bool" => vec!["true", "false"],
        "Option" if inner == "<bool>" => vec!["None", "Some(true)", "Some(false)"],
        "Option" => vec!["None"],
        "Result" if inner == "<bool>" || inner.starts_with("<bool,") => vec!["Ok(true)", "Ok(false)"],
        "Result" if inner.is_empty() || inner.starts_with("<()") => vec!["Ok(())"],
        "Result" => vec!["Ok(Default::default())"],
        "Self" => Vec::new(),
        name if is_integer(name) => vec!["0", "1"],
        _ => vec!["Default::default()"],
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Impl(item) => {
                let is_debug =
                    |(_, path, _): &(_, syn::Path, _)| path.segments.last().is_some_and(|it| it.ident == "Debug");
                if item.trait_.as_ref().is_some_and(is_debug) {
                    return;
                }
                &item.attrs
            }
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            _ => return,
        };
        if !is_elsewhere(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if item.sig.constness.is_some() {
            return;
        }
        self.functions.push(item.sig.ident.to_string());
        self.body(&item.sig.output, &item.block);
        visit::visit_block(self, &item.block);
        self.functions.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if item.sig.constness.is_some() || is_elsewhere(&item.attrs) {
            return;
        }
        self.functions.push(item.sig.ident.to_string());
        self.body(&item.sig.output, &item.block);
        visit::visit_block(self, &item.block);
        self.functions.pop();
    }

    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_macro(&mut self, _: &'ast syn::Macro) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement {
            let inner = if let Expr::Try(inner) = expression { &*inner.expr } else { expression };
            let is_drop = matches!(inner, Expr::Call(call) if range(call.func.span()).len() == 4);
            let is_change = matches!(
                inner,
                Expr::Binary(syn::ExprBinary {
                    op: BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_),
                    ..
                })
            );
            if matches!(inner, Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_)) && !is_drop || is_change {
                let shown = self.shown(statement.span());
                let (number, chosen) = self.mutant(statement.span(), format!("`{shown}` is left out"));
                self.wrap(statement.span(), format!("if !{chosen} {{ "), " }", vec![number]);
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if is_elsewhere(&arm.attrs) {
            return;
        }
        if let Some((_, guard)) = &arm.guard {
            match has_let(guard) {
                true => self.chain(guard),
                false => self.fix(guard.span(), "guard"),
            }
            self.visit_expr(guard);
        }
        self.visit_expr(&arm.body);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Binary(binary) => self.binary(binary),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                self.negate(unary.span(), format!("the ! of `{}` is left out", self.shown(unary.span())));
            }
            Expr::Lit(literal) => {
                if let Lit::Int(int) = &literal.lit
                    && let Ok(value) = int.base10_parse::<u64>()
                {
                    let of = |value: u64| format!("{value}{}", int.suffix());
                    let less = value.checked_sub(1).map(of);
                    self.number(literal.span(), &self.text[range(literal.span())], &of(value + 1), less.as_deref());
                }
            }
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident().map(ToString::to_string)
                    && self.constants.contains(&name)
                {
                    self.number(path.span(), &name, &format!("{name} + 1"), Some(&format!("{name} - 1")));
                }
            }
            Expr::MethodCall(call) => self.method(call),
            Expr::Macro(item) if item.mac.path.is_ident("matches") => {
                self.negate(item.span(), format!("`{}` is the opposite", self.shown(item.span())));
            }
            Expr::If(item) => self.condition(&item.cond),
            Expr::While(item) => self.condition(&item.cond),
            _ => {}
        }
        visit::visit_expr(self, expression);
    }
}

impl Finder<'_> {
    /// The condition of an `if` that has no mistake of its own.
    fn condition(&mut self, condition: &Expr) {
        match condition {
            _ if has_let(condition) => self.chain(condition),
            Expr::Binary(_) | Expr::Unary(_) => {}
            Expr::Macro(item) if item.mac.path.is_ident("matches") => {}
            other => self.negate(other.span(), format!("condition `{}` is the opposite", self.shown(other.span()))),
        }
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
