//! The store in Google Cloud Firestore, or in its emulator.
//!
//! Raw calls of `google.firestore.v1`: only they give a commit of guarded writes that happens whole or not at all.
//!
//! - A read of more than 300 documents, and a scan of more than 20 000, is several calls. Each sees
//!   the documents at one moment, all together do not.
//! - Nothing is tried again here: the caller knows what a retry would mean.
//! - Every call has a time limit, after which it is [`StoreError::Unavailable`].
//!
//! # Values that the service never writes
//!
//! A field that somebody else gave a type that [`Value`] does not have (null, boolean, bytes, geographical point,
//! reference) is read as the text `(unsupported: boolean)` and so on. Whoever compares documents sees that the field
//! is not what it should be, and lists keep their positions.

mod convert;
mod listen;
mod query;

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use firestore::{FirestoreDb, FirestoreDbOptions};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use gcloud_sdk::google::firestore::v1::{self as proto, value::ValueType};
use gcloud_sdk::google_cloud_auth::credentials::{Credentials, anonymous};
use gcloud_sdk::prost_types::Timestamp;
use gcloud_sdk::{GoogleAuthHeaders, GoogleAuthMiddleware};
use proto::firestore_client::FirestoreClient;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

use super::{DocumentStore, Fields, Guard, Heard, MAX_READS, Query, StoreError, Stored, Version, Write};
use convert::{fields, fields_proto, stored, version};

/// Calls of one read that run at a time.
const READ_CONCURRENCY: usize = 4;
/// Documents of one `RunQuery` of a scan. The emulator sorts the whole collection group anew for each: small pages of
/// a large group take minutes.
const SCAN_PAGE: i32 = 20_000;
/// Documents of one `ListDocuments`, which come without fields. Servers give no more than this.
const LIST_PAGE: i32 = 300;

const READ_LIMIT: Duration = Duration::from_secs(10);
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
const SCAN_LIMIT: Duration = Duration::from_secs(60);
const QUERY_LIMIT: Duration = Duration::from_secs(10);

/// The largest answer that is taken: a list of documents by their names, or one document, which is at most 1 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Google's address of the service.
const GOOGLE: &str = "https://firestore.googleapis.com";

/// The pseudo field that is a document's name.
const NAME_FIELD: &str = "__name__";

/// How the service is reached.
#[derive(Clone, Debug)]
pub enum Access {
    /// Google Cloud, with these credentials.
    Google(Credentials),
    /// An emulator at this `host:port`, which wants none.
    Emulator(String),
}

/// See the [module](self).
#[derive(Clone)]
pub struct FirestoreStore {
    db: FirestoreDb,
    is_emulator: bool,
    scan_page: i32,
}

