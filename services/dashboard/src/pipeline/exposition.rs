//! Prometheus's text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>), as far as counters, gauges
//! and histograms need it: names, labels and values. What can't be read is left out.

use std::collections::BTreeMap;

/// A value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All series of a page.
pub fn parse(text: &str) -> Vec<Series> {
    text.lines().filter_map(|line| series(line.trim())).collect()
}

fn series(line: &str) -> Option<Series> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' ', '\t'])?;
    let name = line[..end].to_owned();
    let (labels, rest) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), &line[end..]),
    };
    // A time may follow.
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some(Series { name, labels, value })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in quoted.char_indices() {
            match c {
                _ if escaped => {
                    value.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => value.push(c),
            }
        }
        rest = &quoted[end? + 1..];
        labels.insert(name.trim().to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};

    use super::*;

    #[test]
    fn what_our_own_services_write_is_read() {
        let registry = Registry::new();
        let counters = IntCounterVec::new(Opts::new("c_total", "help \\ with\nodd \"text\""), &["a", "b"]).unwrap();
        registry.register(Box::new(counters.clone())).unwrap();
        counters.with_label_values(&["x\"y\\z\n", "} 7"]).inc_by(12);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let labels = [("a".to_owned(), "x\"y\\z\n".to_owned()), ("b".to_owned(), "} 7".to_owned())];
        assert_eq!(parse(&text), [Series { name: "c_total".into(), labels: labels.into(), value: 12.0 }]);
    }

    #[test]
    fn odd_lines_are_left_out_and_the_others_read() {
        let text = "# HELP x y\n\nx 1.5e3 1700000000\ny{} +Inf\nbroken\nz{a=\"b} 1\nz{a=\"b\"\nw{a=\"b\",} NaN\nv x\n";
        let read: Vec<(String, String)> = parse(text).into_iter().map(|s| (s.name, s.value.to_string())).collect();
        let expected = [("x", "1500"), ("y", "inf"), ("w", "NaN")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(read, expected);
    }
}
