//! Kafka's jars from Maven Central, by `scripts/fetch-kafka.sh`.

use std::path::Path;
use std::process::Command;

use crate::context::Context;
use crate::error::{Error, FileContext, Result};
use crate::paths::Paths;

/// The class path of Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Jars {
    class_path: String,
}

impl Jars {
    /// Fetches the jars where they are not there yet.
    pub(crate) async fn fetch(paths: &Paths, context: &Context) -> Result<Self> {
        let command = Command::new(paths.root().join("scripts/fetch-kafka.sh"));
        context.run("fetching Kafka's jars", command).await?;
        Self::list(&paths.kafka_libs())
    }

    fn list(libs: &Path) -> Result<Self> {
        let mut jars = Vec::new();
        for entry in std::fs::read_dir(libs).file("list", libs)? {
            let path = entry.file("list", libs)?.path();
            if path.extension().is_some_and(|extension| extension == "jar") {
                jars.push(path.to_string_lossy().into_owned());
            }
        }
        if jars.is_empty() {
            return Err(Error::Missing {
                program: "Kafka".to_owned(),
                reason: format!("{} has no jars", libs.display()),
                advice: "Remove that directory and try again".to_owned(),
            });
        }
        jars.sort();
        Ok(Self { class_path: jars.join(":") })
    }

    /// What `-cp` takes.
    pub(crate) fn class_path(&self) -> &str {
        &self.class_path
    }
}
