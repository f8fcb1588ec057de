//! What is said about settings that can't work.

use std::time::Duration;

use anyhow::ensure;
use storepulse_events::topics;
use storepulse_kafka_admin::{AclBinding, Operation, Pattern, ResourceType};
use storepulse_tests::{Ended, Pipeline, Service, Spec, by_hand};

/// The longest any of them may take.
const LIMIT: Duration = Duration::from_secs(60);
/// A password that is wrong, and must not be shown either.
const WRONG_PASSWORD: &str = "wrong-password-of-the-tests";

/// Both services, as they are when nothing is wrong.
fn services(pipeline: &Pipeline) -> [Spec; 2] {
    [pipeline.analytics_spec(), pipeline.simulator_spec(&["--rate=100", "--events=100", "--seed=9"])]
}

/// What is wrong in each of many cases, to be told all at once.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn note(&mut self, case: &str, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            self.0.push(format!("{case}: {error:#}"));
        }
    }

    fn none(self) -> anyhow::Result<()> {
        ensure!(self.0.is_empty(), "{} problems:\n{}", self.0.len(), self.0.join("\n\n"));
        Ok(())
    }
}

/// Insists that a service ends soon, with a code, and a short message that has all of `words`.
fn expect_refusal(ended: &Ended, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    let name = &ended.name;
    ended.expect_code(code)?;
    ensure!(ended.took <= LIMIT, "{name} took {} s", ended.took.as_secs());
    for word in words {
        ensure!(said.contains(word), "{name} does not say {word:?}:\n{said}");
    }
    for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", WRONG_PASSWORD] {
        ensure!(!said.contains(word), "{name} says {word:?}:\n{said}");
    }
    Ok(())
}

pub fn wrong_settings_are_refused_by_name(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    pipeline.secrets().add("nobody", WRONG_PASSWORD);
    let mut problems = Problems::default();
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = pipeline.dir().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let garbage = file("garbage.key", "this is no key\n")?;
    let broken = "-----BEGIN PRIVATE KEY-----\ndGhpcyBpcyBubyBrZXk=\n-----END PRIVATE KEY-----\n";
    let broken = file("broken.key", broken)?;
    let empty = file("empty.password", "")?;
    let strangers = pipeline.root().join("certs/generated/rogue-client.key").to_string_lossy().into_owned();

    // Variable, value (none: not set), what else must be said.
    let both: [(&str, Option<&str>, &str); 12] = [
        ("KAFKA_BROKERS", Some("localhost"), "host:port"),
        ("KAFKA_BROKERS", Some("localhost:99999"), "localhost:99999"),
        ("KAFKA_BROKERS", None, ""),
        ("KAFKA_SSL_CA_LOCATION", Some("/nowhere/ca.crt"), "/nowhere/ca.crt"),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", Some("/nowhere/client.crt"), "/nowhere/client.crt"),
        ("KAFKA_SSL_KEY_LOCATION", Some(&garbage), "garbage.key"),
        ("KAFKA_SSL_KEY_LOCATION", Some(&broken), "broken.key"),
        ("KAFKA_SSL_KEY_LOCATION", Some(&strangers), "rogue-client.key"),
        ("KAFKA_SASL_MECHANISM", Some("PLAIN"), "SCRAM-SHA-256"),
        ("KAFKA_SASL_PASSWORD", None, "KAFKA_SASL_PASSWORD_FILE"),
        ("SHOP_CURRENCY", Some("dollars"), "dollars"),
        ("HTTP_ADDRESS", Some("here"), "an IP address and a port"),
    ];
    for (variable, value, word) in both {
        for spec in services(pipeline) {
            let spec = match value {
                Some(value) => spec.set(variable, value),
                None => spec.without(variable),
            };
            let case = format!("{variable}={value:?}");
            let ended = pipeline.run(&spec, LIMIT)?;
            problems.note(&case, expect_refusal(&ended, 2, &[variable, word]));
        }
    }
    for spec in services(pipeline) {
        let spec = spec.without("KAFKA_SASL_PASSWORD").set("KAFKA_SASL_PASSWORD_FILE", &empty);
        let ended = pipeline.run(&spec, LIMIT)?;
        problems
            .note("an empty password file", expect_refusal(&ended, 2, &["KAFKA_SASL_PASSWORD_FILE", "empty.password"]));
    }
    let [analytics, simulator] = services(pipeline);
    for (spec, variable, value, allowed) in [
        (&analytics, "WORKER_PROCESS_NUMBER", "many", "from 1 to 256"),
        (&analytics, "WORKER_PROCESS_NUMBER", "1000", "from 1 to 256"),
        (&analytics, "COMMIT_INTERVAL_MS", "0", "from 10 to 5000"),
        (&analytics, "STORE", "paper", "sqlite"),
        (&analytics, "KAFKA_GROUP_PROTOCOL", "raft", "consumer"),
        (&analytics, "FIRESTORE_EMULATOR_HOST", "nonsense", "host"),
        (&simulator, "NUMBER_SIMULATION_PROCESSES", "-1", "from 1 to 512"),
        (&simulator, "SIMULATOR_RATE", "fast", "a number from"),
        (&simulator, "PURCHASE_PROBABILITY", "1.5", "from 0 to 1"),
        (&simulator, "MIN_CART_QUANTITY", "7", "allowed"),
    ] {
        // A flag would count instead of the variable.
        let mut spec = spec.clone().set(variable, value);
        spec.arguments.retain(|argument| !argument.starts_with("--processes") && !argument.starts_with("--rate"));
        let ended = pipeline.run(&spec, LIMIT)?;
        problems.note(&format!("{variable}={value}"), expect_refusal(&ended, 2, &[variable, value, allowed]));
    }
    // The one excludes the other.
    let ended = pipeline.run(&analytics.clone().set("KAFKA_GROUP_PROTOCOL", "consumer"), LIMIT)?;
    problems.note("both", expect_refusal(&ended, 2, &["KAFKA_SESSION_TIMEOUT_MS", "KAFKA_GROUP_PROTOCOL", "brokers"]));
    let ended = pipeline.run(&analytics.without("GCLOUD_PROJECT"), LIMIT)?;
    problems.note("no GCLOUD_PROJECT", expect_refusal(&ended, 2, &["GCLOUD_PROJECT"]));
    problems.none()
}

