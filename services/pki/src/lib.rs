//! Certificates and passwords of a storepulse deployment.
//!
//! Everything the cluster, the services and the attackers present to each other is made here, in
//! one idempotent step: [`init`] keeps what exists and is sound, makes what is missing, and renews
//! what it is told to ([`Rotate`]) or what no longer fits (a leaf of a replaced authority).
//!
//! # Layout
//!
//! - [`Layout`]: where each file lives; the single place that knows file names.
//! - [`Options`], [`init`], [`Report`]: the step itself and what it did.
//! - [`EnvFile`]: the `.env` file with the passwords; keeps every line a user has put there.
//! - `items`: the list of certificates and what each must look like.
//! - `authority`, `inspect`, `files`: signing, judging what exists, and safe writing.
//!
//! Start reading at [`init`].

mod authority;
mod env_file;
mod error;
mod files;
mod init;
mod inspect;
mod items;
mod layout;
mod options;
mod passwords;
mod report;

pub use env_file::EnvFile;
pub use error::{Error, Result};
pub use init::init;
pub use layout::{BROKERS, Layout, PRINCIPALS};
pub use options::{Options, Rotate};
pub use passwords::PASSWORDS;
pub use report::{Item, Outcome, Report};
