//! Server-sent events: what happens now, the pipeline, and whether the store answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use storepulse_events::CountryCode;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Shared, api};
use crate::auth::Visitor;
use crate::error::ApiError;
use crate::params::Params;
use crate::pipeline::PERIOD;

/// After how long a browser comes back.
const RETRY: Duration = Duration::from_millis(2_000);
/// How often a comment keeps the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Messages that wait for a slow browser.
const WAITING: usize = 4;
/// A browser that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// `GET /api/stream`.
///
/// # Errors
///
/// Parameters, and too many streams.
pub async fn stream(
    State(site): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let country = Params::parse(query.as_deref()).country()?;
    let place = Arc::clone(&site.streams).try_acquire_owned().map_err(|_| ApiError::TooMany {
        message: "too many pages watch: see DASHBOARD_MAX_VIEWERS".to_owned(),
        retry_after: Duration::from_secs(10),
    })?;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let _viewer = site.reader.meter.viewer();
        let _place = place;
        let over = async {
            match &visitor.session {
                Some(session) => {
                    let _ = tokio::time::timeout_at(Instant::from_std(session.until), session.ended.cancelled()).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = feed(&site, country, &sender) => {}
            () = site.stop.cancelled() => {}
            () = sender.closed() => {}
            () = over => {}
        }
    });
    let messages = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|message| (Ok(message), receiver))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Why nothing more is sent.
struct Gone;

/// Sends until the browser is gone. A service that is slow to answer holds nothing up but what is told of it.
async fn feed(site: &Shared, country: Option<CountryCode>, sender: &mpsc::Sender<Event>) -> Result<(), Gone> {
    tokio::try_join!(documents(site, country, sender), services(site, sender)).map(|_| ())
}

/// What the store tells, and whether it does.
async fn documents(site: &Shared, country: Option<CountryCode>, sender: &mpsc::Sender<Event>) -> Result<(), Gone> {
    let mut store = site.reader.watch.subscribe();
    let state = store.borrow_and_update().clone();
    send(sender, message("store", &state)?.retry(RETRY)).await?;
    let mut now = site.hub.watch(country);
    now.mark_changed();
    loop {
        tokio::select! {
            changed = now.changed() => {
                changed.map_err(|_| Gone)?;
                let told = now.borrow_and_update().clone();
                if let Some(told) = told {
                    send(sender, Event::default().event("now").data(&*told.json)).await?;
                }
            }
            changed = store.changed() => {
                changed.map_err(|_| Gone)?;
                let state = store.borrow_and_update().clone();
                send(sender, message("store", &state)?).await?;
            }
        }
    }
}

/// What the services tell.
async fn services(site: &Shared, sender: &mpsc::Sender<Event>) -> Result<(), Gone> {
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let view = api::pipeline_view(site).await;
        send(sender, message("pipeline", &view)?).await?;
    }
}

fn message(name: &str, data: &impl serde::Serialize) -> Result<Event, Gone> {
    let json = serde_json::to_string(data).map_err(|_| Gone)?;
    Ok(Event::default().event(name).data(json))
}

async fn send(sender: &mpsc::Sender<Event>, event: Event) -> Result<(), Gone> {
    sender.send_timeout(event, PATIENCE).await.map_err(|_| Gone)
}
