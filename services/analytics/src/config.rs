//! The service's settings, from the environment or flags.

use std::net::SocketAddr;
use std::time::Duration;

use storepulse_events::{Currency, topics};
use storepulse_platform::KafkaArgs;
use storepulse_platform::telemetry::LogArgs;

use crate::document::story::StoryLimits;
use crate::session::Limits;
use crate::store::StoreArgs;

/// What every command needs: the cluster, the store, and what the shop's numbers mean.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonArgs {
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Topic with the shop's events
    #[arg(long, env = "KAFKA_EVENT_TOPIC", value_name = "KAFKA_EVENT_TOPIC", default_value = topics::EVENTS)]
    pub kafka_event_topic: String,
    /// Consumer group; the materialising stage's is the same with `-materialiser` behind
    #[arg(long, env = "KAFKA_GROUP_ID", value_name = "KAFKA_GROUP_ID", default_value = topics::ANALYTICS_GROUP)]
    pub kafka_group_id: String,
    /// Currency of the shop, three upper-case letters; an event in another one is a dead letter
    #[arg(long, env = "SHOP_CURRENCY", value_name = "SHOP_CURRENCY", default_value = "USD")]
    pub shop_currency: Currency,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The rules of sessions.
    #[command(flatten)]
    pub sessions: SessionArgs,
    /// Logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

impl CommonArgs {
    /// The consumer group of the materialising stage.
    pub fn materialiser_group(&self) -> String {
        format!("{}{}", self.kafka_group_id, topics::MATERIALISER_SUFFIX)
    }
}

/// The rules of sessions.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionArgs {
    /// Seconds of broker time after its last event for which a session is known; a duplicate that comes later counts
    #[arg(long, env = "SESSION_LIFETIME_SECONDS", value_name = "SESSION_LIFETIME_SECONDS", default_value_t = 600,
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub session_lifetime_seconds: u32,
    /// Records of its partition after its last event for which a session is known; bounds the sessions in memory
    #[arg(long, env = "SESSION_LIFETIME_RECORDS", value_name = "SESSION_LIFETIME_RECORDS", default_value_t = 200_000,
          value_parser = clap::value_parser!(u32).range(1_000..))]
    pub session_lifetime_records: u32,
    /// Seconds without an event after which an open session's history is written
    #[arg(long, env = "SESSION_HISTORY_IDLE_SECONDS", value_name = "SESSION_HISTORY_IDLE_SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub session_history_idle_seconds: u32,
    /// The longest time, in seconds, that a part of an open session's history is held back
    #[arg(long, env = "SESSION_HISTORY_MAX_SECONDS", value_name = "SESSION_HISTORY_MAX_SECONDS", default_value_t = 900,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub session_history_max_seconds: u32,
    /// The most entries of each list of a session's history; the rest is counted
    #[arg(long, env = "SESSION_HISTORY_MAX_ENTRIES", value_name = "SESSION_HISTORY_MAX_ENTRIES", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub session_history_max_entries: u32,
    /// The most events of a partition that are read again to restore its sessions
    #[arg(long, env = "SESSION_CHECKPOINT_EVENTS", value_name = "SESSION_CHECKPOINT_EVENTS", default_value_t = 200_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub session_checkpoint_events: u32,
}

impl SessionArgs {
    /// The limits of the session tables.
    pub fn limits(&self) -> Limits {
        Limits {
            lifetime_ms: i64::from(self.session_lifetime_seconds) * 1000,
            lifetime_records: i64::from(self.session_lifetime_records),
            checkpoint_events: i64::from(self.session_checkpoint_events),
            story_idle_ms: i64::from(self.session_history_idle_seconds) * 1000,
            story_max_ms: i64::from(self.session_history_max_seconds) * 1000,
        }
    }

    /// The limits of history documents.
    pub fn story_limits(&self) -> StoryLimits {
        StoryLimits { entries: self.session_history_max_entries as usize, ..StoryLimits::default() }
    }
}

