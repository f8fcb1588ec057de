//! Proof of the result: every document computed anew from the topics, by other code, and compared.
//!
//! - [`reference`]: the contract's rules, one event after another, in plain maps. It shares the decoder of the wire
//!   format with the service, and nothing of how the service aggregates.
//! - [`topics`]: reading topics from their beginning to committed offsets.
//! - [`compare`]: expected against stored documents, expected against found dead letters.
//! - [`ledger`]: the simulator's own account against the documents.

pub mod compare;
pub mod ledger;
pub mod reference;
pub mod topics;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use storepulse_events::Timestamp;
use storepulse_platform::{Failure, preflight};

use crate::config::CommonArgs;
use crate::{clock, store};
use compare::Difference;
use reference::{Reference, Rules, Weights};
use topics::{AuditReader, Drained};

/// Settings of the audit.
#[derive(Clone, Debug, clap::Args)]
pub struct AuditArgs {
    /// What every command needs.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The longest time, in seconds, to wait until everything that was read is in the store
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub wait_seconds: u32,
    /// The simulator's ledger (JSON) to compare the documents with; the topics must hold nothing else
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Also write the result, as JSON with the time, to this file, which the dashboard can show
    #[arg(long, env = "AUDIT_RESULT_FILE", value_name = "FILE")]
    pub result_file: Option<PathBuf>,
}

/// What the audit found.
#[derive(Debug, Default, Serialize)]
pub struct AuditReport {
    /// Messages read from the event topic.
    pub messages: u64,
    /// Events that count.
    pub events: u64,
    /// Events that do not count because their id was known.
    pub duplicates: u64,
    /// Messages that are no events.
    pub rejected: u64,
    /// Messages that were not aggregated yet and therefore not compared.
    pub not_aggregated: i64,
    /// Documents compared.
    pub documents: usize,
    /// Documents of them that are histories of sessions.
    pub sessions: usize,
    /// Dead letters compared.
    pub dead_letters: usize,
    /// Entries of the ledger compared.
    pub ledger_entries: usize,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
}

/// How many differences are printed for people.
const SHOWN: usize = 30;

impl std::fmt::Display for AuditReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = [
            ("messages read", self.messages.to_string()),
            ("events counted", self.events.to_string()),
            ("duplicates", self.duplicates.to_string()),
            ("rejected", self.rejected.to_string()),
            ("documents compared", format!("{} ({} sessions)", self.documents, self.sessions)),
            ("dead letters compared", self.dead_letters.to_string()),
            ("ledger entries compared", self.ledger_entries.to_string()),
            ("differences", self.differences.len().to_string()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<24} {value}")?;
        }
        if self.not_aggregated > 0 {
            writeln!(f, "{:<24} {} (no instance reads them now)", "not aggregated yet", self.not_aggregated)?;
        }
        for difference in self.differences.iter().take(SHOWN) {
            writeln!(f, "  {difference}")?;
        }
        if self.differences.len() > SHOWN {
            writeln!(f, "  … and {} more", self.differences.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// Audits, and prints the result.
///
/// # Errors
///
/// If anything differs, or the audit can't be made.
pub async fn run(args: AuditArgs) -> Result<(), Failure> {
    let report = audit(&args).await?;
    if let Some(file) = &args.result_file {
        write_result(file, &report).map_err(|e| Failure::runtime(format!("{}: {e}", file.display())))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(Failure::runtime)?);
    } else {
        print!("{report}");
    }
    match report.differences.len() {
        0 => Ok(()),
        n => Err(Failure::runtime(format!("{n} differences between the documents and the topics"))),
    }
}

/// Writes the result in place of a former one; whoever reads it sees either whole.
fn write_result(file: &Path, report: &AuditReport) -> std::io::Result<()> {
    let now = Timestamp::from_micros(clock::unix_ms() * 1_000).to_string();
    let result = serde_json::json!({ "finished_at": now, "report": report });
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".new");
    std::fs::write(&unfinished, result.to_string())?;
    std::fs::rename(&unfinished, file)
}

