//! What happens now.

use std::collections::BTreeMap;

use serde::Serialize;
use storepulse_analytics::store::{Fields, StoreError};
use storepulse_events::{CountryCode, Day as UtcDay, Timestamp};

use super::shop::{Day, Sums};
use super::{Document, rounded};
use crate::clock::{DAY, MINUTE, WINDOW, grain_start, rfc3339, window_id, window_start};

/// Minutes that are shown.
const MINUTES: i64 = 60;

/// See `docs/dashboard-api.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Now {
    pub as_of: String,
    pub day: String,
    pub country: Option<String>,
    pub today: Option<Day>,
    pub yesterday: Option<Day>,
    pub yesterday_until_now: Option<UntilNow>,
    pub minutes: Vec<Minute>,
    pub windows: Vec<Window>,
    pub watermark: Option<String>,
    #[serde(flatten)]
    pub pulse: Pulse,
}

/// What the services' metrics say. None: they are not reachable.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Pulse {
    pub active_sessions: Option<i64>,
    pub events_per_second: Option<f64>,
    pub lag_events: Option<i64>,
}

/// A part of yesterday.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct UntilNow {
    pub revenue_minor: i64,
    pub purchase_count: i64,
}

/// A minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Minute {
    pub start: String,
    pub events_count: i64,
    pub purchase_count: i64,
    pub revenue_minor: i64,
}

/// Fifteen minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Window {
    #[serde(flatten)]
    pub sums: Minute,
    pub is_final: bool,
    pub events_after_close_count: i64,
}

/// Where documents of the shop, or of the shop in a country, are: `statistics`, or `countries/DE/statistics`.
pub fn place(country: Option<CountryCode>, collection: &str) -> String {
    country.map_or_else(|| collection.to_owned(), |country| format!("countries/{country}/{collection}"))
}

/// The documents that it is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The shop's document of today.
    pub today: Option<Fields>,
    /// That of yesterday.
    pub yesterday: Option<Fields>,
    /// Windows by their ids, from the beginning of yesterday.
    pub windows: BTreeMap<String, Fields>,
    /// `watermarks/events`.
    pub watermarks: Option<Fields>,
}

impl Board {
    /// What the documents say at a point in time.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn now(
        &self,
        country: Option<CountryCode>,
        at: Timestamp,
        as_of: Timestamp,
        pulse: Pulse,
    ) -> Result<Now, StoreError> {
        let watermark = watermark(self.watermarks.as_ref())?;
        let shop = |fields: &Option<Fields>, day: UtcDay| {
            let path = format!("{}/{day}", place(country, "statistics"));
            fields.as_ref().map(|fields| Ok(Sums::of(Document::new(&path, fields))?.day())).transpose()
        };
        let (today, yesterday) = (at.day(), UtcDay::from_number(at.day().number() - 1));
        let directory = place(country, "windows");
        let windows: Vec<(String, &Fields)> =
            self.windows.iter().map(|(id, fields)| (format!("{directory}/{id}"), fields)).collect();
        let documents = || windows.iter().map(|(path, fields)| Document::new(path, fields));
        let first = window_id(window_start(Timestamp::from_micros(at.micros() - DAY + WINDOW)));
        let shown = documents().filter(|window| window.last_id() >= first.as_str());
        Ok(Now {
            as_of: rfc3339(as_of),
            day: today.to_string(),
            country: country.map(|country| country.to_string()),
            today: shop(&self.today, today)?,
            yesterday: shop(&self.yesterday, yesterday)?,
            yesterday_until_now: until(documents(), yesterday, Timestamp::from_micros(at.micros() - DAY))?,
            minutes: if country.is_none() { minutes(documents(), at)? } else { Vec::new() },
            windows: shown.map(|document| window(document, watermark)).collect::<Result<_, _>>()?,
            watermark: watermark.map(rfc3339),
            pulse,
        })
    }
}

/// The lowest watermark of all partitions.
///
/// # Errors
///
/// If the field is of another type.
pub fn watermark(watermarks: Option<&Fields>) -> Result<Option<Timestamp>, StoreError> {
    watermarks.map_or(Ok(None), |fields| Document::new("watermarks/events", fields).time("watermark"))
}

/// Whether a document of an hour or window changes no more, late events apart.
///
/// # Errors
///
/// If the field is of another type.
pub fn is_final(document: Document<'_>, watermark: Option<Timestamp>) -> Result<bool, StoreError> {
    Ok(document.time("closes_at")?.zip(watermark).is_some_and(|(closes, watermark)| closes <= watermark))
}

