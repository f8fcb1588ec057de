//! The environment of each principal's programs, as files a shell can load.

use std::fmt::Write as _;
use std::path::Path;

use storepulse_events::topics;

use crate::error::Result;
use crate::files::write_private;
use crate::firestore::PROJECT;
use crate::paths::Paths;
use crate::security::Security;
use crate::state::{State, Store};

/// Whose programs have nothing to do with Kafka: the dashboard reads documents and metrics.
pub(crate) const DASHBOARD: &str = "dashboard";

/// Those that `run` starts, each with a log.
pub(crate) const SERVICES: [&str; 4] = ["simulator", "analytics", DASHBOARD, "audit"];

/// Among the ports of [`State`], that of the dashboard's page.
pub(crate) const PAGE: &str = "page";

/// Those who may act on this cluster.
const PRINCIPALS: [&str; 4] = ["admin", "simulator", "analytics", "auditor"];

/// Variables and values, in order.
pub type Environment = Vec<(&'static str, String)>;

/// The environment of programs that act as `principal`.
pub(crate) fn environment(principal: &str, paths: &Paths, state: &State, security: &Security) -> Environment {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut variables = Environment::new();
    if principal != DASHBOARD {
        variables.extend([
            ("KAFKA_BROKERS", state.brokers()),
            ("KAFKA_EVENT_TOPIC", topics::EVENTS.to_owned()),
            ("KAFKA_SSL_CA_LOCATION", text(&security.ca())),
            ("KAFKA_SSL_CERTIFICATE_LOCATION", text(&security.certificate(principal))),
            ("KAFKA_SSL_KEY_LOCATION", text(&security.key(principal))),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256".to_owned()),
            ("KAFKA_SASL_USERNAME", principal.to_owned()),
            ("KAFKA_SASL_PASSWORD", security.password(principal).to_owned()),
        ]);
    }
    let local = |port: u16| format!("127.0.0.1:{port}");
    if let Some(port) = state.http_port(principal) {
        variables.push(("HTTP_ADDRESS", local(port)));
    }
    if matches!(principal, "analytics" | "auditor") {
        variables.push(("KAFKA_GROUP_ID", "analytics".to_owned()));
    }
    if matches!(principal, "analytics" | "auditor" | DASHBOARD) {
        match &state.store {
            Store::Firestore { port, .. } => variables.extend([
                ("STORE", "firestore".to_owned()),
                ("GCLOUD_PROJECT", PROJECT.to_owned()),
                ("FIRESTORE_EMULATOR_HOST", local(*port)),
            ]),
            Store::Sqlite { path } => variables.extend([("STORE", "sqlite".to_owned()), ("SQLITE_PATH", text(path))]),
        }
    }
    if matches!(principal, "auditor" | DASHBOARD) {
        variables.push(("AUDIT_RESULT_FILE", text(&paths.audit_result())));
    }
    if principal == DASHBOARD {
        let address = |name: &str| state.http_port(name).map(local);
        let url = |name: &str| address(name).map(|address| format!("http://{address}"));
        let more = [
            ("DASHBOARD_ADDRESS", address(PAGE)),
            ("ANALYTICS_URLS", url("analytics")),
            ("SIMULATOR_URLS", url("simulator")),
        ];
        // A cluster that an older version brought up has no port for what is new: then the program's default counts.
        variables.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }
    if principal == "analytics" {
        // Fresher than in production: someone is watching.
        let intervals = [
            ("HOT_FLUSH_INTERVAL_MS", "200"),
            ("WARM_FLUSH_INTERVAL_MS", "1000"),
            ("COLD_FLUSH_INTERVAL_MS", "3000"),
            ("SESSION_HISTORY_IDLE_SECONDS", "3"),
        ];
        variables.extend(intervals.map(|(name, value)| (name, value.to_owned())));
    }
    variables
}

/// Writes `<principal>.env` for every principal.
pub(crate) fn write_all(paths: &Paths, state: &State, security: &Security) -> Result<()> {
    for principal in PRINCIPALS.into_iter().chain([DASHBOARD]) {
        let file = paths.env_file(principal);
        let mut text = format!(
            "# What a program needs as `{principal}` on this cluster; load with: set -a; . {}; set +a\n",
            quote(&file.to_string_lossy())
        );
        for (name, value) in environment(principal, paths, state, security) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}={}", quote(&value));
        }
        write_private(&file, text.as_bytes())?;
    }
    Ok(())
}

/// A word of a POSIX shell with this value.
pub fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_back_any_value() {
        for value in ["plain", "two words", "it's $HOME `id` \\ \"x\"", "line\nbreak", ""] {
            let script = format!("printf %s {}", quote(value));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}
