//! The service's settings, from the environment or flags.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use storepulse_events::{Currency, topics};
use storepulse_platform::parse::{address, whole};
use storepulse_platform::telemetry::LogArgs;
use storepulse_platform::{ConfigError, KafkaArgs};

use crate::document::DocumentRules;
use crate::document::rules::Weights;
use crate::document::story::StoryLimits;
use crate::materialise::Capacity;
use crate::session::Limits;
use crate::store::StoreArgs;

/// Where `run` listens unless told otherwise, and `health` asks.
pub const DEFAULT_HTTP_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9102));

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
    /// Currency of the shop, any three upper-case letters; an event in another one is a dead letter
    #[arg(long, env = "SHOP_CURRENCY", value_name = "SHOP_CURRENCY", default_value = "USD")]
    pub shop_currency: Currency,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The rules of sessions.
    #[command(flatten)]
    pub sessions: SessionArgs,
    /// What documents say.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

impl CommonArgs {
    /// The consumer group of the materialising stage.
    pub fn materialiser_group(&self) -> String {
        format!("{}{}", self.kafka_group_id, topics::MATERIALISER_SUFFIX)
    }

    /// What documents depend on.
    pub fn document_rules(&self) -> DocumentRules {
        const DAY_MS: i64 = 86_400_000;
        let documents = &self.documents;
        let seconds = |seconds: u32| i64::from(seconds) * 1000;
        DocumentRules {
            story: self.sessions.story_limits(),
            lateness_ms: seconds(documents.allowed_lateness_seconds),
            hours_retention_ms: i64::from(documents.hours_retention_days) * DAY_MS,
            windows_retention_ms: i64::from(documents.windows_retention_days) * DAY_MS,
            watermark_idle_ms: seconds(documents.watermark_idle_seconds),
            trending_windows: i32::from(documents.trending_hours) * 4,
            trending_size: usize::from(documents.trending_size),
            weights: Weights {
                view: documents.interest_view_weight.into(),
                cart: documents.interest_cart_weight.into(),
                removal: documents.interest_removal_weight.into(),
                purchase: documents.interest_purchase_weight.into(),
            },
        }
    }
}

/// The rules of sessions.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionArgs {
    /// Seconds of broker time after its last event for which a session is known; a duplicate that comes later counts
    #[arg(long, env = "SESSION_LIFETIME_SECONDS", value_name = "SESSION_LIFETIME_SECONDS", default_value_t = 600,
          value_parser = whole::<u32>(1..=604_800))]
    pub session_lifetime_seconds: u32,
    /// Records of its partition after its last event for which a session is known; bounds the sessions in memory
    #[arg(long, env = "SESSION_LIFETIME_RECORDS", value_name = "SESSION_LIFETIME_RECORDS", default_value_t = 200_000,
          value_parser = whole::<u32>(1_000..=u64::from(u32::MAX)))]
    pub session_lifetime_records: u32,
    /// Seconds without an event after which an open session's history is written
    #[arg(long, env = "SESSION_HISTORY_IDLE_SECONDS", value_name = "SESSION_HISTORY_IDLE_SECONDS", default_value_t = 60,
          value_parser = whole::<u32>(1..=86_400))]
    pub session_history_idle_seconds: u32,
    /// The longest time, in seconds, that a part of an open session's history is held back
    #[arg(long, env = "SESSION_HISTORY_MAX_SECONDS", value_name = "SESSION_HISTORY_MAX_SECONDS", default_value_t = 900,
          value_parser = whole::<u32>(1..=86_400))]
    pub session_history_max_seconds: u32,
    /// The most entries of each list of a session's history; the rest is counted
    #[arg(long, env = "SESSION_HISTORY_MAX_ENTRIES", value_name = "SESSION_HISTORY_MAX_ENTRIES", default_value_t = 1000,
          value_parser = whole::<u32>(1..=5_000))]
    pub session_history_max_entries: u32,
    /// The most events of a partition that are read again to restore its sessions
    #[arg(long, env = "SESSION_CHECKPOINT_EVENTS", value_name = "SESSION_CHECKPOINT_EVENTS", default_value_t = 200_000,
          value_parser = whole::<u32>(1..=u64::from(u32::MAX)))]
    pub session_checkpoint_events: u32,
    /// Seconds of event time without an event after which a session that has not ended is counted as closed
    #[arg(long, env = "SESSION_IDLE_SECONDS", value_name = "SESSION_IDLE_SECONDS", default_value_t = 1_800,
          value_parser = whole::<u32>(1..=604_800))]
    pub session_idle_seconds: u32,
}

