//! Figures: which documents each answer is made of.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use storepulse_analytics::document::path::escape;
use storepulse_analytics::store::{Fields, Query};
use storepulse_events::{CountryCode, Day, Timestamp};

use super::Shared;
use crate::auth::Visitor;
use crate::clock::{hours_of, rfc3339};
use crate::error::ApiError;
use crate::params::{Days, MAX_LIMIT, Params};
use crate::reader::{Answer, Keep, Reader, as_of, keep_of, name_path};
use crate::table;
use crate::views::funnel::{self, DAY_COLUMNS, FunnelRates, Visits};
use crate::views::items::{self, CategoryRow, PRODUCT_COLUMNS, ProductRow};
use crate::views::now::{is_final, place, watermark};
use crate::views::shop::{self, COUNTRY_COLUMNS, CountryRow, Funnel};
use crate::views::trending::Trending;
use crate::views::{Document, session::Session};

type Answered = Result<Json<Value>, ApiError>;

/// Products of a day that are looked at, the most interesting first.
const PRODUCTS_A_DAY: u32 = MAX_LIMIT as u32;

fn answered(value: impl Serialize) -> Answered {
    let text = |e: serde_json::Error| ApiError::NotFound(e.to_string());
    Ok(Json(serde_json::to_value(value).map_err(text)?))
}

fn csv(name: &str, days: Days, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}-{}-{}.csv\"", days.from, days.to);
    let kind = "text/csv; charset=utf-8".to_owned();
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], text).into_response()
}

/// `GET /api/meta`.
pub async fn meta(State(site): State<Shared>, Extension(visitor): Extension<Visitor>) -> Json<Value> {
    let (now, meter) = (site.reader.clock().now(), &site.reader.meter);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "currency": site.currency.as_str(),
        "currency_exponent": 2,
        "now": rfc3339(now),
        "today": now.day().to_string(),
        "user": visitor.user,
        "grafana_url": site.grafana_url,
        "reads_per_viewer_hour": meter.per_viewer_hour(Instant::now()),
        "reads_per_viewer_hour_bound": meter.bound(),
    }))
}

/// `GET /api/now`.
///
/// # Errors
///
/// Parameters, and the store's.
pub async fn now(State(site): State<Shared>, RawQuery(query): RawQuery) -> Answered {
    let country = Params::parse(query.as_deref()).country()?;
    // So that the figures of the services are there.
    let _ = site.pipeline.latest().await;
    answered(&*site.hub.now(country).await?)
}

/// `GET /api/pipeline`.
///
/// # Errors
///
/// None: what is not known is left open.
pub async fn pipeline(State(site): State<Shared>) -> Answered {
    answered(pipeline_view(&site).await)
}

/// What is known of the services, with the watermark and the store's state.
pub async fn pipeline_view(site: &Shared) -> crate::pipeline::PipelineView {
    let mut view = site.pipeline.latest().await.view.clone();
    // A store that hangs holds up nothing else that is known.
    let read = site.reader.paths(vec![WATERMARKS.to_owned()], Keep::TODAY);
    let read = tokio::time::timeout(WATERMARK_LIMIT, read).await.ok().and_then(Result::ok);
    let mark = read.and_then(|answer| watermark(answer.documents.get(WATERMARKS)).ok().flatten());
    view.watermark = mark.map(rfc3339);
    let store = site.reader.watch.now();
    if !store.is_ok() {
        view.reasons.push(format!("The store does not answer the dashboard: {}.", store.message.trim_end_matches('.')));
        if view.health == "ok" {
            view.health = "degraded";
        }
    }
    view
}

const WATERMARKS: &str = "watermarks/events";
/// How long they may take to be read.
const WATERMARK_LIMIT: Duration = Duration::from_secs(1);

/// Answers about several days, each with how long it holds.
type ByDay = Vec<(Day, Answer, Keep)>;

/// Asks about each day, some at a time.
async fn by_day<F, A>(days: Days, today: Day, ask: F) -> Result<ByDay, ApiError>
where
    F: Fn(Day, Keep) -> A,
    A: Future<Output = Result<Answer, ApiError>>,
{
    use futures::{StreamExt, TryStreamExt};
    let asked: Vec<_> = days
        .iter()
        .map(|day| {
            let keep = keep_of(day, today);
            let answer = ask(day, keep);
            async move { Ok::<_, ApiError>((day, answer.await?, keep)) }
        })
        .collect();
    futures::stream::iter(asked).buffered(8).try_collect().await
}

