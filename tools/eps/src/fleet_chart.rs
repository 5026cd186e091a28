//! The chart of a simulation: requests a second over the time, a line for each jitter.

use crate::fleet::Outcome;
use std::fmt::Write;

const SIZE: (f64, f64) = (760.0, 320.0);
const MARGIN: (f64, f64) = (56.0, 36.0);
const COLOURS: &[&str] = &["#c0392b", "#2471a3", "#1e8449", "#b9770e", "#6c3483", "#34495e"];
/// Points of a line at most.
const POINTS: usize = 360;

#[allow(clippy::cast_precision_loss)] // Seconds and requests are far below 2^53.
pub fn chart(outcomes: &[Outcome], rate: u32) -> String {
    let seconds = outcomes.iter().map(|outcome| outcome.requests.len()).max().unwrap_or(1).max(1);
    let bucket = seconds.div_ceil(POINTS);
    let top = f64::from(outcomes.iter().map(Outcome::peak).max().unwrap_or(1).max(rate)) * 1.05;
    let (width, height) = (SIZE.0 - 2.0 * MARGIN.0, SIZE.1 - 2.0 * MARGIN.1);
    let x = |second: usize| MARGIN.0 + second as f64 / seconds as f64 * width;
    // By the root, so that a peak of a second does not hide the rest.
    let y = |requests: f64| SIZE.1 - MARGIN.1 - (requests / top).sqrt() * height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\" aria-label=\"Requests a second after the start\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#fff\"/>\n",
        SIZE.0, SIZE.1
    );
    let _ = writeln!(
        svg,
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1}\" y2=\"{2:.1}\" stroke=\"#888\" stroke-dasharray=\"4\"/>\
         <text x=\"{1}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#555\">limit {rate}/s</text>",
        MARGIN.0,
        SIZE.0 - MARGIN.0,
        y(f64::from(rate)),
        y(f64::from(rate)) - 4.0
    );
    for (at, outcome) in outcomes.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<String> = outcome
            .requests
            .chunks(bucket)
            .enumerate()
            .map(|(bucket_at, requests)| {
                let most = requests.iter().copied().max().unwrap_or_default();
                format!("{:.1},{:.1}", x(bucket_at * bucket), y(f64::from(most)))
            })
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">startupJitterMs {}</text>",
            points.join(" "),
            SIZE.0 - MARGIN.0 - 170.0,
            MARGIN.1 + 16.0 * at as f64,
            outcome.jitter_ms
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" fill=\"#333\">requests a second (at most {})</text>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#333\">{} s after the start</text>\n</svg>",
        MARGIN.0,
        MARGIN.1 - 12.0,
        outcomes.iter().map(Outcome::peak).max().unwrap_or_default(),
        SIZE.0 - MARGIN.0,
        SIZE.1 - MARGIN.1 + 20.0,
        seconds
    );
    svg
}