/// What documents say, and for how long hours and windows are kept.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Documents")]
pub struct DocumentArgs {
    /// Seconds after its end for which an hour or a window is still open; later events count too, as events after close
    #[arg(long, env = "ALLOWED_LATENESS_SECONDS", value_name = "ALLOWED_LATENESS_SECONDS", default_value_t = 300,
          value_parser = whole::<u32>(0..=604_800))]
    pub allowed_lateness_seconds: u32,
    /// Seconds of event time behind the furthest partition after which one is idle and holds no watermark up
    #[arg(long, env = "WATERMARK_IDLE_SECONDS", value_name = "WATERMARK_IDLE_SECONDS", default_value_t = 3_600,
          value_parser = whole::<u32>(1..=604_800))]
    pub watermark_idle_seconds: u32,
    /// Days after its end for which an hour is kept
    #[arg(long, env = "HOURS_RETENTION_DAYS", value_name = "HOURS_RETENTION_DAYS", default_value_t = 90,
          value_parser = whole::<u32>(1..=36_500))]
    pub hours_retention_days: u32,
    /// Days after its end for which a window of 15 minutes is kept
    #[arg(long, env = "WINDOWS_RETENTION_DAYS", value_name = "WINDOWS_RETENTION_DAYS", default_value_t = 14,
          value_parser = whole::<u32>(1..=36_500))]
    pub windows_retention_days: u32,
    /// Hours that trending products are found in
    #[arg(long, env = "TRENDING_HOURS", value_name = "TRENDING_HOURS", default_value_t = 3,
          value_parser = whole::<u16>(1..=168))]
    pub trending_hours: u16,
    /// The most products of a list of trending ones
    #[arg(long, env = "TRENDING_SIZE", value_name = "TRENDING_SIZE", default_value_t = 20,
          value_parser = whole::<u16>(1..=500))]
    pub trending_size: u16,
    /// What a view adds to the interest score of a product and its category
    #[arg(long, env = "INTEREST_VIEW_WEIGHT", value_name = "INTEREST_VIEW_WEIGHT", default_value_t = 1,
          allow_negative_numbers = true, value_parser = weight)]
    pub interest_view_weight: i32,
    /// What a piece put into a cart adds
    #[arg(long, env = "INTEREST_CART_WEIGHT", value_name = "INTEREST_CART_WEIGHT", default_value_t = 3,
          allow_negative_numbers = true, value_parser = weight)]
    pub interest_cart_weight: i32,
    /// What a piece taken out of a cart adds
    #[arg(long, env = "INTEREST_REMOVAL_WEIGHT", value_name = "INTEREST_REMOVAL_WEIGHT", default_value_t = -2,
          allow_negative_numbers = true, value_parser = weight)]
    pub interest_removal_weight: i32,
    /// What a piece bought adds
    #[arg(long, env = "INTEREST_PURCHASE_WEIGHT", value_name = "INTEREST_PURCHASE_WEIGHT", default_value_t = 5,
          allow_negative_numbers = true, value_parser = weight)]
    pub interest_purchase_weight: i32,
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
            idle_ms: i64::from(self.session_idle_seconds) * 1000,
        }
    }

    /// The limits of history documents.
    pub fn story_limits(&self) -> StoryLimits {
        StoryLimits { entries: self.session_history_max_entries as usize, ..StoryLimits::default() }
    }
}

/// A parser of weights.
fn weight(text: &str) -> Result<i32, String> {
    const MOST: i32 = 1_000;
    let value = text.trim().parse().ok().filter(|value| (-MOST..=MOST).contains(value));
    value.ok_or_else(|| format!("allowed is a whole number from -{MOST} to {MOST}"))
}