/// Audits.
///
/// # Errors
///
/// If the audit can't be made: a topic or the store can't be read, or the service does not come to rest.
pub async fn audit(args: &AuditArgs) -> Result<AuditReport, Failure> {
    let common = args.common.clone();
    common.store.must_keep("the audit")?;
    let client = common.kafka.client_config().map_err(Failure::config)?;
    let ledger = args.ledger.as_deref().map(ledger::Ledger::read).transpose().map_err(Failure::config)?;
    let store = store::open::open(&common.store).await?;
    let rules = rules(&common);
    let wait = Duration::from_secs(u64::from(args.wait_seconds));
    let read = move || -> Result<_, Failure> {
        let names = [&common.kafka_event_topic[..], storepulse_events::topics::DELTAS];
        preflight(&client, &names, Duration::from_secs(20))?;
        let reader = AuditReader::new(&client, &common.kafka_event_topic, &common.kafka_group_id);
        let reader = reader.map_err(Failure::runtime)?;
        let drained = wait_until_drained(&reader, &common.materialiser_group(), wait)?;
        let mut reference = Reference::new(rules);
        reader.events(&drained.committed, |message| reference.take(message)).map_err(Failure::runtime)?;
        let letters = reader.dead_letters().map_err(Failure::runtime)?;
        Ok((drained, reference, letters))
    };
    let (drained, reference, letters) = tokio::task::spawn_blocking(read).await.map_err(Failure::runtime)??;

    let mut report = AuditReport {
        messages: reference.messages,
        events: reference.events,
        duplicates: reference.duplicates,
        rejected: reference.rejected.len() as u64,
        not_aggregated: drained.behind,
        ..AuditReport::default()
    };
    let rejected = reference.rejected.clone();
    let expected = reference.into_documents();
    let stored = compare::stored(store.as_ref()).await.map_err(Failure::runtime)?;
    report.documents = expected.documents.len();
    report.sessions = expected.documents.keys().filter(|p| p.starts_with("sessions_history/")).count();
    report.differences = compare::documents(&expected, &stored, clock::unix_ms());
    report.dead_letters = letters.len();
    report.differences.extend(compare::dead_letters(&rejected, letters));
    if let Some(ledger) = ledger {
        report.ledger_entries = ledger.entries();
        report.differences.extend(ledger.compare(&stored));
    }
    Ok(report)
}

/// What the reference's rules are with these settings.
fn rules(common: &CommonArgs) -> Rules {
    let (sessions, documents) = (common.sessions.limits(), common.document_rules());
    Rules {
        currency: common.shop_currency,
        lifetime_ms: sessions.lifetime_ms,
        lifetime_records: sessions.lifetime_records,
        list_entries: documents.story.entries,
        session_idle_ms: sessions.idle_ms,
        allowed_lateness_ms: documents.lateness_ms,
        watermark_idle_ms: documents.watermark_idle_ms,
        hours_retention_ms: documents.hours_retention_ms,
        windows_retention_ms: documents.windows_retention_ms,
        trending_windows: documents.trending_windows.into(),
        trending_size: documents.trending_size,
        weights: Weights {
            view: documents.weights.view,
            cart: documents.weights.cart,
            removal: documents.weights.removal,
            purchase: documents.weights.purchase,
        },
    }
}

fn wait_until_drained(reader: &AuditReader, materialiser: &str, wait: Duration) -> Result<Drained, Failure> {
    let deadline = Instant::now() + wait;
    let mut said = Instant::now();
    loop {
        let drained = reader.drained(materialiser).map_err(Failure::runtime)?;
        if drained.behind == 0 && drained.pending_stories == 0 && drained.waiting == 0 {
            return Ok(drained);
        }
        let late = Instant::now() >= deadline;
        if late && drained.pending_stories == 0 && drained.waiting == 0 {
            // Nobody aggregates; what is committed can be compared all the same.
            return Ok(drained);
        }
        let state = format!(
            "{} events are not aggregated, {} stories have not gone out, {} delta records are not in the store",
            drained.behind, drained.pending_stories, drained.waiting
        );
        if late {
            return Err(Failure::runtime(format!(
                "the service did not come to rest within {} s: {state}; is it running, is the simulator stopped?",
                wait.as_secs()
            )));
        }
        if said.elapsed() > Duration::from_secs(5) {
            said = Instant::now();
            tracing::info!("waiting: {state}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
