//! The result of the last audit, from the file that `storepulse-analytics audit --result-file` writes, or from the ConfigMap
//! that `storepulse-deploy audit` makes: the same, but the differences are a number.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

/// The largest file that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// Messages of the topic.
    pub messages: i64,
    /// Events that count.
    pub events: i64,
    /// Documents that were compared.
    pub documents: i64,
    /// Differences. 0: every document equals the reference.
    pub differences: i64,
    /// Events that were not aggregated when it ended.
    pub not_aggregated: i64,
}

/// A file that is read again when it has changed.
#[derive(Debug)]
pub struct AuditFile {
    path: Option<PathBuf>,
    changed: Option<SystemTime>,
    known: Option<Audit>,
}

impl AuditFile {
    /// None: there is no audit.
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self { path, changed: None, known: None }
    }

    /// What the file says; none if there is no file, or it can't be read.
    pub fn read(&mut self) -> Option<Audit> {
        let path = self.path.as_ref()?;
        let Ok(changed) = std::fs::metadata(path).and_then(|file| file.modified()) else {
            (self.changed, self.known) = (None, None);
            return None;
        };
        if self.changed != Some(changed) {
            let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST);
            let text = if small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
            let read = serde_json::from_slice(&text).ok().and_then(|json| parse(&json));
            if read.is_none() {
                tracing::warn!(file = %path.display(), "AUDIT_RESULT_FILE holds no result of an audit");
            }
            (self.changed, self.known) = (Some(changed), read);
        }
        self.known.clone()
    }
}

fn parse(json: &Value) -> Option<Audit> {
    let report = json.get("report")?;
    let count = |name: &str| report[name].as_i64();
    Some(Audit {
        finished_at: json.get("finished_at")?.as_str()?.to_owned(),
        messages: count("messages")?,
        events: count("events")?,
        documents: count("documents")?,
        differences: match &report["differences"] {
            Value::Array(all) => i64::try_from(all.len()).ok()?,
            number => number.as_i64()?,
        },
        not_aggregated: count("not_aggregated").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_changes_and_nonsense_is_no_result() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.json");
        let mut file = AuditFile::new(Some(path.clone()));
        assert_eq!(file.read(), None);
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        let report = r#"{"messages": 9, "events": 7, "documents": 5, "differences": [{}, {}], "not_aggregated": 1}"#;
        write(&format!(r#"{{"finished_at": "2026-11-26T19:00:00Z", "report": {report}}}"#), 1);
        let audit = file.read().unwrap();
        assert_eq!((audit.messages, audit.events, audit.documents), (9, 7, 5));
        assert_eq!((audit.differences, audit.not_aggregated), (2, 1));
        let report = r#"{"messages": 9, "events": 7, "documents": 5, "differences": 3}"#;
        write(&format!(r#"{{"finished_at": "2026-11-26T19:00:00Z", "report": {report}}}"#), 2);
        assert_eq!(file.read().unwrap().differences, 3);
        write("{", 3);
        assert_eq!(file.read(), None);
        assert_eq!(AuditFile::new(None).read(), None);
    }
}
