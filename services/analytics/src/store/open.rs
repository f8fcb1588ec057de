//! Opens the store that the arguments name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gcloud_sdk::GCP_DEFAULT_SCOPES;
use gcloud_sdk::google_cloud_auth::build_errors;
use gcloud_sdk::google_cloud_auth::credentials::{
    self, Credentials, external_account, impersonated, service_account, user_account,
};
use tokio::time::Instant;

use super::args::StoreKind;
use super::firestore::{Access, FirestoreStore};
use super::null::NullStore;
use super::sqlite::SqliteStore;
use super::{DocumentStore, SharedStore, StoreArgs, StoreError};

/// How long a store may take to answer at the start.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// A document that nobody writes. Reading it shows that the store answers, that the credentials are accepted and that
/// the database exists.
const PROBE: &str = "storepulse/probe";

/// Opens the store and reads from it once, so that a wrong project or key ends the start with a message. A store that
/// does not answer is tried again for ten seconds.
///
/// # Errors
///
/// [`StoreError::Refused`] if an argument is missing or wrong, or the store does not let us in;
/// [`StoreError::Unavailable`] if it did not answer. Messages name the variable to look at.
pub async fn open(args: &StoreArgs) -> Result<SharedStore, StoreError> {
    open_within(args, PATIENCE).await
}

async fn open_within(args: &StoreArgs, patience: Duration) -> Result<SharedStore, StoreError> {
    match args.store {
        StoreKind::Firestore => open_firestore(args, patience).await,
        StoreKind::Sqlite => open_sqlite(args, patience).await,
        StoreKind::Null => {
            tracing::warn!("STORE is null: no document is kept, which is good for measuring only");
            Ok(Arc::new(NullStore::default()))
        }
    }
}

async fn open_sqlite(args: &StoreArgs, patience: Duration) -> Result<SharedStore, StoreError> {
    let path = args
        .sqlite_path
        .clone()
        .filter(|path| !path.as_os_str().is_empty())
        .ok_or_else(|| StoreError::Refused("SQLITE_PATH is not set: name the file of the embedded store".into()))?;
    let attempt = || {
        let path = path.clone();
        async move {
            let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&path)).await;
            opened.unwrap_or_else(|e| Err(StoreError::Unavailable(e.to_string())))
        }
    };
    let store = retry(patience, attempt).await.map_err(|e| explain(e, "SQLITE_PATH"))?;
    Ok(Arc::new(store))
}

async fn open_firestore(args: &StoreArgs, patience: Duration) -> Result<SharedStore, StoreError> {
    let project = project(args.gcloud_project.as_deref())?;
    let emulator = args.firestore_emulator_host.as_deref().map(str::trim).filter(|host| !host.is_empty());
    let (access, look_at) = match emulator {
        Some(host) => {
            let look_at = format!("Firestore emulator at FIRESTORE_EMULATOR_HOST={host} (is it running?)");
            (Access::Emulator(emulator_address(host)?), look_at)
        }
        None => {
            let file = args.google_application_credentials.as_deref().filter(|file| !file.as_os_str().is_empty());
            let identity = match file {
                Some(file) => format!("the credentials of GOOGLE_APPLICATION_CREDENTIALS={}", file.display()),
                None => "Application Default Credentials (GOOGLE_APPLICATION_CREDENTIALS is not set)".to_owned(),
            };
            let look_at = format!("Firestore of GCLOUD_PROJECT={project} with {identity}");
            (Access::Google(credentials(file)?), look_at)
        }
    };
    let attempt = || {
        let access = access.clone();
        async move {
            let store = FirestoreStore::connect(project, access).await?;
            store.read(&[PROBE.to_owned()]).await?;
            Ok(store)
        }
    };
    let store = retry(patience, attempt).await.map_err(|e| explain(e, &look_at))?;
    Ok(Arc::new(store))
}