impl FirestoreStore {
    /// Connects to the default database of `project`. Credentials and the database's existence are not checked before
    /// the first call.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no connection comes about. There is no time limit: give one.
    pub async fn connect(project: &str, access: Access) -> Result<Self, StoreError> {
        let (url, credentials, is_emulator) = match access {
            Access::Google(credentials) => (GOOGLE.to_owned(), credentials, false),
            Access::Emulator(host) => (format!("http://{host}"), anonymous::Builder::new().build(), true),
        };
        // Naming the address keeps the crate from reading FIRESTORE_EMULATOR_HOST itself.
        let options = FirestoreDbOptions::new(project.to_owned()).with_firebase_api_url(url);
        let db = FirestoreDb::with_options_auth(options, GoogleAuthHeaders::from(credentials))
            .await
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { db, is_emulator, scan_page: SCAN_PAGE })
    }

    /// Makes a scan take this many documents at a time.
    #[cfg(test)]
    pub(super) fn with_scan_page(self, documents: i32) -> Self {
        Self { scan_page: documents, ..self }
    }

    fn client(&self) -> FirestoreClient<GoogleAuthMiddleware> {
        self.db.client().get().max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if self.is_emulator {
            // What the emulator takes for an administrator, to whom security rules do not apply.
            request.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer owner"));
        }
        request
    }

    /// The full resource name of the document at `path`.
    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.db.get_documents_path())
    }

    /// The inverse of [`Self::name`]. A name of another database, which no answer has, stays as it is.
    fn path<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.db.get_documents_path().as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
    }

    async fn read_chunk(&self, paths: &[String]) -> Result<Vec<Option<Stored>>, StoreError> {
        let names: Vec<String> = paths.iter().map(|path| self.name(path)).collect();
        let request = self.request(proto::BatchGetDocumentsRequest {
            database: self.db.get_database_path().clone(),
            documents: names.clone(),
            ..Default::default()
        });
        let mut client = self.client();
        let what = || format!("read of {}", Several(paths.len(), paths.first()));
        // Answers come in any order, and once for a path that was asked for twice.
        let found = bounded(READ_LIMIT, what, async {
            let mut answers = client.batch_get_documents(request).await?.into_inner();
            let mut found = HashMap::with_capacity(names.len());
            while let Some(answer) = answers.message().await? {
                if let Some(proto::batch_get_documents_response::Result::Found(document)) = answer.result {
                    found.insert(document.name.clone(), stored(document));
                }
            }
            Ok(found)
        })
        .await
        .map_err(|failure| failure.of_read())?;
        Ok(names.iter().map(|name| found.get(name).cloned()).collect())
    }

    /// Up to `scan_page` documents of a collection group whose names follow `after`.
    async fn scan_page(&self, collection: &str, after: Option<&str>) -> Result<Vec<proto::Document>, StoreError> {
        use proto::structured_query::{CollectionSelector, Direction, FieldReference, Order};
        let query = proto::StructuredQuery {
            from: vec![CollectionSelector { collection_id: collection.to_owned(), all_descendants: true }],
            order_by: vec![Order {
                field: Some(FieldReference { field_path: NAME_FIELD.to_owned() }),
                direction: Direction::Ascending.into(),
            }],
            start_at: after.map(|name| proto::Cursor {
                values: vec![proto::Value { value_type: Some(ValueType::ReferenceValue(name.to_owned())) }],
                before: false,
            }),
            limit: Some(self.scan_page),
            ..Default::default()
        };
        let parent = self.db.get_documents_path().clone();
        self.run_query(parent, query, SCAN_LIMIT, || format!("scan of {collection}")).await
    }

    /// The documents that answer a question to Firestore.
    async fn run_query(
        &self,
        parent: String,
        query: proto::StructuredQuery,
        limit: Duration,
        what: impl Fn() -> String,
    ) -> Result<Vec<proto::Document>, StoreError> {
        let request = self.request(proto::RunQueryRequest {
            parent,
            query_type: Some(proto::run_query_request::QueryType::StructuredQuery(query)),
            ..Default::default()
        });
        let mut client = self.client();
        bounded(limit, what, async {
            let mut answers = client.run_query(request).await?.into_inner();
            let mut documents = Vec::new();
            while let Some(answer) = answers.message().await? {
                documents.extend(answer.document);
            }
            Ok(documents)
        })
        .await
        .map_err(|failure| failure.of_read())
    }
}