pub fn a_cluster_that_cannot_be_used_is_told_apart_from_wrong_settings(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    pipeline.secrets().add("nobody", WRONG_PASSWORD);
    let mut problems = Problems::default();
    let rogue = pipeline.root().join("certs/generated/rogue-ca.crt").to_string_lossy().into_owned();
    // Port 1 is TCPMUX's, which nobody runs. It takes longest, so the others run meanwhile.
    let unreachable: Vec<Service> = services(pipeline)
        .iter()
        .map(|spec| pipeline.start(&spec.clone().set("KAFKA_BROKERS", "localhost:1")))
        .collect::<anyhow::Result<_>>()?;
    for (case, variable, value, words) in [
        (
            "a wrong password",
            "KAFKA_SASL_PASSWORD",
            WRONG_PASSWORD,
            ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "refuse"],
        ),
        ("a foreign authority", "KAFKA_SSL_CA_LOCATION", &rogue, ["KAFKA_SSL_CA_LOCATION", "certificate", "TLS"]),
        ("a missing topic", "KAFKA_EVENT_TOPIC", "no-such-topic", ["no-such-topic", "ACL", "storepulse-kafka-admin"]),
    ] {
        for spec in services(pipeline) {
            let ended = pipeline.run(&spec.set(variable, value), LIMIT)?;
            problems.note(case, expect_refusal(&ended, 2, &words));
        }
    }
    for service in unreachable {
        let ended = service.wait(LIMIT)?;
        problems.note("an unreachable broker", expect_refusal(&ended, 1, &["localhost:1", "KAFKA_BROKERS"]));
    }
    problems.none()
}

/// A permission of the plan on the event topic.
fn on_events(user: &str, operation: Operation) -> AclBinding {
    AclBinding {
        principal: format!("User:{user}"),
        resource_type: ResourceType::Topic,
        resource: topics::EVENTS.to_owned(),
        pattern: Pattern::Literal,
        operation,
    }
}

pub fn a_missing_permission_is_named(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let admin = pipeline.environment("admin");
    let mut problems = Problems::default();
    // In Kafka whoever may read or write may look as well: without both, the topic can't even be seen.
    for (user, operation, spec) in [
        ("analytics", Operation::Read, services(pipeline)[0].clone()),
        ("simulator", Operation::Write, services(pipeline)[1].clone()),
    ] {
        let permissions = [on_events(user, operation), on_events(user, Operation::Describe)];
        pipeline.wait(by_hand::take_away(&admin, &permissions))?;
        let ended = pipeline.run(&spec, LIMIT)?;
        problems.note("no permission at all", expect_refusal(&ended, 2, &[user, topics::EVENTS, "ACL"]));
        pipeline.wait(by_hand::give_back(&admin))?;
    }
    // It may look, but not write.
    let [analytics, simulator] = services(pipeline);
    pipeline.wait(by_hand::take_away(&admin, &[on_events("simulator", Operation::Write)]))?;
    let ended = pipeline.run(&simulator, LIMIT)?;
    problems.note("no permission to write", expect_refusal(&ended, 2, &["simulator", topics::EVENTS, "ACL"]));
    pipeline.wait(by_hand::give_back(&admin))?;
    // Analytics lacks one of its own, and there is work for which it needs it: without any, nobody would notice.
    let own = |resource_type, resource: &str, pattern, operation| AclBinding {
        principal: "User:analytics".to_owned(),
        resource_type,
        resource: resource.to_owned(),
        pattern,
        operation,
    };
    let topic = |name: &str, operation| own(ResourceType::Topic, name, Pattern::Literal, operation);
    let prefixed = |kind, operation| own(kind, topics::ANALYTICS_GROUP, Pattern::Prefixed, operation);
    for (seed, (permission, resource)) in (90..).zip([
        (topic(topics::EVENTS, Operation::Read), topics::EVENTS),
        (topic(topics::DELTAS, Operation::Read), topics::DELTAS),
        (topic(topics::DELTAS, Operation::Write), topics::DELTAS),
        (topic(topics::SESSIONS, Operation::Read), topics::SESSIONS),
        (topic(topics::DEAD_LETTERS, Operation::Write), topics::DEAD_LETTERS),
        (prefixed(ResourceType::Group, Operation::Read), "group"),
        (prefixed(ResourceType::TransactionalId, Operation::Write), "transactional id"),
    ]) {
        let case = permission.to_string();
        let seed = format!("--seed={seed}");
        let run = pipeline.simulate(&["--rate=2000", "--events=400", "--malformed=0.05", &seed])?;
        pipeline.finish(run)?;
        pipeline.wait(by_hand::take_away(&admin, &[permission]))?;
        let outcome = pipeline.run(&analytics, LIMIT);
        problems.note(&case, outcome.and_then(|ended| expect_refusal(&ended, 2, &["analytics", resource, "ACL"])));
        pipeline.wait(by_hand::give_back(&admin))?;
    }
    // Nothing is lost by it.
    let service = pipeline.analytics()?;
    pipeline.expect_exact(None)?;
    service.stop()?;
    problems.none()
}
