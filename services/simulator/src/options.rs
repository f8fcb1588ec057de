//! Command line and environment.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use rdkafka::ClientConfig;
use storepulse_events::{Currency, Money, Timestamp, topics};
use storepulse_platform::parse::{address, whole};
use storepulse_platform::probe::ProbeArgs;
use storepulse_platform::telemetry::LogArgs;

use crate::cluster::Cluster;
use crate::parse::{Micros, factor, instant, money, probability, seconds};
use crate::settings::{Behaviour, Disorder, Pace, Settings, Target};

/// Where a run listens unless told otherwise, and `health` asks.
pub const DEFAULT_HTTP_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9101));

/// A setting that can't work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {value}: allowed is {allowed}")]
pub struct OptionsError {
    /// The environment variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

fn refuse(variable: &'static str, value: impl ToString, allowed: impl Into<String>) -> OptionsError {
    OptionsError { variable, value: value.to_string(), allowed: allowed.into() }
}

/// `storepulse-simulator health`: asks the simulator that runs here how it is; exits 0 when it is well.
#[derive(Clone, Debug, Parser)]
#[command(name = "storepulse-simulator health", version)]
pub struct HealthOptions {
    /// What to ask.
    #[command(flatten)]
    pub probe: ProbeArgs,
}

/// Simulates the shoppers of an online shop and sends their events to Kafka, into a file, or nowhere.
///
/// Every flag can be given as the environment variable named beside it. Without --rate, --speed, --flat-out or --from
/// events come in real time. The same --seed and options (with the number of processes) give the same events.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "storepulse-simulator",
    version,
    max_term_width = 120,
    after_help = "`storepulse-simulator health` asks a running simulator how it is; see its --help."
)]
pub struct Options {
    /// Worker processes [default: the number of cores]
    #[arg(long, env = "NUMBER_SIMULATION_PROCESSES", value_name = "NUMBER_SIMULATION_PROCESSES",
          value_parser = whole::<u32>(1..=512))]
    pub processes: Option<u32>,
    /// Shoppers at once in each worker, each in a session or pausing between two
    #[arg(long, env = "SIMULATOR_SESSIONS", value_name = "SIMULATOR_SESSIONS", default_value_t = 1000,
          value_parser = whole::<u32>(1..=1_000_000))]
    pub sessions: u32,
    /// Users over all workers, at least sessions × processes; they take turns [default: 10 × sessions × processes]
    #[arg(long, env = "SIMULATOR_USERS", value_name = "SIMULATOR_USERS",
          value_parser = whole::<u32>(1..=100_000_000))]
    pub users: Option<u32>,
    /// Products in the catalog
    #[arg(long, env = "SIMULATOR_PRODUCTS", value_name = "SIMULATOR_PRODUCTS", default_value_t = 100,
          value_parser = whole::<u32>(1..=100_000))]
    pub products: u32,
    /// Categories in the catalog, at most one for each product
    #[arg(long, env = "SIMULATOR_CATEGORIES", value_name = "SIMULATOR_CATEGORIES", default_value_t = 8,
          value_parser = whole::<u32>(1..=10_000))]
    pub categories: u32,
    /// Countries that shoppers live in [default: all of the world's that are known, about 40]
    #[arg(long, env = "SIMULATOR_COUNTRIES", value_name = "SIMULATOR_COUNTRIES",
          value_parser = whole::<u32>(1..=250))]
    pub countries: Option<u32>,
    /// Currency of all prices, any three upper-case letters
    #[arg(long, env = "SHOP_CURRENCY", value_name = "SHOP_CURRENCY", default_value = "USD")]
    pub shop_currency: Currency,

    /// Seed of everything random [default: a random one, which is printed]
    #[arg(long, env = "SIMULATOR_SEED", value_name = "SIMULATOR_SEED", help_heading = "Run")]
    pub seed: Option<u64>,
    /// Stop after so many unique well-formed events over all workers; duplicates and malformed messages come on top
    /// [default: endless]
    #[arg(long, env = "SIMULATOR_EVENTS", value_name = "SIMULATOR_EVENTS", help_heading = "Run",
          value_parser = whole::<u64>(1..=u64::MAX))]
    pub events: Option<u64>,
    /// Events a second over all workers, with the wall clock's timestamps
    #[arg(long, env = "SIMULATOR_RATE", value_name = "SIMULATOR_RATE", help_heading = "Run", value_parser = factor)]
    pub rate: Option<f64>,
    /// How many times faster than real time; timestamps run ahead of the wall clock unless --from starts in the past
    /// [default: 1]
    #[arg(long, env = "SIMULATOR_SPEED", value_name = "SIMULATOR_SPEED", help_heading = "Run", value_parser = factor)]
    pub speed: Option<f64>,
    /// As fast as possible, in simulated time from 2026-01-01T00:00:00Z or --from [default with --from, or with a --sink
    /// other than kafka]
    #[arg(long, env = "SIMULATOR_FLAT_OUT", help_heading = "Run",
          value_parser = clap::builder::BoolishValueParser::new())]
    pub flat_out: bool,
    /// Start of simulated time: RFC 3339, or YYYY-MM-DD (UTC)
    #[arg(long, env = "SIMULATOR_FROM", value_name = "SIMULATOR_FROM", help_heading = "Run", value_parser = instant)]
    pub from: Option<Timestamp>,
    /// End of simulated time, itself excluded: RFC 3339, or YYYY-MM-DD (UTC). Sessions that are open then are cut off
    #[arg(long, env = "SIMULATOR_TO", value_name = "SIMULATOR_TO", help_heading = "Run", value_parser = instant)]
    pub to: Option<Timestamp>,

    /// Where messages go: kafka, null (nowhere), or the path of a file of lines, which is overwritten
    #[arg(
        long,
        env = "SIMULATOR_SINK",
        value_name = "SIMULATOR_SINK",
        default_value = "kafka",
        help_heading = "Output"
    )]
    pub sink: String,
    /// File that gets the ledger as JSON at the end: what was acknowledged, by type, country, day, product, payment
    #[arg(long, env = "SIMULATOR_LEDGER", value_name = "SIMULATOR_LEDGER", help_heading = "Output")]
    pub ledger: Option<PathBuf>,
    /// Address of /healthz, /readyz and /metrics
    #[arg(
        long,
        env = "HTTP_ADDRESS",
        value_name = "HTTP_ADDRESS",
        default_value_t = DEFAULT_HTTP_ADDRESS,
        value_parser = address,
        help_heading = "Output"
    )]
    pub http_address: SocketAddr,

    /// The shoppers' behaviour
    #[command(flatten)]
    pub behaviour: BehaviourOptions,
    /// What goes wrong
    #[command(flatten)]
    pub disorder: DisorderOptions,
    /// How messages are produced
    #[command(flatten)]
    pub producer: ProducerOptions,
    /// Where the cluster is
    #[command(flatten)]
    pub kafka: Cluster,
    /// Logs
    #[command(flatten)]
    pub log: LogArgs,
}