fn read_at(answers: &[&ByDay], reader: &Reader) -> Timestamp {
    let all: Vec<(&Answer, Keep)> =
        answers.iter().flat_map(|by_day| by_day.iter()).map(|(_, answer, keep)| (answer, *keep)).collect();
    as_of(all).unwrap_or_else(|| reader.clock().now())
}

/// The countries' documents of the shop.
async fn countries(reader: &Reader, days: Days) -> Result<ByDay, ApiError> {
    by_day(days, reader.clock().today(), |day, keep| {
        let query =
            Query::group("statistics").with("subject", "shop").with("scope", "country").with("grain", day.to_string());
        reader.query(query, keep)
    })
    .await
}

fn documents(by_day: &ByDay) -> impl Iterator<Item = Document<'_>> {
    by_day.iter().flat_map(|(_, answer, _)| answer.documents.iter()).map(|(path, fields)| Document::new(path, fields))
}

async fn world_rows(site: &Shared, query: Option<&str>) -> Result<(Days, Timestamp, Vec<CountryRow>), ApiError> {
    let params = Params::parse(query);
    let days = params.days(site.reader.clock().today())?;
    let (sort, country) = (params.sort(&COUNTRY_COLUMNS, "-revenue_minor")?, params.country()?);
    let read = countries(&site.reader, days).await?;
    let mut rows = shop::countries(documents(&read))?;
    if let Some(country) = country {
        rows.retain(|row| row.country == country.as_str());
    }
    table::sort(&mut rows, sort);
    Ok((days, read_at(&[&read], &site.reader), rows))
}

/// `GET /api/world`.
///
/// # Errors
///
/// Parameters, and the store's.
pub async fn world(State(site): State<Shared>, RawQuery(query): RawQuery) -> Answered {
    let (days, at, rows) = world_rows(&site, query.as_deref()).await?;
    answered(
        json!({ "as_of": rfc3339(at), "from": days.from.to_string(), "to": days.to.to_string(), "countries": rows }),
    )
}

/// `GET /api/world.csv`.
///
/// # Errors
///
/// As [`world`].
pub async fn world_csv(State(site): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let (days, _, rows) = world_rows(&site, query.as_deref()).await?;
    Ok(csv("world", days, table::csv(&COUNTRY_COLUMNS, &rows)))
}

/// The documents of products or categories, the most interesting of each day.
async fn items_of(reader: &Reader, subject: &str, country: Option<CountryCode>, days: Days) -> Result<ByDay, ApiError> {
    by_day(days, reader.clock().today(), |day, keep| {
        let query = Query::group("statistics").with("subject", subject).with("grain", day.to_string());
        let query = match country {
            Some(country) => query.with("country", country.to_string()),
            None => query.with("scope", "world"),
        };
        reader.query(query.highest("interest_score").limit(PRODUCTS_A_DAY), keep)
    })
    .await
}

struct ProductRows {
    days: Days,
    country: Option<CountryCode>,
    read_at: Timestamp,
    products: Vec<ProductRow>,
    is_complete: bool,
    categories: Vec<CategoryRow>,
}

async fn product_rows(site: &Shared, query: Option<&str>) -> Result<ProductRows, ApiError> {
    let (params, reader) = (Params::parse(query), &site.reader);
    let (days, country) = (params.days(reader.clock().today())?, params.country()?);
    let (limit, search) = (params.limit()?, params.search()?);
    let sort = params.sort(&PRODUCT_COLUMNS, "-interest_score")?;
    let (products, categories) =
        tokio::try_join!(items_of(reader, "product", country, days), items_of(reader, "category", country, days))?;
    let ids =
        |by_day: &ByDay, collection| documents(by_day).filter_map(|d| d.id_in(collection)).collect::<BTreeSet<_>>();
    let (product_names, category_names) = tokio::try_join!(
        reader.names("products", ids(&products, "products")),
        reader.names("categories", ids(&categories, "categories"))
    )?;
    let mut product_rows = items::products(documents(&products), &product_names)?;
    let mut category_rows = items::categories(documents(&categories), &category_names)?;
    if let Some(search) = search {
        let has =
            |row: &ProductRow| row.name.to_lowercase().contains(&search) || row.id.to_lowercase().contains(&search);
        product_rows.retain(has);
    }
    table::sort(&mut product_rows, sort);
    table::sort(&mut category_rows, sort);
    product_rows.truncate(limit);
    category_rows.truncate(limit);
    Ok(ProductRows {
        days,
        country,
        read_at: read_at(&[&products, &categories], reader),
        is_complete: products.iter().all(|(_, answer, _)| answer.documents.len() < PRODUCTS_A_DAY as usize),
        products: product_rows,
        categories: category_rows,
    })
}

