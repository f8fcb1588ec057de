//! `audit`: compares every document with the topics, inside the cluster, as the auditor.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::Result;
use crate::job::{Job, container_of, papers, unique};
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{Reference, list, text};

/// The ConfigMap that the dashboard shows the result from.
const RESULT: &str = "audit-result";
/// How many differences are printed for people.
const SHOWN: usize = 30;

/// What `audit` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The longest time, in seconds, that it may take
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the audit, prints its result and leaves it where the dashboard shows it; says whether there is no difference.
///
/// # Errors
/// It could not be run.
pub async fn run(cluster: &Cluster, args: &AuditArgs) -> Result<bool> {
    let manifests = Manifests::render(&args.manifests)?;
    let namespace = manifests.namespace.as_str();
    let analytics = container_of(cluster, namespace, "analytics").await?;
    // The service's own settings, as another principal.
    let mut env: Vec<Value> = list(&analytics, "/env").to_vec();
    env.retain(|variable| text(variable, "/name") != "KAFKA_SASL_USERNAME");
    env.push(json!({ "name": "KAFKA_SASL_USERNAME", "value": "auditor" }));
    let mut volumes =
        vec![("kafka".to_owned(), "/run/secrets/kafka".to_owned(), papers("auditor", &manifests.kafka()?))];
    if env.iter().any(|variable| text(variable, "/name") == "GOOGLE_APPLICATION_CREDENTIALS") {
        let key = json!({ "secret": { "secretName": "firestore-key", "defaultMode": 0o440 } });
        volumes.push(("firestore-key".to_owned(), "/run/secrets/firestore".to_owned(), key));
    }
    let job = Job {
        name: unique("audit")?,
        namespace,
        image: text(&analytics, "/image"),
        labels: json!({ "storepulse.io/kafka-client": "true", "storepulse.io/store-client": "true" }),
        command: ["/usr/local/bin/storepulse-analytics", "audit", "--json"].map(str::to_owned).to_vec(),
        environment: json!({ "env": env, "envFrom": list(&analytics, "/envFrom") }),
        volumes,
        // It holds every document twice.
        memory: "2Gi",
        limit: Duration::from_secs(args.time_limit),
    };
    let ended = job.run(cluster).await?;
    let (report, rest) = split(&ended.log);
    eprint!("{rest}");
    let Some(report) = report else { return Ok(false) };
    cluster.apply(&kept(namespace, &ended.finished_at, &report), false).await?;
    if args.json {
        println!("{report:#}");
    } else {
        print!("{}", table(&report));
    }
    Ok(ended.code == 0)
}

/// Where the last result is kept.
pub fn reference(namespace: &str) -> Reference {
    Reference::new("v1", "ConfigMap", namespace, RESULT)
}

/// The report in a log, which is an object over several lines, and the log's other lines. No report: the audit could not be
/// made, and the other lines say why.
fn split(log: &str) -> (Option<Value>, String) {
    let (mut report, mut rest, mut inside) = (String::new(), String::new(), false);
    for line in log.lines() {
        inside |= line == "{";
        let to = if inside { &mut report } else { &mut rest };
        to.push_str(line);
        to.push('\n');
        inside &= line != "}";
    }
    (serde_json::from_str(&report).ok(), rest)
}

/// What the dashboard reads. A ConfigMap has little room: of the differences it holds the number.
fn kept(namespace: &str, finished_at: &str, report: &Value) -> Value {
    let mut report = report.clone();
    report["differences"] = list(&report, "/differences").len().into();
    let result = json!({ "finished_at": finished_at, "report": report });
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": RESULT, "namespace": namespace, "labels": { "app.kubernetes.io/part-of": "storepulse" } },
        "data": { "result.json": result.to_string() },
    })
}

fn table(report: &Value) -> String {
    let rows = [
        ("messages read", "messages"),
        ("events counted", "events"),
        ("duplicates", "duplicates"),
        ("rejected", "rejected"),
        ("not aggregated yet", "not_aggregated"),
        ("documents compared", "documents"),
        ("of them of sessions", "sessions"),
        ("dead letters compared", "dead_letters"),
    ];
    let mut table = String::new();
    for (name, key) in rows {
        let _ = writeln!(table, "{name:<24} {}", report[key]);
    }
    let differences = list(report, "/differences");
    let _ = writeln!(table, "{:<24} {}", "differences", differences.len());
    for one in differences.iter().take(SHOWN) {
        let (subject, expected, found) = (text(one, "/subject"), text(one, "/expected"), text(one, "/found"));
        let _ = writeln!(table, "  {subject}: expected {expected}, found {found}");
    }
    if differences.len() > SHOWN {
        let _ = writeln!(table, "  … and {} more: --json has all", differences.len() - SHOWN);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"level":"INFO","message":"waiting"}
{
  "messages": 9,
  "events": 7,
  "documents": 5,
  "differences": [
    { "subject": "statistics/USD count", "expected": "7", "found": "8" }
  ]
}
storepulse-analytics: error: 1 differences between the documents and the topics
"#;

    #[test]
    fn a_report_is_found_among_the_lines_of_a_log() {
        let (report, rest) = split(LOG);
        let report = report.unwrap();
        assert_eq!(report["messages"], 9);
        assert_eq!(rest.lines().count(), 2);
        let shown = table(&report);
        assert!(shown.contains("messages read            9\n"), "{shown}");
        assert!(shown.contains("differences              1\n  statistics/USD count: expected 7, found 8\n"), "{shown}");
    }

    #[test]
    fn a_log_without_a_report_is_told_whole() {
        let log = "storepulse-analytics: error: the store is unavailable\n";
        assert_eq!(split(log), (None, log.to_owned()));
        let cut = "{\n  \"messages\": 9,\n";
        assert_eq!(split(cut).0, None);
    }

    #[test]
    fn what_is_kept_has_the_number_of_differences_and_the_time() {
        let map = kept("shop", "2026-11-26T19:00:00Z", &split(LOG).0.unwrap());
        let result: Value = serde_json::from_str(text(&map, "/data/result.json")).unwrap();
        assert_eq!(result["finished_at"], "2026-11-26T19:00:00Z");
        assert_eq!((&result["report"]["differences"], &result["report"]["events"]), (&json!(1), &json!(7)));
    }
}