impl DocumentStore for FirestoreStore {
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
        Box::pin(async move {
            let calls: Vec<_> = paths.chunks(MAX_READS).map(|chunk| self.read_chunk(chunk)).collect();
            futures::stream::iter(calls).buffered(READ_CONCURRENCY).try_concat().await
        })
    }

    fn commit<'a>(&'a self, writes: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
        Box::pin(async move {
            if writes.is_empty() {
                return Ok(Vec::new());
            }
            let request = self.request(proto::CommitRequest {
                database: self.db.get_database_path().clone(),
                writes: writes.iter().map(|write| write_proto(self.name(&write.path), write)).collect(),
                ..Default::default()
            });
            let mut client = self.client();
            let what = || format!("commit of {}", Several(writes.len(), writes.first().map(|w| &w.path)));
            let answer = bounded(COMMIT_LIMIT, what, async { Ok(client.commit(request).await?.into_inner()) })
                .await
                .map_err(|failure| failure.of_commit())?;
            // A write that changed nothing has the time of the write before it, which is the document's version still.
            let versions: Option<Vec<Version>> = answer
                .write_results
                .iter()
                .map(|result| result.update_time.or(answer.commit_time).map(version))
                .collect();
            versions.filter(|versions| versions.len() == writes.len()).ok_or_else(|| {
                StoreError::Unavailable(format!(
                    "{}: {} answers, or answers without a time",
                    what(),
                    answer.write_results.len()
                ))
            })
        })
    }

    fn scan<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        Box::pin(async move {
            let mut all = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let page = self.scan_page(collection, after.as_deref()).await?;
                let is_full = usize::try_from(self.scan_page).is_ok_and(|full| page.len() >= full);
                after = page.last().map(|document| document.name.clone());
                all.extend(page.into_iter().map(|document| {
                    let path = self.path(&document.name).to_owned();
                    (path, fields(document.fields))
                }));
                if !is_full {
                    return Ok(all);
                }
            }
        })
    }

    fn child_ids<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let (parent, collection_id) = match collection.rsplit_once('/') {
                Some((document, id)) => (self.name(document), id),
                None => (self.db.get_documents_path().clone(), collection),
            };
            let mut ids = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = self.request(proto::ListDocumentsRequest {
                    parent: parent.clone(),
                    collection_id: collection_id.to_owned(),
                    page_size: LIST_PAGE,
                    page_token,
                    // No fields.
                    mask: Some(proto::DocumentMask { field_paths: Vec::new() }),
                    show_missing: true,
                    ..Default::default()
                });
                let mut client = self.client();
                let page = bounded(READ_LIMIT, || format!("list of {collection}"), async {
                    Ok(client.list_documents(request).await?.into_inner())
                })
                .await
                .map_err(|failure| failure.of_read())?;
                ids.extend(page.documents.iter().filter_map(|d| Some(d.name.rsplit_once('/')?.1.to_owned())));
                if page.next_page_token.is_empty() {
                    return Ok(ids);
                }
                page_token = page.next_page_token;
            }
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        Box::pin(async move {
            query.check()?;
            let parent = match query.parent.as_deref() {
                None | Some("") => self.db.get_documents_path().clone(),
                Some(document) => self.name(document),
            };
            let what = || format!("query of {}", query.collection);
            let found = self.run_query(parent, query::to_proto(query), QUERY_LIMIT, what).await?;
            Ok(found.into_iter().map(|d| (self.path(&d.name).to_owned(), fields(d.fields))).collect())
        })
    }

    fn listen(&self, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
        listen::listen(self.clone(), paths)
    }
}

/// How many documents, and one of them, for messages.
struct Several<'a>(usize, Option<&'a String>);

impl std::fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0, self.1) {
            (1, Some(path)) => f.write_str(path),
            (n, Some(path)) => write!(f, "{n} documents ({path}, …)"),
            (n, None) => write!(f, "{n} documents"),
        }
    }
}

/// Runs one call within its time limit.
async fn bounded<T>(
    limit: Duration,
    what: impl Fn() -> String,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(Failure { kind: Kind::of(&status), text: format!("{}: {}", what(), describe(&status)) }),
        Err(_) => {
            Err(Failure { kind: Kind::Transient, text: format!("{}: no answer within {} s", what(), limit.as_secs()) })
        }
    }
}

/// A failed call, before it is known what it means to the caller.
struct Failure {
    kind: Kind,
    text: String,
}

/// Kinds of failed calls (<https://cloud.google.com/apis/design/errors>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The state of a document, or of the whole database, is not what the call needs.
    State,
    /// Another time it may work.
    Transient,
    /// It will never work.
    Permanent,
}