/// `GET /api/products`.
///
/// # Errors
///
/// Parameters, and the store's.
pub async fn products(State(site): State<Shared>, RawQuery(query): RawQuery) -> Answered {
    let rows = product_rows(&site, query.as_deref()).await?;
    let path = format!("{}/trending", place(rows.country, "leaderboards"));
    let board = site.reader.paths(vec![path.clone()], Keep::TODAY).await?;
    let trending = board.documents.get(&path).map(|fields| Trending::of(Document::new(&path, fields))).transpose()?;
    answered(json!({
        "as_of": rfc3339(rows.read_at),
        "from": rows.days.from.to_string(),
        "to": rows.days.to.to_string(),
        "country": rows.country.map(|country| country.to_string()),
        "trending": trending.flatten(),
        "products": rows.products,
        "is_complete": rows.is_complete,
        "categories": rows.categories,
    }))
}

/// `GET /api/products.csv`.
///
/// # Errors
///
/// As [`products`].
pub async fn products_csv(State(site): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let rows = product_rows(&site, query.as_deref()).await?;
    Ok(csv("products", rows.days, table::csv(&PRODUCT_COLUMNS, &rows.products)))
}

/// `GET /api/products/{id}`.
///
/// # Errors
///
/// If there is no such product; parameters, and the store's.
pub async fn product(State(site): State<Shared>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answered {
    let (params, reader) = (Params::parse(query.as_deref()), &site.reader);
    let (today, country) = (reader.clock().today(), params.country()?);
    let days = params.days(today)?;
    let mut directory = format!("{}/", place(country, "products"));
    escape(&id, &mut directory);
    let day_path = |day: Day| format!("{directory}/statistics/{day}");
    let (named, lifetime_path) = (name_path("products", &id), format!("{directory}/statistics/lifetime"));
    let hour_paths: Vec<String> = match country {
        Some(_) => Vec::new(),
        None => hours_of(days.to).map(|hour| format!("{directory}/hours/{hour}")).collect(),
    };
    let lifetimes = BTreeSet::from([named.clone(), lifetime_path.clone(), WATERMARKS.to_owned()]);
    let (lifetimes, by_day, hours) = tokio::try_join!(
        reader.paths(lifetimes.into_iter().collect(), Keep::TODAY),
        by_day(days, today, |day, keep| reader.paths(vec![day_path(day)], keep)),
        reader.paths(hour_paths, keep_of(days.to, today)),
    )?;
    let world = lifetimes.documents.get(&named);
    if world.is_none() && documents(&by_day).next().is_none() && hours.documents.is_empty() {
        return Err(ApiError::NotFound(format!("there is no product {:?}", id.chars().take(100).collect::<String>())));
    }
    let name = world.map(|fields| Document::new(&named, fields).text("name")).transpose()?.flatten();
    let name = name.filter(|name| !name.is_empty()).unwrap_or(&id).to_owned();
    let row = |document: Document<'_>| items::product(document, &id, &name);
    let lifetime = lifetimes.documents.get(&lifetime_path).map(|fields| row(Document::new(&lifetime_path, fields)));
    let watermark = watermark(lifetimes.documents.get(WATERMARKS))?;
    let day_rows = documents(&by_day)
        .map(|document| Ok::<_, ApiError>(items::DayRow { day: document.last_id().to_owned(), row: row(document)? }));
    let hour_rows = hours.documents.iter().map(|(path, fields)| {
        let document = Document::new(path, fields);
        Ok::<_, ApiError>(items::HourRow {
            hour: document.last_id().to_owned(),
            is_final: is_final(document, watermark)?,
            events_after_close_count: document.count("events_after_close_count")?,
            row: row(document)?,
        })
    });
    answered(json!({
        "as_of": rfc3339(read_at(&[&by_day], reader)),
        "id": id,
        "name": name,
        "from": days.from.to_string(),
        "to": days.to.to_string(),
        "country": country.map(|country| country.to_string()),
        "lifetime": lifetime.transpose()?,
        "days": day_rows.collect::<Result<Vec<_>, _>>()?,
        "hours": hour_rows.collect::<Result<Vec<_>, _>>()?,
    }))
}

/// The days of the funnel, with their visits.
async fn funnel_days(
    reader: &Reader,
    country: Option<CountryCode>,
    days: Days,
) -> Result<(ByDay, Vec<funnel::DayRow>), ApiError> {
    let shop = |day: Day| format!("{}/{day}", place(country, "statistics"));
    let visits = |day: Day| format!("{}/{day}", place(country, "visits"));
    let read =
        by_day(days, reader.clock().today(), |day, keep| reader.paths(vec![shop(day), visits(day)], keep)).await?;
    let rows = read.iter().map(|(day, answer, _)| {
        let (shop, visits) = (shop(*day), visits(*day));
        let of = |path: &str| -> Option<&Fields> { answer.documents.get(path) };
        Ok::<_, ApiError>(funnel::DayRow {
            day: day.to_string(),
            visits: of(&visits).map(|fields| Visits::of(Document::new(&visits, fields))).transpose()?,
            funnel: of(&shop).map(|fields| Funnel::of(Document::new(&shop, fields))).transpose()?.unwrap_or_default(),
        })
    });
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok((read, rows))
}

/// `GET /api/funnel`.
///
/// # Errors
///
/// Parameters, and the store's.
pub async fn funnel(State(site): State<Shared>, RawQuery(query): RawQuery) -> Answered {
    let (params, reader) = (Params::parse(query.as_deref()), &site.reader);
    let (today, country) = (reader.clock().today(), params.country()?);
    let days = params.days(today)?;
    let hour_paths = hours_of(days.to).map(|hour| format!("{}/{hour}", place(country, "hours"))).collect();
    let of_countries = async {
        match country {
            Some(_) => Ok(Vec::new()),
            None => countries(reader, days).await,
        }
    };
    let ((read, by_day), hours, of_countries) = tokio::try_join!(
        funnel_days(reader, country, days),
        reader.paths(hour_paths, keep_of(days.to, today)),
        of_countries
    )?;
    let mut total = Funnel::default();
    by_day.iter().for_each(|row| total.add(&row.funnel));
    let by_hour = hours.documents.iter().map(|(path, fields)| {
        let document = Document::new(path, fields);
        Ok::<_, ApiError>(funnel::HourRow { hour: document.last_id().to_owned(), funnel: Funnel::of(document)? })
    });
    let by_hour = by_hour.collect::<Result<Vec<_>, _>>()?;
    let rows = shop::countries(documents(&of_countries))?;
    let mut by_country: Vec<funnel::CountryRow> =
        rows.into_iter().map(|row| funnel::CountryRow { country: row.country, funnel: row.day.sessions }).collect();
    by_country.sort_by_key(|row| std::cmp::Reverse(row.funnel.sessions_count));
    answered(json!({
        "as_of": rfc3339(read_at(&[&read, &of_countries], reader)),
        "from": days.from.to_string(),
        "to": days.to.to_string(),
        "country": country.map(|country| country.to_string()),
        "rates": FunnelRates::of(&total),
        "total": total,
        "visits": by_day.last().and_then(|row| row.visits.clone()),
        "by_day": by_day,
        "by_hour": by_hour,
        "by_country": by_country,
    }))
}

/// `GET /api/funnel.csv`: the days.
///
/// # Errors
///
/// As [`funnel()`].
pub async fn funnel_csv(State(site): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let (params, reader) = (Params::parse(query.as_deref()), &site.reader);
    let (days, country) = (params.days(reader.clock().today())?, params.country()?);
    let sort = params.sort(&DAY_COLUMNS, "day")?;
    let (_, mut rows) = funnel_days(reader, country, days).await?;
    table::sort(&mut rows, sort);
    Ok(csv("funnel", days, table::csv(&DAY_COLUMNS, &rows)))
}

/// `GET /api/sessions/{id}`.
///
/// # Errors
///
/// If there is no history of such a session; and the store's.
pub async fn session(State(site): State<Shared>, Path(id): Path<String>) -> Answered {
    let mut path = "sessions_history/".to_owned();
    escape(&id, &mut path);
    let read = site.reader.paths(vec![path.clone()], Keep::TODAY).await?;
    let Some(history) = read.documents.get(&path) else {
        return Err(ApiError::NotFound(format!(
            "there is no session {:?}; its history is written some seconds after its end",
            id.chars().take(100).collect::<String>()
        )));
    };
    answered(Session::of(&id, Document::new(&path, history), read.read_at)?)
}