/// How shoppers behave.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Shoppers")]
#[allow(missing_docs, reason = "clap shows each field's text, which the attribute gives")]
pub struct BehaviourOptions {
    #[arg(long, env = "MIN_SESSION_INTERVAL_SECONDS", value_name = "MIN_SESSION_INTERVAL_SECONDS", value_parser = seconds,
          default_value = "5", help = "Shortest pause between two sessions of a shopper, in seconds")]
    pub min_session_interval_seconds: Micros,
    #[arg(long, env = "MAX_SESSION_INTERVAL_SECONDS", value_name = "MAX_SESSION_INTERVAL_SECONDS", value_parser = seconds,
          default_value = "600", help = "Longest pause between two sessions of a shopper, in seconds")]
    pub max_session_interval_seconds: Micros,
    #[arg(long, env = "MIN_EVENT_INTERVAL_SECONDS", value_name = "MIN_EVENT_INTERVAL_SECONDS", value_parser = seconds,
          default_value = "1", help = "Shortest time between two events of a session, in seconds")]
    pub min_event_interval_seconds: Micros,
    #[arg(long, env = "MAX_EVENT_INTERVAL_SECONDS", value_name = "MAX_EVENT_INTERVAL_SECONDS", value_parser = seconds,
          default_value = "30", help = "Longest time between two events of a session, in seconds")]
    pub max_event_interval_seconds: Micros,
    #[arg(long, env = "ADD_TO_CART_PROBABILITY", value_name = "ADD_TO_CART_PROBABILITY", value_parser = probability,
          default_value = "0.35", help = "That a product that was looked at goes into the cart, 0 to 1")]
    pub add_to_cart_probability: f64,
    #[arg(long, env = "REMOVE_FROM_CART_PROBABILITY", value_name = "REMOVE_FROM_CART_PROBABILITY", value_parser = probability,
          default_value = "0.15", help = "That something goes out of the cart after something went in, 0 to 1")]
    pub remove_from_cart_probability: f64,
    #[arg(long, env = "PURCHASE_PROBABILITY", value_name = "PURCHASE_PROBABILITY", value_parser = probability,
          default_value = "0.4", help = "That a cart is bought in the end, 0 to 1")]
    pub purchase_probability: f64,
    #[arg(long, env = "DISCOUNT_PROBABILITY", value_name = "DISCOUNT_PROBABILITY", value_parser = probability,
          default_value = "0.25", help = "That an order gets a discount (5 to 30 %), 0 to 1")]
    pub discount_probability: f64,
    #[arg(long, env = "MIN_CART_QUANTITY", value_name = "MIN_CART_QUANTITY", default_value_t = 1,
          value_parser = whole::<u32>(1..=1000), help = "Fewest pieces put into the cart at once")]
    pub min_cart_quantity: u32,
    #[arg(long, env = "MAX_CART_QUANTITY", value_name = "MAX_CART_QUANTITY", default_value_t = 5,
          value_parser = whole::<u32>(1..=1000), help = "Most pieces put into the cart at once")]
    pub max_cart_quantity: u32,
    #[arg(long, env = "MIN_SHIPPING_COST", value_name = "MIN_SHIPPING_COST", value_parser = money, default_value = "0",
          help = "Cheapest shipping, in units of currency with at most two decimals")]
    pub min_shipping_cost: Money,
    #[arg(long, env = "MAX_SHIPPING_COST", value_name = "MAX_SHIPPING_COST", value_parser = money, default_value = "25",
          help = "Dearest shipping, in units of currency with at most two decimals")]
    pub max_shipping_cost: Money,
    #[arg(long, env = "MIN_DELIVERY_DAYS", value_name = "MIN_DELIVERY_DAYS", default_value_t = 1,
          value_parser = whole::<u32>(0..=3650), help = "Shortest delivery, in days")]
    pub min_delivery_days: u32,
    #[arg(long, env = "MAX_DELIVERY_DAYS", value_name = "MAX_DELIVERY_DAYS", default_value_t = 10,
          value_parser = whole::<u32>(0..=3650), help = "Longest delivery, in days")]
    pub max_delivery_days: u32,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Disorder")]
