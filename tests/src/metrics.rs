//! A page of Prometheus metrics.

/// What a service said of itself at one moment.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Names, labels as they are written, values.
    series: Vec<(String, String, f64)>,
}

impl Metrics {
    /// Reads a page of the text format; lines that are no samples are left out.
    pub fn parse(page: &str) -> Self {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            Some((name.to_owned(), labels.trim_end_matches('}').to_owned(), value.parse().ok()?))
        };
        Self { series: page.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect() }
    }

    /// The sum over all series of this name; 0 when there is none.
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, "")
    }

    /// The sum over the series of this name that carry a label, such as `stage="aggregate"`.
    pub fn sum_where(&self, name: &str, label: &str) -> f64 {
        let wanted = |series: &&(String, String, f64)| series.0 == name && series.1.contains(label);
        self.series.iter().filter(wanted).map(|(_, _, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_series_of_one_name() {
        let page = "# HELP a_total help\n# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\nb 7\n";
        let metrics = Metrics::parse(page);
        assert_eq!(metrics.sum("a_total"), 5.0);
        assert_eq!(metrics.sum_where("a_total", "x=\"2\""), 3.0);
        assert_eq!((metrics.sum("b"), metrics.sum("c")), (7.0, 0.0));
    }
}