fn window(document: Document<'_>, watermark: Option<Timestamp>) -> Result<Window, StoreError> {
    let minutes = document.maps("minutes")?;
    let events = minutes.iter().map(|minute| minute.count("events_count")).sum::<Result<i64, _>>()?;
    let start = grain_start(document.last_id()).map_or_else(|| document.last_id().to_owned(), rfc3339);
    Ok(Window {
        sums: Minute {
            start,
            events_count: events,
            purchase_count: document.count("purchase_count")?,
            revenue_minor: document.minor("total_amount")?,
        },
        is_final: is_final(document, watermark)?,
        events_after_close_count: document.count("events_after_close_count")?,
    })
}

/// The minutes of a window that has them, with their beginnings.
fn minutes_of<'a>(window: Document<'a>) -> Result<Vec<(i64, Document<'a>)>, StoreError> {
    let Some(start) = grain_start(window.last_id()) else { return Ok(Vec::new()) };
    Ok((0..).map(|minute| start.micros() + minute * MINUTE).zip(window.maps("minutes")?).collect())
}

fn minute(start: i64, fields: Document<'_>) -> Result<Minute, StoreError> {
    Ok(Minute {
        start: rfc3339(Timestamp::from_micros(start)),
        events_count: fields.count("events_count")?,
        purchase_count: fields.count("purchase_count")?,
        revenue_minor: fields.minor("total_amount")?,
    })
}

/// The last minutes up to that of `at`, with zeros where there is nothing.
fn minutes<'a>(windows: impl Iterator<Item = Document<'a>>, at: Timestamp) -> Result<Vec<Minute>, StoreError> {
    let last = at.micros() - at.micros().rem_euclid(MINUTE);
    let first = last - (MINUTES - 1) * MINUTE;
    let mut shown = BTreeMap::new();
    for window in windows {
        if grain_start(window.last_id()).is_none_or(|start| start.micros() + WINDOW <= first) {
            continue;
        }
        shown.extend(minutes_of(window)?.into_iter().filter(|(start, _)| (first..=last).contains(start)));
    }
    let empty = Document::empty("windows");
    (0..MINUTES)
        .map(|n| first + n * MINUTE)
        .map(|start| minute(start, shown.get(&start).copied().unwrap_or(empty)))
        .collect()
}

/// What the windows of `day` that end by `until` add up to, and the minutes that do of the window that does not; of a
/// window without minutes, that part of it in proportion. None if there is no window of the day at all.
fn until<'a>(
    windows: impl Iterator<Item = Document<'a>>,
    day: UtcDay,
    until: Timestamp,
) -> Result<Option<UntilNow>, StoreError> {
    let (mut sum, mut has_any) = (UntilNow::default(), false);
    for window in windows {
        let Some(start) = grain_start(window.last_id()).filter(|start| start.day() == day) else { continue };
        has_any = true;
        if start.micros() + WINDOW <= until.micros() {
            sum.purchase_count += window.count("purchase_count")?;
            sum.revenue_minor += window.minor("total_amount")?;
        } else if start < until {
            let minutes = minutes_of(window)?;
            for (start, minute) in &minutes {
                if start + MINUTE <= until.micros() {
                    sum.purchase_count += minute.count("purchase_count")?;
                    sum.revenue_minor += minute.minor("total_amount")?;
                }
            }
            if minutes.is_empty() {
                let passed = (until.micros() - start.micros()) / MINUTE;
                let share = |of: i64| rounded(of.saturating_mul(passed), WINDOW / MINUTE).unwrap_or(0);
                sum.purchase_count += share(window.count("purchase_count")?);
                sum.revenue_minor += share(window.minor("total_amount")?);
            }
        }
    }
    Ok(has_any.then_some(sum))
}

#[cfg(test)]
mod tests {
    use storepulse_analytics::store::Value;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn window_of(start: &str, events: [i64; 15]) -> (String, Fields) {
        let minutes = events.map(|n| {
            let fields = [
                ("events_count", Value::Integer(n)),
                ("purchase_count", Value::Integer(n)),
                ("total_amount", Value::Double(n as f64)),
            ];
            Value::Map(fields.into_iter().collect())
        });
        let total: i64 = events.iter().sum();
        let closes = at(&format!("{start}:00Z")).micros() + WINDOW + 5 * MINUTE;
        let fields = [
            ("closes_at", Value::Timestamp(closes)),
            ("purchase_count", Value::Integer(total)),
            ("total_amount", Value::Double(total as f64)),
            ("minutes", Value::Array(minutes.to_vec())),
        ];
        (start.to_owned(), fields.into_iter().collect())
    }