/// Tries until it works, is refused, or `patience` is over.
async fn retry<T, F, A>(patience: Duration, attempt: F) -> Result<T, StoreError>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, StoreError>>,
{
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    let mut last = None;
    loop {
        let error = match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(Err(StoreError::Unavailable(why))) => why,
            Ok(result) => return result,
            // The attempt before, if there was one, says more.
            Err(_) => last.unwrap_or_else(|| "neither a connection nor a refusal".to_owned()),
        };
        if Instant::now() + pause >= deadline {
            return Err(StoreError::Unavailable(format!("no answer for {} s: {error}", patience.as_secs_f32())));
        }
        tracing::info!(%error, "the store does not answer yet");
        last = Some(error);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Puts what to look at in front of the error's text.
fn explain(error: StoreError, look_at: &str) -> StoreError {
    match error {
        StoreError::Conflict(why) => StoreError::Conflict(format!("{look_at}: {why}")),
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{look_at}: {why}")),
        StoreError::Refused(why) => StoreError::Refused(format!("{look_at}: {why}")),
    }
}

fn project(project: Option<&str>) -> Result<&str, StoreError> {
    match project.map(str::trim) {
        None | Some("") => {
            Err(StoreError::Refused("GCLOUD_PROJECT is not set: name the project of the Firestore database".into()))
        }
        // It becomes a part of resource names and of a header.
        Some(project) if project.chars().any(|c| !c.is_ascii_alphanumeric() && !"-_.:".contains(c)) => {
            Err(StoreError::Refused(format!("GCLOUD_PROJECT={project} is not the id of a project")))
        }
        Some(project) => Ok(project),
    }
}

/// Checks `host:port`; a scheme in front is forgiven.
fn emulator_address(text: &str) -> Result<String, StoreError> {
    let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let is_right = address.rsplit_once(':').is_some_and(|(host, port)| {
        let host_is_right = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        host_is_right && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if is_right {
        Ok(address.to_owned())
    } else {
        Err(StoreError::Refused(format!("FIRESTORE_EMULATOR_HOST={text} is not host:port, such as 127.0.0.1:8080")))
    }
}

/// Credentials of a file of any kind that Google hands out, or those of the environment.
fn credentials(file: Option<&Path>) -> Result<Credentials, StoreError> {
    let scopes = || GCP_DEFAULT_SCOPES.iter();
    let Some(file) = file else {
        let built = credentials::Builder::default().with_scopes(scopes()).build();
        return built.map_err(|e| {
            StoreError::Refused(format!("no Application Default Credentials; set GOOGLE_APPLICATION_CREDENTIALS: {e}"))
        });
    };
    let refuse = |why: String| StoreError::Refused(format!("GOOGLE_APPLICATION_CREDENTIALS={}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|e| refuse(format!("can't be read: {e}")))?;
    // Not serde's own words: they might quote a secret.
    let json: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| refuse(format!("is not JSON (line {}, column {})", e.line(), e.column())))?;
    let kind = json.get("type").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
    let built: Result<Credentials, build_errors::Error> = match kind.as_str() {
        "service_account" => service_account::Builder::new(json)
            .with_access_specifier(service_account::AccessSpecifier::from_scopes(scopes()))
            .build(),
        "authorized_user" => user_account::Builder::new(json).with_scopes(scopes()).build(),
        "external_account" => external_account::Builder::new(json).with_scopes(scopes()).build(),
        "impersonated_service_account" => impersonated::Builder::new(json).with_scopes(scopes()).build(),
        _ => {
            return Err(refuse(format!(
                "its \"type\" is \"{kind}\": wanted is the key of a service account, as JSON (service_account)"
            )));
        }
    };
    built.map_err(|e| refuse(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(store: StoreKind) -> StoreArgs {
        StoreArgs {
            store,
            gcloud_project: Some("p".to_owned()),
            google_application_credentials: None,
            firestore_emulator_host: None,
            sqlite_path: None,
        }
    }

    async fn error(args: &StoreArgs) -> StoreError {
        match open_within(args, Duration::from_millis(700)).await {
            Ok(_) => panic!("it opened"),
            Err(error) => error,
        }
    }

    #[tokio::test]
    async fn an_emulator_that_is_not_there_is_unavailable_within_the_limit() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let started = std::time::Instant::now();
        let error =
            error(&StoreArgs { firestore_emulator_host: Some(free.to_string()), ..args(StoreKind::Firestore) }).await;
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("FIRESTORE_EMULATOR_HOST=127.0.0.1")));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn an_emulator_that_never_says_a_word_is_unavailable_within_the_limit() {
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = mute.local_addr().unwrap().to_string();
        let error = error(&StoreArgs { firestore_emulator_host: Some(host), ..args(StoreKind::Firestore) }).await;
        assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
    }

    #[tokio::test]
    async fn wrong_arguments_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            Some(file)
        };
        let firestore = || args(StoreKind::Firestore);
        let key = |key| StoreArgs { google_application_credentials: key, ..firestore() };
        for (args, variable) in [
            (StoreArgs { gcloud_project: None, ..firestore() }, "GCLOUD_PROJECT"),
            (StoreArgs { gcloud_project: Some("a/b".to_owned()), ..firestore() }, "GCLOUD_PROJECT=a/b"),
            (StoreArgs { firestore_emulator_host: Some("x".to_owned()), ..firestore() }, "FIRESTORE_EMULATOR_HOST=x"),
            (key(Some("/no/such/key.json".into())), "GOOGLE_APPLICATION_CREDENTIALS=/no/such/key.json"),
            (key(file("text", "hello")), "GOOGLE_APPLICATION_CREDENTIALS"),
            (key(file("other", "{\"type\": \"something\"}")), "GOOGLE_APPLICATION_CREDENTIALS"),
            (key(file("part", "{\"type\": \"service_account\"}")), "GOOGLE_APPLICATION_CREDENTIALS"),
            (args(StoreKind::Sqlite), "SQLITE_PATH"),
            (
                StoreArgs { sqlite_path: Some("/no/such/directory/store.db".into()), ..args(StoreKind::Sqlite) },
                "SQLITE_PATH",
            ),
        ] {
            let error = error(&args).await;
            assert!(matches!(&error, StoreError::Refused(why) if why.contains(variable)), "{variable}: {error}");
        }
    }

    #[tokio::test]
    async fn the_embedded_store_opens() {
        let dir = tempfile::tempdir().unwrap();
        let args = StoreArgs { sqlite_path: Some(dir.path().join("store.db")), ..args(StoreKind::Sqlite) };
        let store = open(&args).await.unwrap();
        assert_eq!(store.read(&[PROBE.to_owned()]).await.unwrap(), [None]);
    }

    #[tokio::test]
    async fn the_store_that_keeps_nothing_opens_and_is_refused_to_whoever_wants_to_read() {
        let args = args(StoreKind::Null);
        assert_eq!(open(&args).await.unwrap().read(&[PROBE.to_owned()]).await.unwrap(), [None]);
        let error = args.must_keep("the audit").unwrap_err();
        assert!(matches!(&error, StoreError::Refused(why) if why.contains("STORE is null")), "{error}");
    }

    #[test]
    fn addresses_of_emulators() {
        for (text, address) in [
            ("localhost:8080", Some("localhost:8080")),
            ("http://firestore:8080/", Some("firestore:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("localhost", None),
            (":8080", None),
            ("localhost:0", None),
            ("host name:1", None),
            ("::1:8080", None),
        ] {
            assert_eq!(emulator_address(text).ok().as_deref(), address, "{text}");
        }
    }
}
