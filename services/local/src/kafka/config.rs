//! `server.properties` and the log configuration of a node.

use std::fmt::Write as _;
use std::path::Path;

use crate::security::{ADMIN, BROKER, Security};
use crate::state::Node;

/// A node's configuration. It holds a password: write it privately.
///
/// Three listeners, none in plaintext. `CLIENT` and `INTERNAL` ask for a certificate and a SCRAM login, so that the
/// principal is the SCRAM user; `CONTROLLER` asks for a certificate, and only a broker's is mapped to a name that has rights.
pub(super) fn server_properties(node: &Node, nodes: &[Node], data: &Path, security: &Security) -> String {
    let id = node.id;
    let voters: Vec<String> =
        nodes.iter().map(|node| format!("{}@localhost:{}", node.id, node.controller_port)).collect();
    let controllers: String = nodes.iter().map(|node| format!("User:broker-{};", node.id)).collect();
    let login = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{BROKER}\" password=\"{}\";",
        security.password(BROKER)
    );
    let replication = nodes.len().min(3).to_string();
    let in_sync = nodes.len().min(2).to_string();
    let listeners = format!(
        "CLIENT://127.0.0.1:{},INTERNAL://127.0.0.1:{},CONTROLLER://127.0.0.1:{}",
        node.client_port, node.internal_port, node.controller_port
    );
    let advertised = format!(
        "CLIENT://localhost:{},INTERNAL://localhost:{},CONTROLLER://localhost:{}",
        node.client_port, node.internal_port, node.controller_port
    );
    let id = id.to_string();
    let voters = voters.join(",");
    let super_users = format!("User:{ADMIN};User:{BROKER};{controllers}");
    let data = data.to_string_lossy();
    let store = security.broker_store(node.id);
    let store = store.to_string_lossy();
    let trust = security.ca();
    let trust = trust.to_string_lossy();

    let settings: &[(&str, &str)] = &[
        ("process.roles", "broker,controller"),
        ("node.id", &id),
        ("controller.quorum.voters", &voters),
        ("controller.listener.names", "CONTROLLER"),
        ("log.dirs", &data),
        // Listeners
        ("listeners", &listeners),
        ("advertised.listeners", &advertised),
        ("listener.security.protocol.map", "CLIENT:SASL_SSL,INTERNAL:SASL_SSL,CONTROLLER:SSL"),
        ("inter.broker.listener.name", "INTERNAL"),
        // TLS
        ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", &store),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", &trust),
        ("ssl.endpoint.identification.algorithm", "https"),
        ("listener.name.client.ssl.client.auth", "required"),
        ("listener.name.internal.ssl.client.auth", "required"),
        ("listener.name.controller.ssl.client.auth", "required"),
        // A service's certificate on the controller listener stays a distinguished name, which has no rights.
        ("listener.name.controller.ssl.principal.mapping.rules", "RULE:^CN=(broker-[0-9]+),O=storepulse$/$1/,DEFAULT"),
        // SCRAM
        ("sasl.enabled.mechanisms", "SCRAM-SHA-256"),
        ("sasl.mechanism.inter.broker.protocol", "SCRAM-SHA-256"),
        (
            "listener.name.client.scram-sha-256.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        ),
        ("listener.name.internal.scram-sha-256.sasl.jaas.config", &login),
        // Authorisation: what no ACL allows is denied.
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("allow.everyone.if.no.acl.found", "false"),
        ("super.users", super_users.trim_end_matches(';')),
        // Durability
        ("default.replication.factor", &replication),
        ("min.insync.replicas", &in_sync),
        ("offsets.topic.replication.factor", &replication),
        ("transaction.state.log.replication.factor", &replication),
        ("transaction.state.log.min.isr", &in_sync),
        ("share.coordinator.state.topic.replication.factor", &replication),
        ("share.coordinator.state.topic.min.isr", &in_sync),
        ("unclean.leader.election.enable", "false"),
        ("auto.create.topics.enable", "false"),
        // One machine: few internal partitions, little memory, no waiting for more consumers.
        ("offsets.topic.num.partitions", "8"),
        ("transaction.state.log.num.partitions", "8"),
        ("share.coordinator.state.topic.num.partitions", "4"),
        ("log.cleaner.dedupe.buffer.size", "16777216"),
        ("num.network.threads", "2"),
        ("num.io.threads", "4"),
        ("group.initial.rebalance.delay.ms", "0"),
        // A member of a group of the new protocol (KIP-848) that dies is noticed soon; clients can't say how soon.
        ("group.consumer.min.session.timeout.ms", "6000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "1000"),
        ("group.consumer.heartbeat.interval.ms", "1500"),
        // A broker killed by hand is noticed, and comes back, soon.
        ("broker.session.timeout.ms", "6000"),
        ("broker.heartbeat.interval.ms", "1000"),
    ];

    let mut text = format!("# Kafka node {id}, written by storepulse-local at every start. Holds a password.\n");
    for (key, value) in settings {
        text.push_str(key);
        text.push('=');
        escape(value, &mut text);
        text.push('\n');
    }
    text
}

/// Log4j's configuration: one file per node, no configuration dumps (they hold what they should not).
pub(super) fn log4j2(log: &Path) -> String {
    let mut file = String::new();
    escape(&log.to_string_lossy(), &mut file);
    format!(
        "\
status=WARN
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={file}
appender.file.filePattern={file}.%i
appender.file.filePermissions=rw-------
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %m (%c{{1}})%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=20MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
logger.config.name=org.apache.kafka.common.config
logger.config.level=WARN
logger.kafkaconfig.name=kafka.server.KafkaConfig
logger.kafkaconfig.level=WARN
logger.state.name=state.change.logger
logger.state.level=WARN
logger.clients.name=org.apache.kafka.clients
logger.clients.level=WARN
"
    )
}

/// Writes a value as Java's `Properties` reads it: Latin-1, with escapes.
fn escape(value: &str, into: &mut String) {
    for unit in value.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'\\') => into.push_str("\\\\"),
            Ok(byte) if byte.is_ascii() && !byte.is_ascii_control() => into.push(byte.into()),
            // Writing to a string does not fail.
            _ => drop(write!(into, "\\u{unit:04x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_javas_properties_format() {
        let mut text = String::new();
        escape("/home/zoë/a\\b\n", &mut text);
        assert_eq!(text, "/home/zo\\u00eb/a\\\\b\\u000a");
    }
}
