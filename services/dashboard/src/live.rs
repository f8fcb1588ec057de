//! What viewers watch: one listener for the shop, and one for each country that somebody looks at, shared by all.
//!
//! A *room* listens to today's document, the last windows and the watermarks, and tells all its viewers what happens now, at
//! most once a second. It exists while it has viewers, and some seconds longer, because a page that is loaded anew comes back.
//! What it does not listen to (yesterday, older windows) it reads every quarter of an hour, when a window begins; at
//! midnight that is another day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use storepulse_analytics::store::{Heard, Query, StoreError};
use storepulse_events::{CountryCode, Day, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::{WINDOW, window_id, window_start};
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::reader::{Answer, Keep, Reader, shown};
use crate::views::now::{Board, Now, place};

/// The least time between two messages.
const LEAST_BETWEEN: Duration = Duration::from_secs(1);
/// How long a room waits for viewers to come back.
const LINGER: Duration = Duration::from_secs(5);
/// The pause after a failed read.
const RETRY: Duration = Duration::from_secs(1);
/// How many windows are listened to: the present one and those that late events still change often.
const LIVE_WINDOWS: i64 = 5;
/// The document of the watermarks.
const WATERMARKS: &str = "watermarks/events";

/// What a room tells: the view, and how it is sent.
#[derive(Clone, Debug)]
pub struct Told {
    /// The view.
    pub now: Arc<Now>,
    /// The view as JSON.
    pub json: Arc<str>,
    is_current: bool,
}

type Rooms = Arc<Mutex<HashMap<Option<CountryCode>, Arc<watch::Sender<Option<Told>>>>>>;

/// See the [module](self).
#[derive(Clone)]
pub struct Hub {
    reader: Arc<Reader>,
    pipeline: Arc<Pipeline>,
    metrics: Metrics,
    rooms: Rooms,
    stop: CancellationToken,
}

impl Hub {
    /// Without rooms. `stop` ends all of them.
    pub fn new(reader: Arc<Reader>, pipeline: Arc<Pipeline>, metrics: Metrics, stop: CancellationToken) -> Self {
        Self { reader, pipeline, metrics, rooms: Rooms::default(), stop }
    }

    /// What happens, in a country or everywhere: nothing until the first documents are there. Must be called inside a Tokio
    /// runtime.
    pub fn watch(&self, country: Option<CountryCode>) -> watch::Receiver<Option<Told>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(&country) {
            return room.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        rooms.insert(country, Arc::clone(&sender));
        let room = Room { hub: self.clone(), country, viewers: sender };
        tokio::spawn(room.run());
        receiver
    }

    /// What happens now: from the room, if there is one that knows, else read.
    ///
    /// # Errors
    ///
    /// As [`Reader::ask`].
    pub async fn now(&self, country: Option<CountryCode>) -> Result<Arc<Now>, ApiError> {
        let told = {
            let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.get(&country).and_then(|room| room.borrow().clone())
        };
        if let Some(told) = told.filter(|told| told.is_current) {
            return Ok(told.now);
        }
        let at = self.reader.clock().now();
        let mut board = self.past(country, at).await?;
        let answer = self.reader.paths(live_paths(country, at), Keep::NOW).await?;
        for (path, fields) in answer.documents.iter() {
            board.put(country, at.day(), path, Some(fields.clone()));
        }
        Ok(Arc::new(board.now(country, at, answer.read_at, self.pipeline.pulse())?))
    }

    /// Yesterday, and the windows before those that are listened to.
    async fn past(&self, country: Option<CountryCode>, at: Timestamp) -> Result<Board, ApiError> {
        let yesterday = Day::from_number(at.day().number() - 1);
        let first = window_id(yesterday.start());
        let last = window_id(Timestamp::from_micros(window_start(at).micros() - LIVE_WINDOWS * WINDOW));
        let parent = country.map(|country| format!("countries/{country}")).unwrap_or_default();
        let windows = Query::group("windows").under(parent).between(first, last);
        let day = format!("{}/{yesterday}", place(country, "statistics"));
        let (windows, day): (Result<Answer, _>, Result<Answer, _>) = tokio::join!(
            self.reader.query(windows, Keep::YESTERDAY),
            self.reader.paths(vec![day.clone()], Keep::YESTERDAY)
        );
        let mut board = Board::default();
        for (path, fields) in windows?.documents.iter().chain(day?.documents.iter()) {
            board.put(country, at.day(), path, Some(fields.clone()));
        }
        Ok(board)
    }
}

/// What is listened to.
fn live_paths(country: Option<CountryCode>, at: Timestamp) -> Vec<String> {
    let windows = place(country, "windows");
    let window = |back: i64| {
        let start = Timestamp::from_micros(window_start(at).micros() - back * WINDOW);
        format!("{windows}/{}", window_id(start))
    };
    let mut paths = vec![format!("{}/{}", place(country, "statistics"), at.day()), WATERMARKS.to_owned()];
    paths.extend((0..LIVE_WINDOWS).map(window));
    paths
}

impl Board {
    /// Puts a document where it belongs, by its path.
    fn put(
        &mut self,
        country: Option<CountryCode>,
        today: Day,
        path: &str,
        fields: Option<storepulse_analytics::store::Fields>,
    ) {
        let Some((directory, id)) = path.rsplit_once('/') else { return };
        if path == WATERMARKS {
            self.watermarks = fields;
        } else if directory == place(country, "windows") {
            match fields {
                Some(fields) => drop(self.windows.insert(id.to_owned(), fields)),
                None => drop(self.windows.remove(id)),
            }
        } else if id == today.to_string() {
            self.today = fields;
        } else {
            self.yesterday = fields;
        }
    }
}

struct Room {
    hub: Hub,
    country: Option<CountryCode>,
    viewers: Arc<watch::Sender<Option<Told>>>,
}

/// Why a room stops listening to what it listens to.
#[derive(Debug)]
enum End {
    /// It is another window, and perhaps another day.
    Later,
    /// The store's.
    Failed(StoreError),
    /// More was read than may be.
    Expensive,
}

impl Room {
    async fn run(self) {
        self.hub.metrics.listeners.inc();
        tokio::select! {
            () = self.listen_again() => {}
            () = self.hub.stop.cancelled() => {}
            () = self.deserted() => {}
        }
        self.hub.metrics.listeners.dec();
    }

    /// Waits until all viewers are gone and did not come back, and closes the room.
    async fn deserted(&self) {
        loop {
            self.viewers.closed().await;
            tokio::time::sleep(LINGER).await;
            let mut rooms = self.hub.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            if self.viewers.receiver_count() == 0 {
                rooms.remove(&self.country);
                return;
            }
        }
    }

    async fn listen_again(&self) {
        loop {
            let end = match self.prepare().await {
                Ok((board, at)) => self.listen(board, at).await,
                Err(ApiError::Store(error)) => End::Failed(error),
                Err(_) => End::Expensive,
            };
            match end {
                End::Later => {}
                End::Failed(error) => {
                    self.lose();
                    tracing::debug!(%error, country = ?self.country, "listening ended");
                    tokio::time::sleep(RETRY).await;
                }
                End::Expensive => {
                    self.lose();
                    tokio::time::sleep(10 * RETRY).await;
                }
            }
        }
    }

    /// What was told last is no longer known to be so.
    fn lose(&self) {
        self.viewers.send_if_modified(|told| {
            if let Some(told) = told {
                told.is_current = false;
            }
            false
        });
    }

    async fn prepare(&self) -> Result<(Board, Timestamp), ApiError> {
        let reader = &self.hub.reader;
        if !reader.meter.may_read(Instant::now()) {
            let message = "the store was read too much".to_owned();
            return Err(ApiError::TooMany { message, retry_after: RETRY });
        }
        let at = reader.clock().now();
        Ok((self.hub.past(self.country, at).await?, at))
    }

    /// Listens until a window begins.
    async fn listen(&self, mut board: Board, at: Timestamp) -> End {
        let reader = &self.hub.reader;
        let mut heard = reader.store().listen(live_paths(self.country, at));
        let mut telling = Telling::default();
        loop {
            tokio::select! {
                heard = heard.next() => match heard {
                    Some(Ok(Heard::Document { path, stored })) => {
                        reader.meter.read("listen", 1, Instant::now());
                        board.put(self.country, at.day(), &path, stored.map(|stored| shown(stored.fields)));
                        telling.changed(reader.clock().now());
                    }
                    Some(Ok(Heard::Current)) => {
                        reader.note(None);
                        telling.is_current = true;
                        telling.changed(reader.clock().now());
                    }
                    Some(Err(error)) => {
                        reader.note(Some(&error));
                        telling.is_current = false;
                        self.lose();
                        if matches!(error, StoreError::Refused(_)) {
                            return End::Failed(error);
                        }
                    }
                    None => return End::Failed(StoreError::Unavailable("listening ended".to_owned())),
                },
                () = tokio::time::sleep_until(telling.due_at().into()) => {}
            }
            let now = reader.clock().now();
            if telling.is_due()
                && let Err(error) = self.tell(&board, now, &mut telling)
            {
                reader.note(Some(&error));
                return End::Failed(error);
            }
            if window_start(now) != window_start(at) {
                return End::Later;
            }
            if !reader.meter.may_read(Instant::now()) {
                return End::Expensive;
            }
        }
    }

    /// Tells the viewers, if there is anything new.
    fn tell(&self, board: &Board, now: Timestamp, telling: &mut Telling) -> Result<(), StoreError> {
        let (heard_at, changed_at) = telling.take();
        let as_of = heard_at.unwrap_or(now);
        let view = Arc::new(board.now(self.country, now, as_of, self.hub.pipeline.pulse())?);
        let is_new = |told: &Told| !told.is_current || !same(&told.now, &view);
        let told = self.viewers.borrow().clone();
        if told.is_some_and(|told| !is_new(&told)) {
            return Ok(());
        }
        let json = serde_json::to_string(&*view).unwrap_or_default();
        telling.sent = Some(Instant::now());
        self.viewers.send_replace(Some(Told { now: view, json: json.into(), is_current: true }));
        if let Some(changed_at) = changed_at {
            self.hub.metrics.update_delay.observe(self.hub.reader.clock().since(changed_at).as_secs_f64());
        }
        Ok(())
    }
}

/// Whether two views differ in nothing but when they were read.
fn same(a: &Now, b: &Now) -> bool {
    Now { as_of: String::new(), ..a.clone() } == Now { as_of: String::new(), ..b.clone() }
}

/// When to tell.
#[derive(Default)]
struct Telling {
    is_current: bool,
    looked: Option<Instant>,
    sent: Option<Instant>,
    /// The first change that was not told.
    untold_since: Option<Timestamp>,
    /// The last one.
    heard_at: Option<Timestamp>,
}

impl Telling {
    fn changed(&mut self, now: Timestamp) {
        self.untold_since.get_or_insert(now);
        self.heard_at = Some(now);
    }

    /// When something new may be told: a second after the last message, if a document has changed; and every second,
    /// because a minute may be over, or the metrics may say something else. While the store is away it is only looked
    /// whether a window begins.
    fn due_at(&self) -> Instant {
        let now = Instant::now();
        let after = |since: Option<Instant>| since.map_or(now, |since| since + LEAST_BETWEEN);
        match (self.is_current, self.untold_since) {
            (false, _) => now + LEAST_BETWEEN,
            (true, Some(_)) => after(self.sent),
            (true, None) => after(self.sent).max(after(self.looked)),
        }
    }

    fn is_due(&self) -> bool {
        self.is_current && self.due_at() <= Instant::now()
    }

    /// When what is told was heard: what passes without a change is as of now, for all that was to be heard has been heard.
    /// And when the first change of it came.
    fn take(&mut self) -> (Option<Timestamp>, Option<Timestamp>) {
        self.looked = Some(Instant::now());
        (self.heard_at.take(), self.untold_since.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listened_to_is_the_day_its_last_windows_and_the_watermarks() {
        let at = Timestamp::parse("2026-11-26T00:20:00Z").unwrap();
        let expected = [
            "countries/DE/statistics/2026-11-26",
            "watermarks/events",
            "countries/DE/windows/2026-11-26T00:15",
            "countries/DE/windows/2026-11-26T00:00",
            "countries/DE/windows/2026-11-25T23:45",
            "countries/DE/windows/2026-11-25T23:30",
            "countries/DE/windows/2026-11-25T23:15",
        ];
        assert_eq!(live_paths(CountryCode::parse("DE"), at), expected);
        let day_before = Timestamp::from_micros(at.micros() - crate::clock::DAY);
        assert_eq!(live_paths(None, day_before)[0], "statistics/2026-11-25");
    }
}
