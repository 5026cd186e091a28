//! Growth curves as an SVG: one panel per question, one line per peer, both axes logarithmic.

use std::fmt::Write;

/// A line of a panel: its name and its points.
pub type Line = (String, Vec<(f64, f64)>);

pub struct Panel {
    pub title: &'static str,
    pub across: &'static str,
    pub up: &'static str,
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
/// The margins of a panel: left, right, top, bottom.
const MARGIN: [f64; 4] = [62.0, 18.0, 60.0, 48.0];
/// Colours that people with colour blindness can distinguish (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

pub fn draw(panels: &[Panel]) -> String {
    let width = WIDTH * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{width}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for (at, panel) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 0)\">\n{}</g>", WIDTH * at as f64, draw_panel(panel));
    }
    svg + "</svg>\n"
}

fn draw_panel(panel: &Panel) -> String {
    let [left, right, top, bottom] = MARGIN;
    let points = || panel.lines.iter().flat_map(|(_, points)| points);
    let across = Axis::over(points().map(|point| point.0), left, WIDTH - right);
    let up = Axis::over(points().map(|point| point.1), HEIGHT - bottom, top);
    let mut svg = String::new();
    let mut text = |x: f64, y: f64, anchor: &str, extra: &str, label: &str| {
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{extra}>{label}</text>");
    };
    text(left, 20.0, "start", " font-weight=\"bold\"", panel.title);
    text(f64::midpoint(left, WIDTH - right), HEIGHT - 10.0, "middle", "", panel.across);
    let turned = format!(" transform=\"rotate(-90 14 {0})\"", HEIGHT / 2.0);
    text(14.0, HEIGHT / 2.0, "middle", &turned, panel.up);
    for (at, (name, _)) in panel.lines.iter().enumerate() {
        let colour = format!(" fill=\"{}\"", COLOURS[at % COLOURS.len()]);
        text(left + 130.0 * at as f64, 42.0, "start", &colour, &format!("{} {name}", ["●", "■", "▲", "◆"][at % 4]));
    }
    for value in across.ticks() {
        text(across.place(value), HEIGHT - bottom + 16.0, "middle", "", &short(value));
    }
    for value in up.ticks() {
        text(left - 6.0, up.place(value) + 4.0, "end", "", &short(value));
    }
    for value in up.ticks() {
        let y = up.place(value);
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - right);
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{left} {top}V{0}H{1}\" fill=\"none\" stroke=\"#222\"/>",
        HEIGHT - bottom,
        WIDTH - right
    );
    for (at, (_, points)) in panel.lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let places: Vec<_> = points.iter().map(|(x, y)| (across.place(*x), up.place(*y))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in places {
            let mark = match at % 4 {
                0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"),
                1 => format!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\" fill=\"{colour}\"/>",
                    x - 3.5,
                    y - 3.5
                ),
                _ => format!("<path d=\"M{x:.1} {:.1}l4 8h-8z\" fill=\"{colour}\"/>", y - 4.5),
            };
            let _ = writeln!(svg, "{mark}");
        }
    }
    svg
}

/// A bar: its name, and its values from the shortest part to the whole.
pub type Bar = (String, [f64; 2]);

/// Draws bars below each other. Each has a dark part up to its first value, and a light one up to
/// its second; `parts` names the two.
pub fn draw_bars(title: &str, parts: [&str; 2], bars: &[Bar], unit: &str) -> String {
    const LEFT: f64 = 330.0;
    const ROW: f64 = 34.0;
    const TOP: f64 = 74.0;
    let width = 2.0 * WIDTH;
    let height = TOP + ROW * bars.len() as f64 + 10.0;
    let most = bars.iter().map(|(_, values)| values[1]).fold(f64::MIN_POSITIVE, f64::max);
    let long = |value: f64| value / most * (width - LEFT - 130.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"14\" fill=\"#222\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"26\" font-weight=\"bold\" font-size=\"16\">{title}</text>\n"
    );
    let shades = [(COLOURS[0], parts[0], 16.0), ("#a6cee3", parts[1], 16.0 + width / 3.0)];
    for (colour, part, x) in shades {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"42\" width=\"14\" height=\"14\" fill=\"{colour}\"/><text x=\"{}\" y=\"54\">{part}</text>",
            x + 20.0
        );
    }
    for (at, (name, [first, whole])) in bars.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", LEFT - 10.0, y + 17.0);
        for (value, (colour, ..)) in [(whole, shades[1]), (first, shades[0])] {
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"24\" fill=\"{colour}\"/>",
                long(*value)
            );
        }
        let end = LEFT + long(*whole) + 8.0;
        let _ = writeln!(svg, "<text x=\"{end:.1}\" y=\"{}\">{first:.2} / {whole:.2} {unit}</text>", y + 17.0);
    }
    svg + "</svg>\n"
}

/// A logarithmic axis. It shows 0 at a tenth of the smallest other value.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    has_zero: bool,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let has_zero = values.clone().any(|value| value <= 0.0);
        let positive = values.filter(|value| *value > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let low = 10_f64.powf(low.log10().floor() - f64::from(u8::from(has_zero)));
        let high = 10_f64.powf(high.log10().ceil().max(low.log10() + 1.0));
        Self { low, high, from, to, has_zero }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.max(self.low) / self.low).log10() / (self.high / self.low).log10();
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let decades = std::iter::successors(Some(self.low), |value| Some(value * 10.0));
        let mut ticks: Vec<f64> = decades.take_while(|value| *value < 1.5 * self.high).collect();
        if self.has_zero {
            ticks[0] = 0.0;
        }
        ticks
    }
}

fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e4.. => format!("{} k", value / 1e3),
        _ => format!("{value}"),
    }
}