/// Settings of the running service.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// What every command needs.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Worker threads that decode and fold events; default: one for each core
    #[arg(long, env = "WORKER_PROCESS_NUMBER", value_name = "WORKER_PROCESS_NUMBER",
          value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Work")]
    pub worker_process_number: Option<u16>,
    /// Milliseconds between two Kafka transactions
    #[arg(long, env = "COMMIT_INTERVAL_MS", value_name = "COMMIT_INTERVAL_MS", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(10..=5_000), help_heading = "Work")]
    pub commit_interval_ms: u32,
    /// The least milliseconds between two writes of a document of the shop, a country or a payment method
    #[arg(long, env = "HOT_FLUSH_INTERVAL_MS", value_name = "HOT_FLUSH_INTERVAL_MS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(10..=3_600_000), help_heading = "Work")]
    pub hot_flush_interval_ms: u32,
    /// Milliseconds from a change of a product or category to its write
    #[arg(long, env = "WARM_FLUSH_INTERVAL_MS", value_name = "WARM_FLUSH_INTERVAL_MS", default_value_t = 15_000,
          value_parser = clap::value_parser!(u32).range(10..=3_600_000), help_heading = "Work")]
    pub warm_flush_interval_ms: u32,
    /// Milliseconds from a change in the long tail (products, categories, payment methods by country; deliveries) to its write
    #[arg(long, env = "COLD_FLUSH_INTERVAL_MS", value_name = "COLD_FLUSH_INTERVAL_MS", default_value_t = 120_000,
          value_parser = clap::value_parser!(u32).range(10..=3_600_000), help_heading = "Work")]
    pub cold_flush_interval_ms: u32,
    /// Milliseconds without any change after which everything that waits is written
    #[arg(long, env = "IDLE_FLUSH_MS", value_name = "IDLE_FLUSH_MS", default_value_t = 5_000,
          value_parser = clap::value_parser!(u32).range(10..=3_600_000), help_heading = "Work")]
    pub idle_flush_ms: u32,
    /// Documents that are kept in memory; also the most that may wait to be written
    #[arg(long, env = "DOCUMENT_CACHE_CAPACITY", value_name = "DOCUMENT_CACHE_CAPACITY", default_value_t = 200_000,
          value_parser = clap::value_parser!(u32).range(1_000..), help_heading = "Work")]
    pub document_cache_capacity: u32,
    /// Name of this instance, unlike all others of the group; default: the host's name and a free number on it
    #[arg(long, env = "INSTANCE_ID", value_name = "INSTANCE_ID", help_heading = "Kafka")]
    pub instance_id: Option<String>,
    /// Milliseconds without a heartbeat after which the group gives an instance's partitions to others
    #[arg(long, env = "KAFKA_SESSION_TIMEOUT_MS", value_name = "KAFKA_SESSION_TIMEOUT_MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(6_000..=1_800_000), help_heading = "Kafka")]
    pub kafka_session_timeout_ms: u32,
    /// Milliseconds after which the broker aborts a transaction that a dead instance has left open
    #[arg(long, env = "KAFKA_TRANSACTION_TIMEOUT_MS", value_name = "KAFKA_TRANSACTION_TIMEOUT_MS", default_value_t = 15_000,
          value_parser = clap::value_parser!(u32).range(2_000..=900_000), help_heading = "Kafka")]
    pub kafka_transaction_timeout_ms: u32,
    /// host:port of /healthz, /readyz and /metrics
    #[arg(long, env = "HTTP_ADDRESS", value_name = "HTTP_ADDRESS", default_value = "127.0.0.1:9102")]
    pub http_address: SocketAddr,
}

impl RunArgs {
    /// The number of worker threads.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.worker_process_number.map_or_else(cores, usize::from)
    }

    /// The time between two transactions.
    pub fn commit_interval(&self) -> Duration {
        Duration::from_millis(u64::from(self.commit_interval_ms))
    }
}
