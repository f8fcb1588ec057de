//! The simulator into the secured cluster; and the bound, Kafka's own `ProducerPerformance`.
//!
//! Both send as many records to an empty topic of 12 partitions and three copies, with `acks=all`, idempotent, lz4,
//! batches of up to a megabyte that wait 100 ms, as the same user with the same certificate. `ProducerPerformance` takes its
//! records at random from a file of the simulator's events, so sizes and how well they compress are the same; it has
//! nothing to make, and its records have no keys, so it fills one batch after another. They run in turns; each pass is a
//! new process, and the pass with the median rate counts.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::cpu::{Cpu, Machine};
use super::ground::Ground;
use super::options::Options;
use super::report::{Cost, Line, Reach, Row};
use super::{pure, say, topic};

/// Passes that do not count. The brokers' JVMs are new, and what takes in records is not compiled well before the fourth.
const WARM_UPS: u32 = 4;
/// Events that Kafka's tool chooses from.
const CHOICE: u64 = 20_000;
/// The longest that a pass may take.
const PASS: Duration = Duration::from_secs(600);

/// One pass of a producer.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    rate: f64,
    cpu: Cpu,
    brokers: Cpu,
    others: f64,
}

/// Measures.
///
/// # Errors
/// When a producer fails.
pub fn measure(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    let events = options.events / 2;
    let payloads = payloads(ground)?;
    let config = ClientFiles::write(ground)?;
    let (mut simulator, mut kafka) = (Vec::new(), Vec::new());
    say(format!("producing: {WARM_UPS} passes of each to warm up, uncounted"));
    for number in 0..WARM_UPS + options.passes {
        let topic = topic::make(ground, "produce")?;
        let spec = topic::simulator(ground, &topic, events, 1, &[]);
        let pass = pass(ground, |ground| {
            let ended = ground.start(&spec)?.wait(PASS)?;
            ended.expect_code(0)?;
            rate_of_simulator(&ended.stdout).context("the simulator does not say its rate")
        })?;
        say(format!("simulator: {}", told(&pass, events)));
        let topic = topic::make(ground, "produce")?;
        let command = kafka_tool(ground, &config, &topic, &payloads, events);
        let bound = self::pass(ground, |ground| {
            let said = ground.programs().run("producer-performance", command, PASS)?;
            rate_of_kafka(&said).context("ProducerPerformance does not say its rate")
        })?;
        say(format!("ProducerPerformance: {}", told(&bound, events)));
        if number >= WARM_UPS {
            simulator.push(pass);
            kafka.push(bound);
        }
    }
    topic::delete(ground, "bench-produce")?;
    std::fs::remove_file(&payloads)?;
    let (simulator, kafka) = (median(simulator), median(kafka));
    let bound_is = "Kafka's ProducerPerformance";
    let whole = |pass: &Pass| (pass.cpu + pass.brokers).per_million(events).total();
    Ok(vec![Row {
        id: "produce",
        what: "simulator into the secured cluster (acks=all, idempotent)",
        lines: vec![
            Line::new("its rate", simulator.rate, "events/s", Reach::RatioAtLeast(1.0)).beside(bound_is, kafka.rate),
            Line::new("its CPU, with the brokers'", whole(&simulator), "CPU s per million events", Reach::Nothing)
                .beside(bound_is, whole(&kafka)),
        ],
        costs: vec![
            Cost::new("simulator into Kafka", events, simulator.cpu, Some(simulator.brokers)),
            Cost::new("ProducerPerformance", events, kafka.cpu, Some(kafka.brokers)),
        ],
        notes: vec![
            format!(
                "{events} events into an empty topic, by two worker processes; ProducerPerformance is one process. The \
                 median of {} passes in turns, after {WARM_UPS} of each that do not count. Each says its own rate.",
                options.passes
            ),
            format!(
                "Other programs used {:.2} cores during the simulator's pass and {:.2} during that of Kafka's tool.",
                simulator.others, kafka.others
            ),
        ],
    }])
}

fn pass(ground: &mut Ground, send: impl FnOnce(&mut Ground) -> anyhow::Result<f64>) -> anyhow::Result<Pass> {
    let brokers = ground.brokers();
    let (before, children, machine) = (Cpu::of_processes(&brokers)?, Cpu::of_ended_children()?, Machine::now()?);
    let rate = send(ground)?;
    let brokers = Cpu::of_processes(&brokers)? - before;
    let cpu = Cpu::of_ended_children()? - children;
    Ok(Pass { rate, cpu, brokers, others: machine.others(cpu + brokers)? })
}

fn told(pass: &Pass, events: u64) -> String {
    let (own, brokers) = (pass.cpu.per_million(events).total(), pass.brokers.per_million(events).total());
    format!(
        "{:.0} events/s, {own:.2} CPU s per million events, brokers {brokers:.2}, others {:.2} cores",
        pass.rate, pass.others
    )
}

