//! The live table on a terminal, and plain lines elsewhere. Pure text: nothing is read or printed here.

use std::fmt::Write as _;
use std::time::Duration;

use super::metrics::Reading;
use super::report::ShopReport;

/// How many countries and products are shown.
const TOP: usize = 5;
const PRODUCT_WIDTH: usize = 34;

/// Everything there is to show at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Since the services were started.
    pub(super) elapsed: Duration,
    /// How many events there will be, if they end.
    pub(super) goal: Option<u64>,
    /// The latest figures.
    pub(super) reading: Reading,
    /// Events produced per second, lately.
    pub(super) produced_rate: Option<f64>,
    /// Events aggregated per second, lately.
    pub(super) aggregated_rate: Option<f64>,
    /// The shop's figures.
    pub(super) report: Option<ShopReport>,
    /// What the user should know.
    pub(super) warning: Option<String>,
}

impl View {
    /// One line that says it all.
    pub(super) fn line(&self) -> String {
        let reading = &self.reading;
        let mut line = format!(
            "{}  produced {} ({}/s)  aggregated {} ({}/s)  lag {}  documents {}",
            clock(self.elapsed),
            count(reading.produced),
            count(self.produced_rate),
            count(reading.aggregated),
            count(self.aggregated_rate),
            count(reading.lag),
            count(reading.documents),
        );
        if let Some(per_event) = self.per_event() {
            let _ = write!(line, " ({per_event} per event)");
        }
        if let Some(report) = &self.report {
            let _ = write!(line, "  revenue {} {}", report.day, money(report.revenue_minor, &report.currency));
            if let Some(first) = report.top_countries.first() {
                let _ = write!(line, "  most in {}", first.country);
            }
        }
        if let Some(warning) = &self.warning {
            let _ = write!(line, "  ! {warning}");
        }
        line
    }

    /// The table, line by line.
    pub(super) fn table(&self) -> Vec<String> {
        let reading = &self.reading;
        let goal = self.goal.map_or_else(String::new, |goal| format!(" of {}", group(&goal.to_string())));
        let mut lines = vec![
            format!("storepulse   {}   Ctrl-C stops everything", clock(self.elapsed)),
            String::new(),
            row("events produced", reading.produced, &format!("{}/s{goal}", count(self.produced_rate))),
            row("events aggregated", reading.aggregated, &format!("{}/s", count(self.aggregated_rate))),
            row("lag (events)", reading.lag, ""),
            row(
                "documents written",
                reading.documents,
                &self.per_event().map_or_else(String::new, |ratio| format!("{ratio} per event")),
            ),
        ];
        let odd = [
            ("duplicates", reading.duplicates),
            ("dead letters", reading.dead_letters),
            ("delivery errors", reading.delivery_errors),
        ];
        for (name, value) in odd {
            if value.is_some_and(|value| value > 0.0) {
                lines.push(row(name, value, ""));
            }
        }
        lines.push(String::new());
        match &self.report {
            Some(report) => lines.extend(shop(report)),
            None => lines.push("the shop's figures appear with the first documents".to_owned()),
        }
        if let Some(warning) = &self.warning {
            lines.extend([String::new(), format!("! {warning}")]);
        }
        lines
    }

    fn per_event(&self) -> Option<String> {
        let events = self.reading.aggregated.filter(|events| *events > 0.0)?;
        Some(format!("{:.4}", self.reading.documents? / events))
    }
}

fn shop(report: &ShopReport) -> Vec<String> {
    let currency = &report.currency;
    let mut lines = vec![
        format!(
            "revenue {}   {}   {} purchases, {} sessions",
            report.day,
            money(report.revenue_minor, currency),
            group(&report.purchase_count.to_string()),
            group(&report.started_sessions_count.to_string()),
        ),
        String::new(),
        format!("{:<24}  top products", "top countries"),
    ];
    let rows = report.top_countries.len().max(report.top_products.len()).min(TOP);
    for index in 0..rows {
        let country = report.top_countries.get(index).map_or_else(String::new, |entry| {
            format!("{:<4}{:>18}", entry.country, money(entry.revenue_minor, currency))
        });
        let product = report.top_products.get(index).map_or_else(String::new, |entry| {
            let name: String = entry.name.as_ref().unwrap_or(&entry.id).chars().take(PRODUCT_WIDTH).collect();
            format!("{name:<PRODUCT_WIDTH$}{:>16}", money(entry.revenue_minor, currency))
        });
        lines.push(format!("{country:<24}  {product}").trim_end().to_owned());
    }
    lines
}

fn row(name: &str, value: Option<f64>, detail: &str) -> String {
    format!("{name:<20}{:>14}   {detail}", count(value)).trim_end().to_owned()
}

fn count(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| group(&format!("{value:.0}")))
}

/// Amounts here are of a currency with two decimals, as all of the shop's are.
pub(super) fn money(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02} {currency}", group(&(minor / 100).to_string()), minor % 100)
}

/// Puts a comma between thousands.
pub(super) fn group(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(group("1234567"), "1,234,567");
        assert_eq!(group("-123"), "-123");
        assert_eq!(group("12"), "12");
        assert_eq!(money(-1_234_505, "USD"), "-12,345.05 USD");
    }

    #[test]
    fn unknown_figures_are_dashes_and_the_ratio_needs_events() {
        let view = View::default();
        assert!(view.line().contains("produced – (–/s)"));
        assert!(!view.line().contains("per event"));
        let reading = Reading { aggregated: Some(1000.0), documents: Some(12.0), ..Reading::default() };
        let view = View { reading, ..View::default() };
        assert!(view.line().contains("(0.0120 per event)"));
    }
}