#[allow(missing_docs, reason = "clap shows each field's text, which the attribute gives")]
pub struct DisorderOptions {
    #[arg(long, env = "SIMULATOR_LATE", value_name = "SIMULATOR_LATE", value_parser = probability, default_value = "0",
          help = "Fraction of the events that are sent late, 0 to 1")]
    pub late: f64,
    #[arg(long, env = "SIMULATOR_LATE_BY_SECONDS", value_name = "SIMULATOR_LATE_BY_SECONDS", value_parser = seconds,
          default_value = "300", help = "How late at most, in seconds of the schedule; at least a tenth of it")]
    pub late_by_seconds: Micros,
    #[arg(long, env = "SIMULATOR_DUPLICATES", value_name = "SIMULATOR_DUPLICATES", value_parser = probability,
          default_value = "0", help = "Fraction of the events that are sent again within 30 s of the schedule, 0 to 1")]
    pub duplicates: f64,
    #[arg(long, env = "SIMULATOR_OUT_OF_ORDER", value_name = "SIMULATOR_OUT_OF_ORDER", value_parser = probability,
          default_value = "0", help = "Fraction of the events that are sent after their successor in the session, 0 to 1")]
    pub out_of_order: f64,
    #[arg(long, env = "SIMULATOR_MALFORMED", value_name = "SIMULATOR_MALFORMED", value_parser = probability,
          default_value = "0", help = "Malformed messages sent on top, as a fraction of the events, 0 to 1")]
    pub malformed: f64,
}

