//! What was sent so far adds up to.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

/// A reckoning of everything that was sent, kept by the tests themselves: from the simulator's ledgers, and from the
/// messages that the tests have sent. Amounts are in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Events that count.
    pub events: u64,
    /// Further copies of events.
    pub duplicates: u64,
    /// Messages that are no events.
    pub rejected: u64,
    /// The counters of `statistics/lifetime`, named as in ledgers (`total_amount_minor`).
    pub shop: BTreeMap<String, i64>,
}

impl Reckoning {
    /// Adds a simulator's ledger.
    ///
    /// # Errors
    /// When it is no ledger.
    pub fn add_ledger(&mut self, ledger: &Value) -> anyhow::Result<()> {
        let number = |name: &str| ledger[name].as_u64().with_context(|| format!("the ledger has no number {name}"));
        self.events += number("events")?;
        self.duplicates += number("duplicates")?;
        self.rejected += number("malformed")?;
        for (name, value) in ledger["totals"].as_object().context("the ledger has no totals")? {
            self.count(name, value.as_i64().with_context(|| format!("the ledger's {name} is no number"))?);
        }
        Ok(())
    }

    /// Adds an event that was sent by hand, as the contract (DESIGN §2) has it.
    ///
    /// # Errors
    /// When a number is not there.
    pub fn add_event(&mut self, event: &Value) -> anyhow::Result<()> {
        self.events += 1;
        let parameters = &event["parameters"];
        let minor = |name: &str| {
            let units = parameters[name].as_f64().with_context(|| format!("the event has no amount {name}"))?;
            anyhow::Ok((units * 100.0).round() as i64)
        };
        match event["event_type"].as_str() {
            Some("session_started") => self.count("started_sessions_count", 1),
            Some("session_ended") => {
                self.count("ended_sessions_count", 1);
                let seconds = parameters["seconds_duration"].as_i64().context("the event has no duration")?;
                self.count("total_sessions_duration_seconds", seconds);
            }
            Some("purchase") => {
                self.count("purchase_count", 1);
                self.count("total_amount_minor", minor("total_amount")?);
                self.count("total_discount_minor", minor("discount_amount")?);
                let items = parameters["items"].as_array().context("the event has no items")?;
                self.count("total_items_purchased", items.iter().filter_map(|item| item["quantity"].as_i64()).sum());
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds another reckoning.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        for (name, more) in &other.shop {
            self.count(name, *more);
        }
    }

    fn count(&mut self, name: &str, more: i64) {
        *self.shop.entry(name.to_owned()).or_default() += more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ledgers_and_events_add_up() {
        let mut reckoning = Reckoning::default();
        let totals = json!({ "purchase_count": 2, "total_amount_minor": 1999 });
        let ledger = json!({ "events": 10, "duplicates": 1, "malformed": 3, "totals": totals });
        reckoning.add_ledger(&ledger).unwrap();
        let purchase = json!({ "event_type": "purchase", "parameters": {
            "items": [{ "quantity": 2 }, { "quantity": 1 }], "total_amount": 0.01, "discount_amount": 0.0 } });
        reckoning.add_event(&purchase).unwrap();
        assert_eq!((reckoning.events, reckoning.duplicates, reckoning.rejected), (11, 1, 3));
        assert_eq!(reckoning.shop["total_amount_minor"], 2000);
        assert_eq!((reckoning.shop["purchase_count"], reckoning.shop["total_items_purchased"]), (3, 3));
    }
}