/// Settings of the running service.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// What every command needs.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Worker threads that decode and fold events; default: one for each core
    #[arg(long, env = "WORKER_PROCESS_NUMBER", value_name = "WORKER_PROCESS_NUMBER",
          value_parser = whole::<u16>(1..=256), help_heading = "Work")]
    pub worker_process_number: Option<u16>,
    /// Milliseconds between two Kafka transactions
    #[arg(long, env = "COMMIT_INTERVAL_MS", value_name = "COMMIT_INTERVAL_MS", default_value_t = 100,
          value_parser = whole::<u32>(10..=5_000), help_heading = "Work")]
    pub commit_interval_ms: u32,
    /// The least milliseconds between two writes of a document of the shop, a country or a payment method
    #[arg(long, env = "HOT_FLUSH_INTERVAL_MS", value_name = "HOT_FLUSH_INTERVAL_MS", default_value_t = 1_000,
          value_parser = whole::<u32>(10..=3_600_000), help_heading = "Work")]
    pub hot_flush_interval_ms: u32,
    /// Milliseconds from a change of a product or category to its write
    #[arg(long, env = "WARM_FLUSH_INTERVAL_MS", value_name = "WARM_FLUSH_INTERVAL_MS", default_value_t = 15_000,
          value_parser = whole::<u32>(10..=3_600_000), help_heading = "Work")]
    pub warm_flush_interval_ms: u32,
    /// Milliseconds from a change in the long tail (products, categories, payment methods by country; deliveries) to its write
    #[arg(long, env = "COLD_FLUSH_INTERVAL_MS", value_name = "COLD_FLUSH_INTERVAL_MS", default_value_t = 120_000,
          value_parser = whole::<u32>(10..=3_600_000), help_heading = "Work")]
    pub cold_flush_interval_ms: u32,
    /// Milliseconds without any change after which everything that waits is written
    #[arg(long, env = "IDLE_FLUSH_MS", value_name = "IDLE_FLUSH_MS", default_value_t = 5_000,
          value_parser = whole::<u32>(10..=3_600_000), help_heading = "Work")]
    pub idle_flush_ms: u32,
    /// Documents that are kept in memory; also the most that may wait to be written
    #[arg(long, env = "DOCUMENT_CACHE_CAPACITY", value_name = "DOCUMENT_CACHE_CAPACITY", default_value_t = 200_000,
          value_parser = whole::<u32>(1_000..=u64::from(u32::MAX)), help_heading = "Work")]
    pub document_cache_capacity: u32,
    /// Mebibytes that documents in memory may take, roughly; with more waiting to be written no more changes are read
    #[arg(long, env = "DOCUMENT_CACHE_MEGABYTES", value_name = "DOCUMENT_CACHE_MEGABYTES", default_value_t = 512,
          value_parser = whole::<u32>(16..=1_048_576), help_heading = "Work")]
    pub document_cache_megabytes: u32,
    /// Name of this instance, unlike all others of the group; default: the host's name and a free number on it
    #[arg(long, env = "INSTANCE_ID", value_name = "INSTANCE_ID", help_heading = "Kafka")]
    pub instance_id: Option<String>,
    /// Who hands out partitions: an instance of the group (classic), or the brokers (consumer, KIP-848)
    #[arg(
        long,
        env = "KAFKA_GROUP_PROTOCOL",
        value_name = "KAFKA_GROUP_PROTOCOL",
        default_value = "classic",
        help_heading = "Kafka"
    )]
    pub kafka_group_protocol: GroupProtocol,
    /// Milliseconds without a heartbeat after which the group gives an instance's partitions to others [default: 10000];
    /// not with KAFKA_GROUP_PROTOCOL=consumer, where the brokers say (group.consumer.session.timeout.ms)
    #[arg(long, env = "KAFKA_SESSION_TIMEOUT_MS", value_name = "KAFKA_SESSION_TIMEOUT_MS",
          value_parser = whole::<u32>(6_000..=1_800_000), help_heading = "Kafka")]
    pub kafka_session_timeout_ms: Option<u32>,
    /// Milliseconds after which the broker aborts a transaction that a dead instance has left open
    #[arg(long, env = "KAFKA_TRANSACTION_TIMEOUT_MS", value_name = "KAFKA_TRANSACTION_TIMEOUT_MS", default_value_t = 15_000,
          value_parser = whole::<u32>(2_000..=900_000), help_heading = "Kafka")]
    pub kafka_transaction_timeout_ms: u32,
    /// host:port of /healthz, /readyz and /metrics
    #[arg(long, env = "HTTP_ADDRESS", value_name = "HTTP_ADDRESS", default_value_t = DEFAULT_HTTP_ADDRESS,
          value_parser = address)]
    pub http_address: SocketAddr,
}