    #[test]
    fn an_hour_of_minutes_has_no_gaps_and_ends_with_the_present_one() {
        let board = Board {
            windows: [window_of("2026-11-26T18:45", [1; 15]), window_of("2026-11-26T19:30", [2; 15])].into(),
            ..Board::default()
        };
        let now = board.now(None, at("2026-11-26T19:50:30Z"), at("2026-11-26T19:50:29Z"), Pulse::default()).unwrap();
        let events: Vec<i64> = now.minutes.iter().map(|m| m.events_count).collect();
        assert_eq!((events.len(), now.minutes[0].start.as_str()), (60, "2026-11-26T18:51:00Z"));
        assert_eq!(now.minutes[59].start, "2026-11-26T19:50:00Z");
        assert_eq!((events[..9].to_vec(), events[9], events[38], events[39]), (vec![1; 9], 0, 0, 2));
        assert_eq!((events[53], events[54]), (2, 0));
        assert_eq!((now.today, now.yesterday_until_now, now.watermark), (None, None, None));
        let of_country = board.now(
            CountryCode::parse("DE"),
            at("2026-11-26T19:50:30Z"),
            at("2026-11-26T19:50:29Z"),
            Pulse::default(),
        );
        assert_eq!(of_country.unwrap().minutes, []);
    }

    #[test]
    fn a_window_is_final_when_the_watermark_has_reached_its_close() {
        for (watermark, expected) in [
            ("2026-11-26T19:20:00Z", [true, false]),
            ("2026-11-26T19:19:59Z", [false, false]),
            ("2026-11-26T20:00:00Z", [true; 2]),
        ] {
            let board = Board {
                windows: [window_of("2026-11-26T19:00", [1; 15]), window_of("2026-11-26T19:15", [1; 15])].into(),
                watermarks: Some([("watermark", Value::Timestamp(at(watermark).micros()))].into_iter().collect()),
                ..Board::default()
            };
            let now =
                board.now(None, at("2026-11-26T19:50:00Z"), at("2026-11-26T19:50:00Z"), Pulse::default()).unwrap();
            assert_eq!(now.windows.iter().map(|w| w.is_final).collect::<Vec<_>>(), expected, "{watermark}");
            assert_eq!(now.windows[0].sums.events_count, 15);
        }
    }

    #[test]
    fn yesterday_until_now_ends_at_the_same_minute() {
        let board = Board {
            windows: [
                window_of("2026-11-24T23:45", [100; 15]),
                window_of("2026-11-25T10:00", [1; 15]),
                window_of("2026-11-25T10:15", [2; 15]),
                window_of("2026-11-25T10:30", [100; 15]),
            ]
            .into(),
            ..Board::default()
        };
        let until_now = |board: &Board| {
            board
                .now(None, at("2026-11-26T10:20:30Z"), at("2026-11-26T10:20:30Z"), Pulse::default())
                .unwrap()
                .yesterday_until_now
        };
        assert_eq!(until_now(&board), Some(UntilNow { revenue_minor: 2500, purchase_count: 25 }));
        let mut without_minutes = board;
        without_minutes.windows.get_mut("2026-11-25T10:15").unwrap().remove("minutes");
        assert_eq!(until_now(&without_minutes).unwrap().purchase_count, 15 + 10);
    }

    #[test]
    fn windows_are_those_of_the_last_day() {
        let board = Board {
            windows: [
                window_of("2026-11-25T19:45", [1; 15]),
                window_of("2026-11-25T20:00", [1; 15]),
                window_of("2026-11-26T19:45", [1; 15]),
            ]
            .into(),
            ..Board::default()
        };
        let now = board.now(None, at("2026-11-26T19:50:00Z"), at("2026-11-26T19:50:00Z"), Pulse::default()).unwrap();
        let starts: Vec<&str> = now.windows.iter().map(|w| w.sums.start.as_str()).collect();
        assert_eq!(starts, ["2026-11-25T20:00:00Z", "2026-11-26T19:45:00Z"]);
    }
}
