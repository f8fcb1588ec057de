//! `server.properties` and the log configuration of a node.

use std::fmt::Write as _;
use std::path::Path;

use crate::security::{ADMIN, BROKER, Security};

/// Where a node can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub id: u32,
    /// Its name in the brokers' certificates.
    pub host: String,
    pub client_port: u16,
    pub internal_port: u16,
    pub controller_port: u16,
}

/// What differs with the place that a node runs in: this machine, or a container.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub id: u32,
    /// All nodes, this one among them.
    pub nodes: &'a [Address],
    /// The address to listen on.
    pub listen_on: &'a str,
    /// Its data directory.
    pub data: &'a str,
    /// Its key and certificates (PEM).
    pub key_store: &'a str,
    /// The authority's certificate (PEM).
    pub trust_store: &'a str,
}

/// A node's configuration, the same wherever it runs but for the place. It holds a password: write it privately.
///
/// Three listeners, none in plaintext. `CLIENT` and `INTERNAL` ask for a certificate and a SCRAM login, so that the
/// principal is the SCRAM user; `CONTROLLER` asks for a certificate, and only a broker's is mapped to a name that has rights.
pub(crate) fn server_properties(place: &Place<'_>, security: &Security) -> String {
    let nodes = place.nodes;
    let voters: Vec<String> =
        nodes.iter().map(|node| format!("{}@{}:{}", node.id, node.host, node.controller_port)).collect();
    let controllers: String = nodes.iter().map(|node| format!("User:broker-{};", node.id)).collect();
    let login = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{BROKER}\" password=\"{}\";",
        security.password(BROKER)
    );
    let replication = nodes.len().min(3).to_string();
    let in_sync = nodes.len().min(2).to_string();
    let own = nodes.iter().filter(|node| node.id == place.id);
    let on = |host: &dyn Fn(&Address) -> String| -> String {
        let each = own.clone().map(|node| {
            let host = host(node);
            format!(
                "CLIENT://{host}:{},INTERNAL://{host}:{},CONTROLLER://{host}:{}",
                node.client_port, node.internal_port, node.controller_port
            )
        });
        each.collect()
    };
    let listeners = on(&|_| place.listen_on.to_owned());
    let advertised = on(&|node| node.host.clone());
    let id = place.id.to_string();
    let voters = voters.join(",");
    let super_users = format!("User:{ADMIN};User:{BROKER};{controllers}");
    let (data, store, trust) = (place.data, place.key_store, place.trust_store);

    let settings: &[(&str, &str)] = &[
        ("process.roles", "broker,controller"),
        ("node.id", &id),
        ("controller.quorum.voters", &voters),
        ("controller.listener.names", "CONTROLLER"),
        ("log.dirs", data),
        // Listeners
        ("listeners", &listeners),
        ("advertised.listeners", &advertised),
        ("listener.security.protocol.map", "CLIENT:SASL_SSL,INTERNAL:SASL_SSL,CONTROLLER:SSL"),
        ("inter.broker.listener.name", "INTERNAL"),
        // TLS
        ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", store),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", trust),
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

/// Where a node's log goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Log<'a> {
    /// Into a file that only its owner can read, and two older ones.
    File(&'a Path),
    /// To standard output, for whoever started it to keep.
    Console,
}

/// Log4j's configuration: no configuration dumps (they hold what they should not).
pub(crate) fn log4j2(log: Log<'_>) -> String {
    let appender = match log {
        Log::Console => "\
appender.log.type=Console
appender.log.name=log
"
        .to_owned(),
        Log::File(path) => {
            let mut file = String::new();
            escape(&path.to_string_lossy(), &mut file);
            format!(
                "\
appender.log.type=RollingFile
appender.log.name=log
appender.log.fileName={file}
appender.log.filePattern={file}.%i
appender.log.filePermissions=rw-------
appender.log.policies.type=Policies
appender.log.policies.size.type=SizeBasedTriggeringPolicy
appender.log.policies.size.size=20MB
appender.log.strategy.type=DefaultRolloverStrategy
appender.log.strategy.max=2
"
            )
        }
    };
    format!(
        "\
status=WARN
{appender}\
appender.log.layout.type=PatternLayout
appender.log.layout.pattern=%d %p %m (%c{{1}})%n
rootLogger.level=INFO
rootLogger.appenderRef.log.ref=log
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