fn median(mut passes: Vec<Pass>) -> Pass {
    passes.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    passes.get(passes.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// The rate in the simulator's last line, such as `  12.3 s, 160000 events/s`.
fn rate_of_simulator(said: &str) -> Option<f64> {
    said.lines().rev().find_map(|line| line.trim().strip_suffix(" events/s")?.rsplit(' ').next()?.parse().ok())
}

/// The rate in the last line of Kafka's tool: `1000 records sent, 123.4 records/sec (…), …`.
fn rate_of_kafka(said: &str) -> Option<f64> {
    let last = said.lines().rev().find(|line| line.contains(" records sent, "))?;
    last.split(", ").nth(1)?.split(' ').next()?.parse().ok()
}

/// A file of events, one a line.
fn payloads(ground: &mut Ground) -> anyhow::Result<PathBuf> {
    let events = pure::sample(ground.programs(), CHOICE)?;
    let file = ground.programs().dir().join("payloads.jsonl");
    std::fs::write(&file, events.join(&b'\n'))?;
    Ok(file)
}

fn kafka_tool(ground: &Ground, config: &ClientFiles, topic: &str, payloads: &Path, events: u64) -> Command {
    let java = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let mut command =
        Command::new(java.map_or_else(|| PathBuf::from("java"), |home| Path::new(&home).join("bin/java")));
    command
        .args(["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-cp"])
        .arg(ground.paths().kafka_libs().join("*"))
        .args(["org.apache.kafka.tools.ProducerPerformance", "--throughput", "-1", "--topic", topic])
        .args(["--num-records", &events.to_string(), "--payload-file"])
        .arg(payloads)
        .arg("--command-config")
        .arg(&config.properties);
    command
}

/// The files with which a Java client acts as the simulator. They hold secrets: for this user only, and removed in the end.
struct ClientFiles {
    properties: PathBuf,
    store: PathBuf,
}

impl ClientFiles {
    fn write(ground: &mut Ground) -> anyhow::Result<Self> {
        let variables = ground.environment("simulator");
        let get = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.clone()).with_context(|| format!("{name} is not known"))
        };
        let dir = ground.programs().dir().to_owned();
        let files = Self { properties: dir.join("client.properties"), store: dir.join("client.pem") };
        // Java wants key and certificate in one file.
        let key = std::fs::read_to_string(get("KAFKA_SSL_KEY_LOCATION")?)?;
        let certificate = std::fs::read_to_string(get("KAFKA_SSL_CERTIFICATE_LOCATION")?)?;
        private(&files.store, &format!("{key}\n{certificate}"))?;
        let login = format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{}\" password=\"{}\";",
            get("KAFKA_SASL_USERNAME")?,
            get("KAFKA_SASL_PASSWORD")?
        );
        let settings = [
            ("bootstrap.servers", get("KAFKA_BROKERS")?),
            ("security.protocol", "SASL_SSL".to_owned()),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.location", get("KAFKA_SSL_CA_LOCATION")?),
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", files.store.to_string_lossy().into_owned()),
            ("sasl.mechanism", get("KAFKA_SASL_MECHANISM")?),
            ("sasl.jaas.config", login),
            ("acks", "all".to_owned()),
            ("enable.idempotence", "true".to_owned()),
            ("compression.type", "lz4".to_owned()),
            ("linger.ms", "100".to_owned()),
            ("batch.size", "1000000".to_owned()),
            ("max.request.size", "1048576".to_owned()),
            ("buffer.memory", "268435456".to_owned()),
        ];
        let line = |(name, value): &(&str, String)| format!("{name}={}\n", value.replace('\\', "\\\\"));
        private(&files.properties, &settings.iter().map(line).collect::<String>())?;
        Ok(files)
    }
}

impl Drop for ClientFiles {
    fn drop(&mut self) {
        // In a directory of the build; a run that is killed leaves them, readable for this user only.
        let _ = std::fs::remove_file(&self.properties);
        let _ = std::fs::remove_file(&self.store);
    }
}

fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_say_their_rates() {
        let simulator = "events 5\n\n  12.3 s, 160000 events/s\n";
        assert_eq!(rate_of_simulator(simulator), Some(160_000.0));
        let kafka = "500 records sent, 100.0 records/sec (1 MB/sec), 1.0 ms avg latency, 2.0 ms max latency.\n\
                     1000 records sent, 123.4 records/sec (0.05 MB/sec), 1.5 ms avg latency, 3.00 ms max latency, 1 ms 50th.\n";
        assert_eq!(rate_of_kafka(kafka), Some(123.4));
        assert_eq!((rate_of_simulator("no"), rate_of_kafka("no")), (None, None));
    }
}