/// Who hands out the partitions of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupProtocol {
    /// One of the instances, in rounds in which all take part.
    #[default]
    Classic,
    /// The brokers, instance by instance (KIP-848). They set the session time-out too.
    Consumer,
}

impl RunArgs {
    /// The settings of a group's member: the protocol, and how soon its death is noticed.
    ///
    /// # Errors
    ///
    /// A session time-out together with the protocol in which the brokers set it.
    pub fn membership(&self) -> Result<Vec<(String, String)>, ConfigError> {
        const DEFAULT_SESSION_TIMEOUT_MS: u32 = 10_000;
        let setting = |name: &str, value: String| (name.to_owned(), value);
        match (self.kafka_group_protocol, self.kafka_session_timeout_ms) {
            (GroupProtocol::Classic, timeout) => {
                let timeout = timeout.unwrap_or(DEFAULT_SESSION_TIMEOUT_MS);
                Ok(vec![
                    setting("group.protocol", "classic".to_owned()),
                    setting("partition.assignment.strategy", "cooperative-sticky".to_owned()),
                    setting("session.timeout.ms", timeout.to_string()),
                    setting("heartbeat.interval.ms", (timeout / 4).min(3_000).to_string()),
                ])
            }
            (GroupProtocol::Consumer, None) => Ok(vec![setting("group.protocol", "consumer".to_owned())]),
            (GroupProtocol::Consumer, Some(timeout)) => Err(ConfigError::Value {
                variable: "KAFKA_SESSION_TIMEOUT_MS",
                value: timeout.to_string(),
                allowed: "nothing with KAFKA_GROUP_PROTOCOL=consumer: set the brokers' group.consumer.session.timeout.ms",
            }),
        }
    }

    /// The number of worker threads.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.worker_process_number.map_or_else(cores, usize::from)
    }

    /// How much the document cache holds.
    pub fn document_cache(&self) -> Capacity {
        Capacity {
            documents: self.document_cache_capacity as usize,
            bytes: (self.document_cache_megabytes as usize).saturating_mul(1024 * 1024),
        }
    }

    /// The time between two transactions.
    pub fn commit_interval(&self) -> Duration {
        Duration::from_millis(u64::from(self.commit_interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rdkafka::ClientConfig;
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        run: RunArgs,
    }

    fn settings(more: &[&str]) -> RunArgs {
        let needed = ["x", "--kafka-brokers=a:1", "--kafka-ssl-ca-location=a", "--kafka-ssl-certificate-location=a"];
        let needed = needed.into_iter().chain(["--kafka-ssl-key-location=a", "--kafka-sasl-username=a"]);
        Program::try_parse_from(needed.chain(more.iter().copied())).expect("arguments").run
    }

    fn membership(more: &[&str]) -> Result<Vec<(String, String)>, ConfigError> {
        settings(more).membership()
    }

    fn names(membership: &[(String, String)]) -> Vec<&str> {
        membership.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn without_settings_sessions_have_their_default_limits() {
        assert_eq!(settings(&[]).common.sessions.limits(), Limits::default());
        assert_eq!(settings(&[]).common.document_rules(), DocumentRules::default());
    }

    #[test]
    fn the_brokers_protocol_gets_no_setting_that_is_the_brokers_to_make() {
        let classic = membership(&[]).unwrap();
        let of_classic =
            ["group.protocol", "partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"];
        assert_eq!(names(&classic), of_classic);
        assert!(classic.contains(&("session.timeout.ms".into(), "10000".into())));
        let consumer = membership(&["--kafka-group-protocol=consumer"]).unwrap();
        assert_eq!(consumer, [("group.protocol".to_owned(), "consumer".to_owned())]);
        let starts = |membership: &[(String, String)]| {
            let config = crate::kafka::group::member_config(&ClientConfig::new(), "group", membership);
            config.create::<BaseConsumer>().is_ok()
        };
        assert!(starts(&classic) && starts(&consumer));
        assert!(!starts(&[consumer, vec![("session.timeout.ms".into(), "6000".into())]].concat()));
        let both = membership(&["--kafka-group-protocol=consumer", "--kafka-session-timeout-ms=6000"]).unwrap_err();
        let both = both.to_string();
        assert!(
            both.starts_with("KAFKA_SESSION_TIMEOUT_MS is \"6000\"") && both.contains("KAFKA_GROUP_PROTOCOL"),
            "{both}"
        );
    }
}
