//! What is said about settings that can't work.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use storepulse_events::topics;
use storepulse_kafka_admin::{AclBinding, Operation, Pattern, ResourceType};
use storepulse_tests::{Ended, Pipeline, Service, Spec, by_hand};

/// The longest any of them may take.
const LIMIT: Duration = Duration::from_secs(30);
/// A password that is wrong, and must not be shown either.
const WRONG_PASSWORD: &str = "wrong-password-of-the-tests";

/// Both services, as they are when nothing is wrong.
fn services(pipeline: &Pipeline) -> [Spec; 2] {
    [pipeline.analytics_spec(), pipeline.simulator_spec(&["--rate=100", "--events=100", "--seed=9"])]
}

/// Insists that a service ends soon, with a code, and a short message that has all of `words`.
fn expect_refusal(case: &str, ended: &Ended, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    let name = &ended.name;
    ended.expect_code(code).with_context(|| case.to_owned())?;
    ensure!(ended.took <= LIMIT, "{case}: {name} took {} s", ended.took.as_secs());
    for word in words {
        ensure!(said.contains(word), "{case}: {name} does not say {word:?}:\n{said}");
    }
    for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", WRONG_PASSWORD] {
        ensure!(!said.contains(word), "{case}: {name} says {word:?}:\n{said}");
    }
    Ok(())
}

pub fn wrong_settings_are_refused_by_name(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    pipeline.secrets().add("nobody", WRONG_PASSWORD);
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = pipeline.dir().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let garbage = file("garbage.key", "this is no key\n")?;
    let broken = "-----BEGIN PRIVATE KEY-----\ndGhpcyBpcyBubyBrZXk=\n-----END PRIVATE KEY-----\n";
    let broken = file("broken.key", broken)?;
    let empty = file("empty.password", "")?;

    // Variable, value (none: not set), what else must be said.
    let both: [(&str, Option<&str>, &str); 11] = [
        ("KAFKA_BROKERS", Some("localhost"), "host:port"),
        ("KAFKA_BROKERS", Some("localhost:99999"), "localhost:99999"),
        ("KAFKA_BROKERS", None, ""),
        ("KAFKA_SSL_CA_LOCATION", Some("/nowhere/ca.crt"), "/nowhere/ca.crt"),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", Some("/nowhere/client.crt"), "/nowhere/client.crt"),
        ("KAFKA_SSL_KEY_LOCATION", Some(&garbage), "garbage.key"),
        ("KAFKA_SSL_KEY_LOCATION", Some(&broken), "broken.key"),
        ("KAFKA_SASL_MECHANISM", Some("PLAIN"), "SCRAM-SHA-256"),
        ("KAFKA_SASL_PASSWORD", None, "KAFKA_SASL_PASSWORD_FILE"),
        ("SHOP_CURRENCY", Some("dollars"), "dollars"),
        ("HTTP_ADDRESS", Some("here"), "here"),
    ];
    for (variable, value, word) in both {
        for spec in services(pipeline) {
            let spec = match value {
                Some(value) => spec.set(variable, value),
                None => spec.without(variable),
            };
            let case = format!("{variable}={value:?}");
            let ended = pipeline.run(&spec, LIMIT)?;
            expect_refusal(&case, &ended, 2, &[variable, word])?;
        }
    }
    for spec in services(pipeline) {
        let spec = spec.without("KAFKA_SASL_PASSWORD").set("KAFKA_SASL_PASSWORD_FILE", &empty);
        let ended = pipeline.run(&spec, LIMIT)?;
        expect_refusal("an empty password file", &ended, 2, &["KAFKA_SASL_PASSWORD_FILE", "empty.password"])?;
    }
    let [analytics, simulator] = services(pipeline);
    for (spec, variable, value) in [
        (&analytics, "WORKER_PROCESS_NUMBER", "many"),
        (&analytics, "COMMIT_INTERVAL_MS", "0"),
        (&analytics, "STORE", "paper"),
        (&analytics, "FIRESTORE_EMULATOR_HOST", "nonsense"),
        (&simulator, "NUMBER_SIMULATION_PROCESSES", "-1"),
        (&simulator, "SIMULATOR_RATE", "fast"),
        (&simulator, "PURCHASE_PROBABILITY", "1.5"),
        (&simulator, "MIN_CART_QUANTITY", "7"),
    ] {
        // A flag would count instead of the variable.
        let mut spec = spec.clone().set(variable, value);
        spec.arguments.retain(|argument| !argument.starts_with("--processes") && !argument.starts_with("--rate"));
        let ended = pipeline.run(&spec, LIMIT)?;
        expect_refusal(&format!("{variable}={value}"), &ended, 2, &[variable, value])?;
    }
    let ended = pipeline.run(&analytics.without("GCLOUD_PROJECT"), LIMIT)?;
    expect_refusal("no GCLOUD_PROJECT", &ended, 2, &["GCLOUD_PROJECT"])
}

pub fn a_cluster_that_cannot_be_used_is_told_apart_from_wrong_settings(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    pipeline.secrets().add("nobody", WRONG_PASSWORD);
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
            expect_refusal(case, &ended, 2, &words)?;
        }
    }
    for service in unreachable {
        let ended = service.wait(LIMIT)?;
        expect_refusal("an unreachable broker", &ended, 1, &["localhost:1", "KAFKA_BROKERS"])?;
    }
    Ok(())
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
    // In Kafka whoever may read or write may look as well: without both, the topic can't even be seen.
    for (user, operation, spec) in [
        ("analytics", Operation::Read, services(pipeline)[0].clone()),
        ("simulator", Operation::Write, services(pipeline)[1].clone()),
    ] {
        let permissions = [on_events(user, operation), on_events(user, Operation::Describe)];
        pipeline.wait(by_hand::take_away(&admin, &permissions))?;
        let ended = pipeline.run(&spec, LIMIT)?;
        expect_refusal("no permission at all", &ended, 2, &[user, topics::EVENTS, "ACL"])?;
        pipeline.wait(by_hand::give_back(&admin))?;
    }
    // It may look, but not write.
    let [_, simulator] = services(pipeline);
    pipeline.wait(by_hand::take_away(&admin, &[on_events("simulator", Operation::Write)]))?;
    let ended = pipeline.run(&simulator, LIMIT)?;
    ensure!(ended.code() != Some(0), "a simulator that may not write is content");
    ensure!(ended.stderr.contains(topics::EVENTS) || ended.stderr.contains("uthoriz"), "{}", ended.stderr);
    pipeline.wait(by_hand::give_back(&admin))
}
