//! Draws the code of a reward as SVG: EAN-13 for a number with the right check digit, Code 128 for
//! a short text, and a QR code for everything else.

use std::fmt::Write;

use barcoders::sym::code128::Code128;
use barcoders::sym::ean13::EAN13;
use maud::{Markup, html};
use qrcode::{Color, QrCode};

/// The longest text of a Code 128 that fits on a receipt.
const CODE_128: usize = 20;

/// The free modules on each side, which a scanner needs.
const QUIET: usize = 10;

/// The symbol of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Ean13,
    Code128,
    Qr,
}

impl Symbol {
    /// Returns the symbol for a text.
    pub fn of(text: &str) -> Symbol {
        let short = text.len() <= CODE_128 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        match () {
            () if is_ean13(text) => Symbol::Ean13,
            () if short => Symbol::Code128,
            () => Symbol::Qr,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Symbol::Ean13 => "EAN-13",
            Symbol::Code128 => "Code 128",
            Symbol::Qr => "QR",
        }
    }
}

fn is_ean13(text: &str) -> bool {
    let digits = || text.bytes().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    text.len() == 13
        && digits().all(|digit| digit < 10)
        && digits().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum::<u32>() % 10 == 0
}

/// Returns the drawing of a code. `None`: the text is too long for every symbol.
pub(crate) fn draw(text: &str) -> Option<Markup> {
    let symbol = Symbol::of(text);
    let label = format!("{} {text}", symbol.name());
    match symbol {
        Symbol::Ean13 => Some(bars(&label, &EAN13::new(&text[..12]).ok()?.encode())),
        // The first character chooses the character set B.
        Symbol::Code128 => Some(bars(&label, &Code128::new(format!("\u{181}{text}")).ok()?.encode())),
        Symbol::Qr => {
            let code = QrCode::new(text).ok()?;
            let dark = |color: &Color| u8::from(*color == Color::Dark);
            Some(squares(&label, code.width(), &code.to_colors().iter().map(dark).collect::<Vec<_>>()))
        }
    }
}

fn bars(label: &str, modules: &[u8]) -> Markup {
    let width = modules.len() + 2 * QUIET;
    html! {
        svg.code.bars viewBox=(format!("0 0 {width} 40")) preserveAspectRatio="none" role="img" aria-label=(label)
            shape-rendering="crispEdges" {
            rect width=(width) height="40" fill="#fff" {}
            path d=(path(modules, QUIET, 0, 40)) fill="#000" {}
        }
    }
}

fn squares(label: &str, width: usize, modules: &[u8]) -> Markup {
    let side = width + 8;
    let rows = modules.chunks(width).enumerate();
    let path: String = rows.map(|(y, row)| path(row, 4, y + 4, 1)).collect();
    html! {
        svg.code.squares viewBox=(format!("0 0 {side} {side}")) role="img" aria-label=(label) shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

/// Returns the path of the dark modules of a row.
fn path(modules: &[u8], x: usize, y: usize, height: usize) -> String {
    let dark = modules.iter().enumerate().filter(|(_, module)| **module != 0);
    dark.fold(String::new(), |mut path, (at, _)| {
        let _ = write!(path, "M{} {y}h1v{height}h-1z", x + at);
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_symbol_fits_the_text() {
        for (text, symbol) in [
            ("7350053850019", Symbol::Ean13),
            ("7350053850018", Symbol::Code128),
            ("SPA-7C1F2E", Symbol::Code128),
            ("https://example.com/r/7c1f2e", Symbol::Qr),
            ("rån", Symbol::Qr),
        ] {
            assert_eq!(Symbol::of(text), symbol, "{text}");
            assert!(draw(text).unwrap().into_string().contains("<path d=\"M"), "{text}");
        }
        assert!(draw(&"x".repeat(8000)).is_none());
    }

    /// The example of the standard's text: the code begins with the guard and ends with the check
    /// digit's bars and the guard.
    #[test]
    fn an_ean_13_has_its_guards_and_its_check_digit() {
        let modules = EAN13::new("735005385001").unwrap().encode();
        assert_eq!(modules.len(), 95);
        assert_eq!(modules[..3], [1, 0, 1]);
        assert_eq!(modules[45..50], [0, 1, 0, 1, 0]);
        // 9 as a right-hand digit.
        assert_eq!(modules[85..92], [1, 1, 1, 0, 1, 0, 0]);
    }
}
