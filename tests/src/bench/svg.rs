//! The plot: for each figure, how near it comes to what it should reach.
//!
//! Bars begin at 1, "reached", on a logarithmic axis: to the right is better than asked for, to the left short of it.
//! Colours follow the reader's light or dark scheme.

use std::fmt::Write as _;

use super::report::{Line, Report, number};

const WIDTH: f64 = 960.0;
const ROW: f64 = 44.0;
const TOP: f64 = 74.0;
/// Where the axis begins and ends.
const LEFT: f64 = 24.0;
const RIGHT: f64 = WIDTH - 24.0;
/// Powers of two that are always shown.
const LEAST: (i32, i32) = (-2, 2);
/// Bars end here at the latest, however good or bad a figure is.
const MOST: i32 = 12;

const STYLE: &str = "\
svg { font: 13px system-ui, sans-serif; }
text { fill: #1f2328; stroke: #ffffff; stroke-width: 4; paint-order: stroke; } .small { font-size: 11px; fill: #59636e; } .title { font-size: 16px; font-weight: 600; }
.grid { stroke: #d1d9e0; } .reach { stroke: #1f2328; stroke-width: 1.5; }
.met { fill: #1a7f37; } .short { fill: #bc4c00; } .end { text-anchor: end; } .middle { text-anchor: middle; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; stroke: #0d1117; } .small { fill: #9198a1; } .grid { stroke: #3d444d; } .reach { stroke: #f0f6fc; }
.met { fill: #3fb950; } .short { fill: #db6d28; }
}
";

/// The plot of a report.
pub fn plot(report: &Report) -> String {
    let bars: Vec<(&str, &Line)> = report
        .rows
        .iter()
        .flat_map(|row| row.lines.iter().map(|line| (row.what, line)))
        .filter(|(_, line)| line.score().is_finite() && line.score() > 0.0)
        .collect();
    let exponents = bars.iter().map(|(_, line)| line.score().log2());
    let (mut from, mut to) = LEAST;
    for exponent in exponents {
        // Whole numbers of a few bits.
        from = from.min(exponent.floor().max(f64::from(-MOST)) as i32);
        to = to.max(exponent.ceil().min(f64::from(MOST)) as i32);
    }
    let x = |score: f64| {
        let exponent = score.log2().clamp(f64::from(from), f64::from(to));
        LEFT + (RIGHT - LEFT) * (exponent - f64::from(from)) / f64::from(to - from)
    };
    let height = TOP + ROW * bars.len() as f64 + 16.0;
    let bottom = height - 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Each figure as a multiple of what it should reach\">\n<style>\n{STYLE}</style>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">How near each figure comes to what it should reach</text>\n\
         <text class=\"small\" x=\"{LEFT}\" y=\"42\">1 × is reached; to the right is better, to the left is short of it. \
         Logarithmic.</text>\n"
    );
    // Writing to a string does not fail.
    for exponent in from..=to {
        let (score, class) = (2_f64.powi(exponent), if exponent == 0 { "reach" } else { "grid" });
        let at = x(score);
        let _ = write!(
            svg,
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\n\
             <text class=\"small middle\" x=\"{at:.1}\" y=\"{:.1}\">{} ×</text>\n",
            TOP - 8.0,
            TOP - 13.0,
            number(score)
        );
    }
    for (index, (row, line)) in bars.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let (one, end) = (x(1.0), x(line.score()));
        let (start, width) = (one.min(end), (one - end).abs().max(1.0));
        let class = if line.met() { "met" } else { "short" };
        let label = escape(&format!("{row}: {}", line.what));
        let unit = if line.unit.is_empty() { String::new() } else { format!(" {}", line.unit) };
        let mut value = format!("{}{unit}, asked for {}", number(line.measured), line.reach());
        if let Some(ratio) = line.ratio() {
            let _ = write!(value, " ({} × {})", number(ratio), line.bound_is);
        }
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\">{label}</text>\n\
             <rect class=\"{class}\" x=\"{start:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"7\" rx=\"2\"/>\n\
             <text class=\"small\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>\n",
            y + 10.0,
            y + 15.0,
            y + 33.0,
            escape(&value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::report::{Reach, Row};
    use super::*;

    fn report(lines: Vec<Line>) -> Report {
        let rows = vec![Row { id: "x", what: "a & b", lines, costs: Vec::new(), notes: Vec::new() }];
        Report { rows, ..Report::new() }
    }

    #[test]
    fn what_is_met_and_what_falls_short_are_told_apart() {
        let svg = plot(&report(vec![
            Line::new("good", 8.0, "s", Reach::AtLeast(4.0)),
            Line::new("bad", 2.0, "s", Reach::AtLeast(4.0)),
            Line::new("told", 2.0, "s", Reach::Nothing),
        ]));
        assert_eq!((svg.matches("<rect class=\"met\"").count(), svg.matches("<rect class=\"short\"").count()), (1, 1));
        assert!(svg.contains("a &amp; b: good") && !svg.contains("told"), "{svg}");
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn bars_stay_in_the_picture_whatever_the_figures() {
        let svg = plot(&report(vec![
            Line::new("huge", 1e30, "s", Reach::AtLeast(1.0)),
            Line::new("tiny", 1e-30, "s", Reach::AtLeast(1.0)),
            Line::new("none", 0.0, "s", Reach::AtMost(1.0)),
        ]));
        for x in svg.split(" x=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok()) {
            assert!((0.0..=WIDTH).contains(&x), "{x}");
        }
        assert!(plot(&report(Vec::new())).contains("</svg>"));
    }
}