/// How messages are produced to Kafka.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Producer")]
pub struct ProducerOptions {
    /// Topic that gets the events
    #[arg(long, env = "KAFKA_EVENT_TOPIC", value_name = "KAFKA_EVENT_TOPIC", default_value = topics::EVENTS)]
    pub kafka_event_topic: String,
    /// Compression of batches
    #[arg(long, env = "KAFKA_COMPRESSION_TYPE", value_name = "KAFKA_COMPRESSION_TYPE", default_value = "lz4",
          value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    pub kafka_compression_type: String,
    /// How long a batch waits for more messages, in milliseconds [default: 10, and 100 with --flat-out]
    #[arg(long, env = "KAFKA_LINGER_MS", value_name = "KAFKA_LINGER_MS", value_parser = whole::<u32>(0..=10_000))]
    pub kafka_linger_ms: Option<u32>,
    /// How long a message is retried before it counts as a delivery error, in seconds
    #[arg(long, env = "KAFKA_DELIVERY_TIMEOUT_SECONDS", value_name = "KAFKA_DELIVERY_TIMEOUT_SECONDS", default_value_t = 300,
          value_parser = whole::<u32>(1..=86_400))]
    pub kafka_delivery_timeout_seconds: u32,
    /// How long to wait for the cluster at start, in seconds
    #[arg(long, env = "KAFKA_START_TIMEOUT_SECONDS", value_name = "KAFKA_START_TIMEOUT_SECONDS", default_value_t = 15,
          value_parser = whole::<u32>(1..=600))]
    pub kafka_start_timeout_seconds: u32,
}

impl ProducerOptions {
    /// How long to wait for the cluster at start.
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.kafka_start_timeout_seconds.into())
    }
}

impl Options {
    /// Checks what single values don't show.
    ///
    /// # Errors
    ///
    /// Names the variable, its value and what is allowed.
    pub fn settings(&self) -> Result<Settings, OptionsError> {
        let cores = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(512));
        let processes = self.processes.unwrap_or(cores.min(512));
        let least = u64::from(self.sessions) * u64::from(processes);
        let users = self.users.map_or(least.saturating_mul(10).min(100_000_000), u64::from);
        if users < least {
            let allowed = format!("at least SIMULATOR_SESSIONS × NUMBER_SIMULATION_PROCESSES, here {least}");
            return Err(refuse("SIMULATOR_USERS", users, allowed));
        }
        if self.categories > self.products {
            let allowed = format!("at most SIMULATOR_PRODUCTS, here {}", self.products);
            return Err(refuse("SIMULATOR_CATEGORIES", self.categories, allowed));
        }
        let target = match self.sink.as_str() {
            "" => return Err(refuse("SIMULATOR_SINK", "empty", "kafka, null, or the path of a file")),
            "kafka" => Target::Kafka,
            "null" => Target::Null,
            path => Target::File(path.into()),
        };
        self.check_range()?;
        Ok(Settings {
            processes,
            sessions: self.sessions,
            users: u32::try_from(users).unwrap_or(u32::MAX),
            products: self.products as usize,
            categories: self.categories as usize,
            countries: self.countries.map_or(usize::MAX, |count| count as usize),
            seed: self.seed,
            events: self.events,
            from: self.from,
            to: self.to,
            pace: self.pace(&target)?,
            behaviour: self.behaviour.check()?,
            disorder: self.disorder.check()?,
            currency: self.shop_currency,
            target,
        })
    }

    fn check_range(&self) -> Result<(), OptionsError> {
        match (self.from, self.to) {
            (None, Some(to)) => Err(refuse("SIMULATOR_TO", to, "only together with SIMULATOR_FROM")),
            (Some(from), Some(to)) if to <= from => {
                Err(refuse("SIMULATOR_TO", to, format!("a time after SIMULATOR_FROM, here {from}")))
            }
            _ => Ok(()),
        }
    }

    fn pace(&self, target: &Target) -> Result<Pace, OptionsError> {
        match (self.rate, self.speed, self.flat_out) {
            (Some(rate), None, false) => Ok(Pace::Rate(rate)),
            (None, Some(speed), false) => Ok(Pace::Speed(speed)),
            (None, None, true) => Ok(Pace::FlatOut),
            (None, None, false) if self.from.is_some() || *target != Target::Kafka => Ok(Pace::FlatOut),
            (None, None, false) => Ok(Pace::Speed(1.0)),
            (Some(rate), ..) => {
                Err(refuse("SIMULATOR_RATE", rate, "a rate without SIMULATOR_SPEED and SIMULATOR_FLAT_OUT"))
            }
            (None, Some(speed), true) => Err(refuse("SIMULATOR_SPEED", speed, "a speed without SIMULATOR_FLAT_OUT")),
        }
    }
}

