//! Why a node did not start: found in its logs.

use std::path::Path;

use super::node::read_from;
use crate::files::last_lines;
use crate::ports::owner_of;

/// The cause of a node's failure, in a line or a few, from the logs in its directory.
///
/// `offset` is where the last start's part of `server.log` begins.
pub(crate) fn cause(dir: &Path, offset: u64) -> String {
    let server_log = dir.join("server.log");
    let log = read_from(&server_log, offset);
    // What happens before logging works, and what the JVM itself has to say, is on standard output.
    let stdout = last_lines(&dir.join("stdout.log"), 40).join("\n");
    let found = in_log(&log).or_else(|| in_log(&stdout)).or_else(|| {
        let lines: Vec<&str> = stdout.lines().collect();
        let tail = lines[lines.len().saturating_sub(3)..].join("; ");
        (!tail.is_empty()).then_some(tail)
    });
    let found = found.unwrap_or_else(|| "its log names no cause".to_owned());
    match advice(&found) {
        Some(advice) => format!("{found}. {advice}"),
        None => found,
    }
}

/// The first serious error's innermost exception, with the line that announced it. What comes after the first is most
/// often its consequence. Errors that end no node are passed over while there is another.
fn in_log(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let is_fatal = |line: &str| line.contains("Exiting Kafka") || line.contains(" FATAL ");
    // A controller says so of requests that reach it while the leader changes.
    let passes = |at: usize| {
        let trace = lines[at + 1..].iter().take_while(|line| !is_log_line(line));
        trace.chain([&lines[at]]).any(|line| line.contains("NotControllerException"))
    };
    let serious = || lines.iter().enumerate().filter(|(_, line)| is_serious(line)).map(|(at, _)| at);
    let start = serious()
        .find(|at| !passes(*at))
        .or_else(|| serious().next())
        .or_else(|| lines.iter().position(|line| is_fatal(line)))
        .or_else(|| lines.iter().position(|line| is_exception(line)))?;
    let announcement = message(lines[start]);
    // The stack trace that belongs to it, up to the next log line.
    let trace = lines[start + 1..].iter().take_while(|line| !is_log_line(line));
    let innermost =
        trace.filter(|line| is_exception(line)).last().map(|line| line.trim().trim_start_matches("Caused by: "));
    Some(match innermost {
        Some(exception) if !announcement.contains(exception) => {
            format!("{exception} ({announcement})")
        }
        _ => announcement.to_owned(),
    })
}

fn is_log_line(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit()) || line.starts_with('[')
}

fn is_serious(line: &str) -> bool {
    is_log_line(line) && [" ERROR ", " FATAL "].iter().any(|level| line.contains(level))
}

/// `Caused by: a.b.CException: why`, `Exception in thread "main" …`, or `Error: why` of the JVM.
fn is_exception(line: &str) -> bool {
    let line = line.trim_start();
    let name = line.trim_start_matches("Caused by: ");
    let name = name.split([':', ' ']).next().unwrap_or_default();
    line.starts_with("Exception in thread")
        || line.starts_with("Error: ")
        || (name.contains('.') && (name.ends_with("Exception") || name.ends_with("Error")))
}

/// A log line without its time, level and logger.
fn message(line: &str) -> &str {
    let text =
        [" ERROR ", " FATAL "].iter().find_map(|level| line.split_once(level).map(|(_, text)| text)).unwrap_or(line);
    match text.rsplit_once(" (") {
        Some((text, logger)) if logger.ends_with(')') && !logger.contains(' ') => text,
        _ => text,
    }
}

/// What to do, where we know.
fn advice(cause: &str) -> Option<String> {
    let lower = cause.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&["address already in use", "failed to bind", "bindexception"]) {
        let port = cause
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .find(|port| *port > 1023);
        let owner = port.and_then(owner_of).map_or_else(
            || "Another program took the port meanwhile".to_owned(),
            |owner| format!("{owner} took the port meanwhile"),
        );
        return Some(format!("{owner}: stop it, or bring the cluster down and up again"));
    }
    if any(&["no space left"]) {
        return Some("Free some disk space".to_owned());
    }
    if any(&["could not reserve enough space", "cannot allocate memory", "outofmemory"]) {
        return Some("Three nodes need about 1.5 GiB of memory".to_owned());
    }
    if any(&["keystore", "truststore", "pem", "certificate"]) {
        return Some("Renew the certificates with `storepulse-pki init --rotate brokers`".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_exception_of_the_first_error_is_the_cause() {
        let log = "\
2026-11-21 08:00:00,000 INFO starting (KafkaServer)
2026-11-21 08:00:01,000 ERROR Exiting Kafka due to fatal exception (Kafka$)
java.lang.RuntimeException: wrapped
\tat a.B.c(B.java:1)
Caused by: org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:1: Address already in use.
\tat a.B.d(B.java:2)
\t... 3 more
2026-11-21 08:00:02,000 ERROR later (Other)
";
        let found = in_log(log).unwrap();
        assert!(found.starts_with("org.apache.kafka.common.KafkaException: Socket server failed"));
        assert!(found.ends_with("(Exiting Kafka due to fatal exception)"), "{found}");
    }

    #[test]
    fn an_error_that_did_not_end_the_node_is_not_the_cause() {
        let log = "\
2026-11-21 08:00:01,000 ERROR Unexpected error handling request BROKER_HEARTBEAT (ControllerApis)
org.apache.kafka.common.errors.NotControllerException: The active controller appears to be node 3.
2026-11-21 08:00:02,000 ERROR Encountered fatal fault: Unexpected error in raft IO thread (ProcessTerminatingFaultHandler)
java.lang.IllegalStateException: Received unexpected error INCONSISTENT_CLUSTER_ID
";
        let found = in_log(log).unwrap();
        assert!(found.contains("INCONSISTENT_CLUSTER_ID"), "{found}");
    }

    #[test]
    fn what_the_jvm_itself_says_counts() {
        let log = "Error: Could not find or load main class kafka.Kafka\nCaused by: java.lang.ClassNotFoundException: kafka.Kafka\n";
        assert!(in_log(log).unwrap().contains("kafka.Kafka"));
        assert_eq!(in_log("2026-11-21 08:00:00,000 INFO fine (KafkaServer)\n"), None);
    }
}
