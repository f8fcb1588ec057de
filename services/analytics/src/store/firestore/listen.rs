//! Changes, told by Firestore: one `Listen` stream with a target of documents.
//!
//! A stream that is cut is opened again after a pause that grows from a quarter of a second to ten, each drawn from the
//! upper half of its length, and resumed by the last token: Firestore then sends, and bills, only what changed meanwhile.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::stream::BoxStream;
use gcloud_sdk::google::firestore::v1::listen_request::TargetChange as Wanted;
use gcloud_sdk::google::firestore::v1::listen_response::ResponseType;
use gcloud_sdk::google::firestore::v1::target::{DocumentsTarget, ResumeType, TargetType};
use gcloud_sdk::google::firestore::v1::target_change::TargetChangeType;
use gcloud_sdk::google::firestore::v1::{self as proto, ListenRequest, ListenResponse, Target};
use tonic::{Code, Status, Streaming};

use super::convert::stored;
use super::{Failure, FirestoreStore, Kind, describe};
use crate::store::{Heard, StoreError, Version};

/// The only target of a stream.
const TARGET: i32 = 1;
/// How long opening a stream may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// A stream on which nothing came for so long is opened anew: its other end may be gone.
const QUIET_LIMIT: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// See [`DocumentStore::listen`](crate::store::DocumentStore::listen).
pub(super) fn listen(store: FirestoreStore, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
    let listener = Listener {
        store,
        paths,
        open: None,
        token: Vec::new(),
        told: HashMap::new(),
        untold: BTreeSet::new(),
        ready: VecDeque::new(),
        pause: Duration::ZERO,
        has_ended: false,
    };
    futures::stream::unfold(listener, |mut listener| async move {
        let heard = listener.next().await?;
        Some((heard, listener))
    })
    .boxed()
}

struct Listener {
    store: FirestoreStore,
    paths: Vec<String>,
    open: Option<Open>,
    /// From where to go on; empty: from the beginning.
    token: Vec<u8>,
    /// What was told last: servers tell a document again when another one of the target changes.
    told: HashMap<String, Option<Version>>,
    /// Paths of which the state is not known since the target was listened to from its beginning.
    untold: BTreeSet<String>,
    ready: VecDeque<Heard>,
    pause: Duration,
    has_ended: bool,
}

struct Open {
    answers: Streaming<ListenResponse>,
    /// Dropping it ends the stream of requests, which the connection would hold otherwise.
    _requests: oneshot::Sender<()>,
}

impl Listener {
    async fn next(&mut self) -> Option<Result<Heard, StoreError>> {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return Some(Ok(heard));
            }
            if self.has_ended {
                return None;
            }
            if let Err(status) = self.hear().await {
                self.open = None;
                let text = format!("listening to {} documents: {}", self.paths.len(), describe(&status));
                let error = Failure { kind: Kind::of(&status), text }.of_read();
                self.has_ended = matches!(error, StoreError::Refused(_));
                return Some(Err(error));
            }
        }
    }

    /// Takes one answer in, from a stream that it opens if there is none.
    async fn hear(&mut self) -> Result<(), Status> {
        if self.open.is_none() {
            tokio::time::sleep(jittered(self.pause)).await;
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            self.open = Some(self.open().await?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        match tokio::time::timeout(QUIET_LIMIT, open.answers.message()).await {
            Ok(answer) => match answer?.and_then(|answer| answer.response_type) {
                Some(answer) => self.take(answer),
                None => Err(Status::unavailable("the stream ended")),
            },
            Err(_) => {
                // No trouble yet.
                self.open = None;
                self.pause = Duration::ZERO;
                Ok(())
            }
        }
    }

    async fn open(&mut self) -> Result<Open, Status> {
        if self.token.is_empty() {
            self.untold = self.paths.iter().cloned().collect();
        }
        let documents = self.paths.iter().map(|path| self.store.name(path)).collect();
        let target = Target {
            target_id: TARGET,
            target_type: Some(TargetType::Documents(DocumentsTarget { documents })),
            resume_type: (!self.token.is_empty()).then(|| ResumeType::ResumeToken(self.token.clone())),
            ..Default::default()
        };
        let request = ListenRequest {
            database: self.store.db.get_database_path().clone(),
            target_change: Some(Wanted::AddTarget(target)),
            ..Default::default()
        };
        let (requests, ended) = oneshot::channel::<()>();
        let stream = futures::stream::iter([request]).chain(futures::stream::pending()).take_until(ended);
        let mut client = self.store.client();
        let opened = tokio::time::timeout(OPEN_LIMIT, client.listen(self.store.request(stream))).await;
        let answers = opened.map_err(|_| Status::unavailable("no stream within 10 s"))??.into_inner();
        Ok(Open { answers, _requests: requests })
    }

    fn take(&mut self, answer: ResponseType) -> Result<(), Status> {
        match answer {
            ResponseType::TargetChange(change) => return self.target_changed(change),
            ResponseType::DocumentChange(change) => {
                if let Some(document) = change.document {
                    let path = self.store.path(&document.name).to_owned();
                    self.tell(path, Some(document));
                }
            }
            ResponseType::DocumentDelete(gone) => self.is_gone(&gone.document),
            ResponseType::DocumentRemove(gone) => self.is_gone(&gone.document),
            ResponseType::Filter(filter) => {
                // Firestore says how many there are; not as many as are known here: a deletion was missed.
                if usize::try_from(filter.count).is_ok_and(|count| count != self.existing()) {
                    self.token.clear();
                    self.pause = FIRST_PAUSE;
                    self.open = None;
                }
            }
        }
        Ok(())
    }

    fn is_gone(&mut self, name: &str) {
        let path = self.store.path(name).to_owned();
        self.tell(path, None);
    }

    fn tell(&mut self, path: String, document: Option<proto::Document>) {
        let stored = document.map(stored);
        self.untold.remove(&path);
        let version = stored.as_ref().map(|stored| stored.version);
        if self.told.insert(path.clone(), version) != Some(version) {
            self.ready.push_back(Heard::Document { path, stored });
        }
    }

    /// How many documents are known to exist.
    fn existing(&self) -> usize {
        self.told.values().flatten().count()
    }

    fn target_changed(&mut self, change: proto::TargetChange) -> Result<(), Status> {
        let kind = TargetChangeType::try_from(change.target_change_type).unwrap_or(TargetChangeType::NoChange);
        match kind {
            TargetChangeType::Remove => {
                // The token may be what it does not like.
                self.token.clear();
                let cause = change.cause.unwrap_or_default();
                return Err(Status::new(Code::from(cause.code), format!("the target was removed: {}", cause.message)));
            }
            TargetChangeType::Reset => {
                self.token.clear();
                self.untold = self.paths.iter().cloned().collect();
            }
            TargetChangeType::Current => {
                self.pause = Duration::ZERO;
                for path in std::mem::take(&mut self.untold) {
                    self.tell(path, None);
                }
                self.ready.push_back(Heard::Current);
            }
            TargetChangeType::NoChange | TargetChangeType::Add => {}
        }
        if !change.resume_token.is_empty() && kind != TargetChangeType::Reset {
            self.token = change.resume_token;
        }
        Ok(())
    }
}

/// From half of the pause to all of it, so that many listeners that were cut together do not come back together.
fn jittered(pause: Duration) -> Duration {
    // The keys of a new hasher are random.
    let share = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + share / 2.0)
}