impl Options {
    /// The producer's configuration; `None` if the messages don't go to Kafka.
    ///
    /// # Errors
    ///
    /// Names the variable whose value, file or password can't work.
    pub fn producer_config(&self, settings: &Settings) -> Result<Option<ClientConfig>, String> {
        if settings.target != Target::Kafka {
            return Ok(None);
        }
        let kafka = self.kafka.known()?;
        let client = kafka.client_config().map_err(|e| e.to_string())?;
        Ok(Some(crate::sink::producer_config(&client, &self.producer, settings.pace)))
    }
}

/// Checks that the lower end of a range is not above its upper end.
fn range<T: PartialOrd + ToString + Copy>(
    low: (&'static str, T),
    high: (&'static str, T),
) -> Result<(T, T), OptionsError> {
    if low.1 <= high.1 {
        return Ok((low.1, high.1));
    }
    Err(refuse(low.0, low.1.to_string(), format!("at most {}, here {}", high.0, high.1.to_string())))
}

impl BehaviourOptions {
    fn check(&self) -> Result<Behaviour, OptionsError> {
        let events = range(
            ("MIN_EVENT_INTERVAL_SECONDS", self.min_event_interval_seconds),
            ("MAX_EVENT_INTERVAL_SECONDS", self.max_event_interval_seconds),
        )?;
        if events.1.0 == 0 {
            return Err(refuse("MAX_EVENT_INTERVAL_SECONDS", 0, "more than 0: time must pass"));
        }
        let sessions = range(
            ("MIN_SESSION_INTERVAL_SECONDS", self.min_session_interval_seconds),
            ("MAX_SESSION_INTERVAL_SECONDS", self.max_session_interval_seconds),
        )?;
        let shipping =
            range(("MIN_SHIPPING_COST", self.min_shipping_cost), ("MAX_SHIPPING_COST", self.max_shipping_cost))?;
        Ok(Behaviour {
            event_interval: (events.0.0, events.1.0),
            session_interval: (sessions.0.0, sessions.1.0),
            add_to_cart: self.add_to_cart_probability,
            remove_from_cart: self.remove_from_cart_probability,
            purchase: self.purchase_probability,
            discount: self.discount_probability,
            cart_quantity: range(
                ("MIN_CART_QUANTITY", self.min_cart_quantity),
                ("MAX_CART_QUANTITY", self.max_cart_quantity),
            )?,
            shipping_cost: (shipping.0.minor(), shipping.1.minor()),
            delivery_days: range(
                ("MIN_DELIVERY_DAYS", self.min_delivery_days),
                ("MAX_DELIVERY_DAYS", self.max_delivery_days),
            )?,
        })
    }
}

impl DisorderOptions {
    fn check(&self) -> Result<Disorder, OptionsError> {
        if self.late + self.out_of_order > 1.0 {
            let allowed = format!("at most 1 together with SIMULATOR_LATE, here {}", self.late);
            return Err(refuse("SIMULATOR_OUT_OF_ORDER", self.out_of_order, allowed));
        }
        Ok(Disorder {
            late: self.late,
            late_by: self.late_by_seconds.0,
            duplicates: self.duplicates,
            out_of_order: self.out_of_order,
            malformed: self.malformed,
        })
    }
}
