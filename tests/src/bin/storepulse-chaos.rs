//! `storepulse-chaos`: the fault campaign, which is `make chaos`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use storepulse_local::StoreChoice;
use storepulse_tests::chaos::plan::Kind;
use storepulse_tests::chaos::{Campaign, Options, Report, SWITCHES};
use storepulse_tests::{Pipeline, cleanup, variable};

/// Faults of every kind, drawn from a seed, while events stream through a cluster of its own; then the audit.
#[derive(Debug, Parser)]
#[command(
    name = "storepulse-chaos",
    version,
    after_help = "Exit codes: 0 every document equals the reference and all faults were recovered from, 1 not so, 2 wrong arguments."
)]
struct Cli {
    /// Draws the faults and the events; without it a random one is drawn, and printed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Number of faults
    #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    faults: u32,
    /// Events sent at least [default: 10,000 for each fault]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    events: Option<u64>,
    /// Events a second [default: so that events last as long as faults, 200 to 5,000]
    #[arg(long, value_name = "PER SECOND", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    rate: Option<u32>,
    /// Breaks exactness on purpose, to see that it is found
    #[arg(long, value_name = "SWITCH", value_parser = SWITCHES)]
    broken: Option<String>,
    /// Only these kinds of faults, comma-separated
    #[arg(long, value_name = "KINDS", value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Audit after so many faults, too; by default only at the end, and with --broken after each fault
    #[arg(long, value_name = "FAULTS")]
    audit_every: Option<u32>,
    /// After all faults, a store outage of so many seconds under load; memory must stay within its bound
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    store_outage: u64,
    /// The most memory that an instance of analytics may take during that outage [default: from its configuration]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    memory_bound: Option<u64>,
    /// DOCUMENT_CACHE_MEGABYTES of the instances of analytics
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    cache_megabytes: u32,
    /// A further variable of the instances of analytics; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    set: Vec<(String, String)>,
    /// Seconds after a fault within which the system must have caught up
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    recovery_limit: u64,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown, in place of the former one in that page
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Cluster and logs [default: `chaos` beside this program's own directory]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

impl Cli {
    fn options(&self) -> Options {
        let faults = self.faults as usize;
        let usual = Options::new(self.seed.unwrap_or_else(random_seed), faults);
        let events = self.events.unwrap_or(usual.events.max(10_000));
        Options {
            events,
            rate: self.rate.unwrap_or_else(|| Options::usual_rate(faults, events)),
            broken: self.broken.clone(),
            kinds: self.only.clone(),
            audit_every: self.audit_every.unwrap_or(u32::from(self.broken.is_some())) as usize,
            outage_seconds: self.store_outage,
            cache_megabytes: self.cache_megabytes,
            environment: self.set.clone(),
            memory_bound: self.memory_bound.map(|mib| mib << 20),
            recovery_limit_seconds: self.recovery_limit,
            ..usual
        }
    }

    fn dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(std::path::absolute(dir)?);
        }
        let own = std::env::current_exe()?;
        Ok(own.ancestors().nth(2).context("this program is in no directory")?.join("chaos"))
    }
}

/// Short enough to be typed.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) % 1_000_000
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // It fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("storepulse-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<bool> {
    let (options, dir) = (cli.options(), cli.dir()?);
    println!("seed {}; again: {}", options.seed, options.command());
    std::fs::create_dir_all(&dir)?;
    let lock = File::create(dir.join("lock"))?;
    lock.try_lock().with_context(|| format!("another campaign uses {}", dir.display()))?;
    println!("bringing up a cluster in {}", dir.display());
    let mut pipeline = Pipeline::up(&dir, StoreChoice::Firestore)?;
    let logs = pipeline.dir().to_owned();
    let report = Campaign::run(&mut pipeline, options, &mut |line| println!("{line}"))?;
    anyhow::ensure!(!cleanup::is_ending(), "interrupted; no report was written");
    println!("\n{report}");
    write(cli, &report)?;
    if !report.passed() {
        pipeline.keep_cluster_logs();
        println!("logs: {}", logs.display());
    }
    Ok(report.passed())
}

fn write(cli: &Cli, report: &Report) -> anyhow::Result<()> {
    let save =
        |path: &Path, text: String| std::fs::write(path, text).with_context(|| format!("writing {}", path.display()));
    if let Some(path) = &cli.json {
        save(path, serde_json::to_string_pretty(report)?)?;
    }
    if let Some(path) = &cli.markdown {
        save(path, report.page(std::fs::read_to_string(path).ok().as_deref()))?;
    }
    Ok(())
}
