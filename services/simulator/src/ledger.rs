//! What all workers' acknowledged messages add up to: what the documents must show.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use storepulse_events::{Day, Money, Payload};

use crate::malformed;
use crate::tally::{Counters, Part, PaymentCounters, ProductCounters, country_text};
use crate::world::World;

/// The sum of the workers' parts.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Everything but the cells, products and payments, which are below.
    pub counts: Part,
    cells: BTreeMap<(String, i32), Counters>,
    products: BTreeMap<u32, ProductCounters>,
    payments: BTreeMap<u32, PaymentCounters>,
}

impl Sum {
    /// Adds a part.
    pub fn add(&mut self, part: &Part) {
        let counts = &mut self.counts;
        counts.messages += part.messages;
        counts.failed += part.failed;
        counts.duplicates += part.duplicates;
        counts.late += part.late;
        counts.out_of_order += part.out_of_order;
        counts.events.iter_mut().zip(part.events).for_each(|(sum, more)| *sum += more);
        counts.malformed.iter_mut().zip(part.malformed).for_each(|(sum, more)| *sum += more);
        for (country, day, counters) in &part.cells {
            self.cells.entry((country_text(*country), *day)).or_default().add(counters);
        }
        for (product, counters) in &part.products {
            self.products.entry(*product).or_default().add(counters);
        }
        for (payment, counters) in &part.payments {
            self.payments.entry(*payment).or_default().add(counters);
        }
    }

    /// The ledger of a run with this seed in this world.
    pub fn ledger(&self, seed: u64, world: &World, currency: &str) -> Ledger {
        let counts = &self.counts;
        let mut totals = Counters::default();
        let mut days: BTreeMap<i32, Counters> = BTreeMap::new();
        for ((_, day), counters) in &self.cells {
            totals.add(counters);
            days.entry(*day).or_default().add(counters);
        }
        let day_text = |day: i32| Day::from_number(day).to_string();
        let named = |kind: malformed::Kind| kind.as_str();
        let product_id = |index: u32| world.products.get(index as usize).map(|p| p.id.to_string()).unwrap_or_default();
        let payment_id =
            |index: u32| world.payment_methods.get(index as usize).map(|p| p.id.to_string()).unwrap_or_default();
        Ledger {
            seed,
            currency: currency.to_owned(),
            events: counts.events.iter().sum(),
            events_by_type: Payload::TYPES.into_iter().zip(counts.events).collect(),
            duplicates: counts.duplicates,
            malformed: counts.malformed.iter().sum(),
            malformed_by_kind: malformed::Kind::ALL.into_iter().map(named).zip(counts.malformed).collect(),
            late: counts.late,
            out_of_order: counts.out_of_order,
            delivery_errors: counts.failed,
            totals,
            by_day: days.into_iter().map(|(day, counters)| DayEntry { day: day_text(day), counters }).collect(),
            cells: self
                .cells
                .iter()
                .map(|((country, day), counters)| {
                    let (country, day) = (country.clone(), day_text(*day));
                    CellEntry { country, day, counters: *counters }
                })
                .collect(),
            products: self.products.iter().map(|(i, c)| Entry { id: product_id(*i), counters: *c }).collect(),
            payments: self.payments.iter().map(|(i, c)| Entry { id: payment_id(*i), counters: *c }).collect(),
        }
    }
}

/// The counters of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayEntry {
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    /// What was counted.
    #[serde(flatten)]
    pub counters: Counters,
}

/// The counters of a country on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CellEntry {
    /// ISO 3166-1 alpha-2, of the event's `location`.
    pub country: String,
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    /// What was counted.
    #[serde(flatten)]
    pub counters: Counters,
}

/// The counters of a product or a payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry<C> {
    /// Its id.
    pub id: String,
    /// What was counted.
    #[serde(flatten)]
    pub counters: C,
}

/// What a run has sent and had acknowledged. Each unique well-formed event counts once, under the UTC day of its own
/// timestamp and its own country. Amounts are exact, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// The seed of the run.
    pub seed: u64,
    /// Unique well-formed events.
    pub events: u64,
    /// The same by type.
    pub events_by_type: BTreeMap<&'static str, u64>,
    /// Further copies of events.
    pub duplicates: u64,
    /// Messages that are no events.
    pub malformed: u64,
    /// The same by kind.
    pub malformed_by_kind: BTreeMap<&'static str, u64>,
    /// Unique events sent long after their time.
    pub late: u64,
    /// Unique events sent after their successors.
    pub out_of_order: u64,
    /// Messages that were not acknowledged, and count nowhere else.
    pub delivery_errors: u64,
    /// Currency of all amounts.
    pub currency: String,
    /// Over all.
    pub totals: Counters,
    /// By day.
    pub by_day: Vec<DayEntry>,
    /// By country and day.
    pub cells: Vec<CellEntry>,
    /// By product.
    pub products: Vec<Entry<ProductCounters>>,
    /// By payment method.
    pub payments: Vec<Entry<PaymentCounters>>,
}

/// The most rows of a table that the summary shows.
const ROWS: usize = 10;

impl Ledger {
    /// Writes the ledger as JSON, in place of `path` at once or not at all.
    ///
    /// # Errors
    ///
    /// If the directory or the file can't be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    /// A summary for people, of several lines.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<26} {value:>18}");
        };
        let money = |minor: i64| format!("{} {}", Money::from_minor(minor), self.currency);
        row("seed", self.seed.to_string());
        row("events", self.events.to_string());
        for name in Payload::TYPES {
            row(&format!("  {name}"), self.events_by_type.get(name).copied().unwrap_or(0).to_string());
        }
        for (name, count) in [
            ("late", self.late),
            ("out of order", self.out_of_order),
            ("duplicates", self.duplicates),
            ("malformed", self.malformed),
            ("delivery errors", self.delivery_errors),
        ] {
            row(name, count.to_string());
        }
        row("revenue", money(self.totals.total_amount_minor));
        row("discounts", money(self.totals.total_discount_minor));
        row("pieces sold", self.totals.total_items_purchased.to_string());
        let mut countries: BTreeMap<&str, Counters> = BTreeMap::new();
        for cell in &self.cells {
            countries.entry(&cell.country).or_default().add(&cell.counters);
        }
        let mut countries: Vec<_> = countries.into_iter().collect();
        countries.sort_by_key(|(code, counters)| (-counters.total_amount_minor, *code));
        let days = self.by_day.iter().map(|entry| (entry.day.as_str(), entry.counters)).collect();
        for (title, rows) in [("country", countries), ("day", days)] {
            self.table(&mut text, title, &rows);
        }
        text
    }

    fn table(&self, text: &mut String, title: &str, rows: &[(&str, Counters)]) {
        let _ = writeln!(text, "\n  {title:<12} {:>10} {:>10} {:>20}", "sessions", "orders", "revenue");
        for (name, c) in rows.iter().take(ROWS) {
            let revenue = format!("{} {}", Money::from_minor(c.total_amount_minor), self.currency);
            let _ =
                writeln!(text, "  {name:<12} {:>10} {:>10} {revenue:>20}", c.started_sessions_count, c.purchase_count);
        }
        if rows.len() > ROWS {
            let _ = writeln!(text, "  … and {} more", rows.len() - ROWS);
        }
    }
}