impl Kind {
    fn of(status: &Status) -> Self {
        match status.code() {
            // Google says it so when the whole database is missing, or is one in Datastore mode.
            Code::NotFound | Code::FailedPrecondition if status.message().to_ascii_lowercase().contains("database") => {
                Self::Permanent
            }
            Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => Self::State,
            // gRPC's own code for a message over the server's limit is the one for a spent quota.
            Code::ResourceExhausted if status.message().contains("maximum size") => Self::Permanent,
            Code::Unknown if is_refused_credential(status) => Self::Permanent,
            Code::Aborted
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unknown
            | Code::Cancelled
            | Code::Ok => Self::Transient,
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::OutOfRange
            | Code::DataLoss => Self::Permanent,
        }
    }
}

impl Failure {
    fn of_read(self) -> StoreError {
        match self.kind {
            Kind::Transient => StoreError::Unavailable(self.text),
            Kind::State | Kind::Permanent => StoreError::Refused(self.text),
        }
    }

    fn of_commit(self) -> StoreError {
        match self.kind {
            Kind::State => StoreError::Conflict(self.text),
            Kind::Transient => StoreError::Unavailable(self.text),
            Kind::Permanent => StoreError::Refused(self.text),
        }
    }
}

/// The code, the message, and the causes that the message does not tell already.
fn describe(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    let mut cause = status.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

/// Whether a call failed before it was sent because no access token can ever be had: a key that is not one, or that
/// Google no longer accepts.
fn is_refused_credential(status: &Status) -> bool {
    use gcloud_sdk::error::{Error as SdkError, ErrorKind};
    let Some(source) = status.source() else { return false };
    let error = source.downcast_ref::<Box<SdkError>>().map(Box::as_ref).or_else(|| source.downcast_ref());
    match error.map(SdkError::kind) {
        Some(ErrorKind::Credentials(error)) => !error.is_transient(),
        Some(ErrorKind::CredentialsBuild(_)) => true,
        _ => false,
    }
}

fn write_proto(name: String, write: &Write) -> proto::Write {
    use proto::precondition::ConditionType;
    let condition = match write.guard {
        Guard::Absent => ConditionType::Exists(false),
        Guard::Version(Version { major, minor }) => {
            ConditionType::UpdateTime(Timestamp { seconds: major, nanos: minor })
        }
    };
    let fields = fields_proto(&write.fields);
    proto::Write {
        operation: Some(proto::write::Operation::Update(proto::Document { name, fields, ..Default::default() })),
        current_document: Some(proto::Precondition { condition_type: Some(condition) }),
        // Without a mask the document is replaced.
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_a_retry_helps() {
        for (code, message, expected) in [
            (Code::FailedPrecondition, "the stored version does not match", Kind::State),
            (Code::AlreadyExists, "Document already exists", Kind::State),
            (Code::NotFound, "No document to update", Kind::State),
            (Code::NotFound, "The database (default) does not exist for project p", Kind::Permanent),
            (Code::Aborted, "Too much contention", Kind::Transient),
            (Code::ResourceExhausted, "Quota exceeded.", Kind::Transient),
            (Code::ResourceExhausted, "gRPC message exceeds maximum size 4194304: 5000000", Kind::Permanent),
            (Code::Unknown, "transport error", Kind::Transient),
            (Code::PermissionDenied, "Missing or insufficient permissions.", Kind::Permanent),
        ] {
            assert_eq!(Kind::of(&Status::new(code, message)), expected, "{code:?} {message}");
        }
    }

    #[tokio::test]
    async fn a_credential_that_is_refused_for_good_is_not_unavailable() {
        use gcloud_sdk::google_cloud_auth::credentials::testing::error_credentials;
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (is_transient, kind) in [(true, Kind::Transient), (false, Kind::Permanent)] {
            let options = FirestoreDbOptions::new("p".to_owned())
                .with_firebase_api_url(format!("http://{}", server.local_addr().unwrap()));
            let db = FirestoreDb::with_options_auth(options, error_credentials(is_transient)).await.unwrap();
            let store = FirestoreStore { db, is_emulator: false, scan_page: SCAN_PAGE };
            let error = store.read(&["a/b".to_owned()]).await.unwrap_err();
            assert_eq!(matches!(error, StoreError::Refused(_)), kind == Kind::Permanent, "{error}");
        }
    }
}
