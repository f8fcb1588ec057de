//! Which store, from the environment or flags.

use std::path::PathBuf;

use super::StoreError;

/// The kind of store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum StoreKind {
    /// Google Cloud Firestore, or its emulator when FIRESTORE_EMULATOR_HOST is set.
    #[default]
    Firestore,
    /// An embedded file.
    Sqlite,
    /// Nowhere: accepts everything and keeps nothing, for measuring.
    Null,
}

/// Where documents are kept.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Kind of store
    #[arg(long, env = "STORE", value_name = "STORE", default_value = "firestore")]
    pub store: StoreKind,
    /// Google Cloud project of the Firestore database
    #[arg(long, env = "GCLOUD_PROJECT", value_name = "GCLOUD_PROJECT", required_if_eq("store", "firestore"))]
    pub gcloud_project: Option<String>,
    /// Service account key (JSON); without it, Application Default Credentials are used
    #[arg(long, env = "GOOGLE_APPLICATION_CREDENTIALS", value_name = "GOOGLE_APPLICATION_CREDENTIALS")]
    pub google_application_credentials: Option<PathBuf>,
    /// host:port of a Firestore emulator to use instead of Google Cloud
    #[arg(long, env = "FIRESTORE_EMULATOR_HOST", value_name = "FIRESTORE_EMULATOR_HOST")]
    pub firestore_emulator_host: Option<String>,
    /// File of the embedded store
    #[arg(long, env = "SQLITE_PATH", value_name = "SQLITE_PATH", required_if_eq("store", "sqlite"))]
    pub sqlite_path: Option<PathBuf>,
}

impl StoreArgs {
    /// Insists on a store that keeps what is written; `what` wants to read it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for the store that keeps nothing.
    pub fn must_keep(&self, what: &str) -> Result<(), StoreError> {
        if self.store == StoreKind::Null {
            let why = format!("STORE is null, which keeps no documents: {what} needs a store that does");
            return Err(StoreError::Refused(why));
        }
        Ok(())
    }
}
