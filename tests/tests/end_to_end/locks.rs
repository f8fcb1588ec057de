//! Nobody gets in, and no password gets out.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value as Json;
use storepulse_events::topics;
use storepulse_kafka_admin::{AclBinding, Operation, Pattern, ResourceType};
use storepulse_tests::{Ended, Pipeline, Spec, by_hand};

const LIMIT: Duration = Duration::from_secs(120);

/// The attackers against the shared cluster; and their report.
fn attack(pipeline: &mut Pipeline) -> anyhow::Result<(Ended, Json)> {
    let certs = pipeline.root().join("certs/generated").to_string_lossy().into_owned();
    let cluster = pipeline.cluster_dir().to_string_lossy().into_owned();
    let spec = Spec::new("attacker").arguments(["--json", "-", "--env-dir", &cluster, "--certs", &certs]);
    let ended = pipeline.run(&spec, LIMIT)?;
    let report = serde_json::from_str(&ended.stdout).with_context(|| format!("no report: {}", ended.stderr))?;
    Ok((ended, report))
}

fn count(report: &Json, kind: &str, verdict: &str) -> usize {
    let lines = report["lines"].as_array().into_iter().flatten();
    lines.filter(|line| line["kind"] == kind && line["verdict"] == verdict).count()
}

pub fn nobody_gets_in(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let (ended, report) = attack(pipeline)?;
    ended.expect_code(0)?;
    let held = (count(&report, "attack", "held"), count(&report, "control", "held"));
    ensure!(held.0 >= 25 && held.1 >= 16, "{held:?} attacks refused and controls let in");
    let lines = report["lines"].as_array().map_or(0, Vec::len);
    ensure!(count(&report, "evidence", "held") + held.0 + held.1 == lines, "{report}");
    Ok(())
}

pub fn a_permission_that_is_missing_is_a_hole_by_name(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let admin = pipeline.environment("admin");
    let permission = AclBinding {
        principal: "User:simulator".to_owned(),
        resource_type: ResourceType::Topic,
        resource: topics::EVENTS.to_owned(),
        pattern: Pattern::Literal,
        operation: Operation::Write,
    };
    pipeline.wait(by_hand::take_away(&admin, &[permission]))?;
    let (ended, report) = attack(pipeline)?;
    ended.expect_code(1)?;
    let holes = report["holes"].to_string();
    ensure!(holes.contains("simulator") && holes.contains("write"), "{holes}");
    pipeline.wait(by_hand::give_back(&admin))?;
    let (ended, _) = attack(pipeline)?;
    ended.expect_code(0)?;
    Ok(())
}

pub fn client_certificates_made_optional_are_a_hole_by_name(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let dir = pipeline.dir().with_file_name("open-cluster");
    let properties = pipeline.dir().join("open.properties");
    std::fs::write(&properties, "listener.name.client.ssl.client.auth=requested\n")?;
    let mut spec = Spec::new("local")
        .arguments(["--dir", &dir.to_string_lossy(), "attack"])
        .set("STOREPULSE_LOCAL_KAFKA_PROPERTIES", properties.to_string_lossy());
    spec.has_others = true;
    let ended = pipeline.run(&spec, Duration::from_secs(180))?;
    ended.expect_code(1)?;
    let holes: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("HOLE")).collect();
    ensure!(holes.iter().any(|hole| hole.contains("no-certificate")), "{holes:?}\n{}", ended.stderr);
    // Of a failure the logs stay, for the user to look at.
    pipeline.secrets().look_into_logs(&dir)?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

pub fn passwords_are_never_shown(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let secrets = pipeline.secrets().clone();
    let logs = secrets.look_into_logs(pipeline.dir())? + secrets.look_into_logs(pipeline.cluster_dir())?;
    let (known, looks, services) = secrets.effort();
    ensure!(known >= 4 && looks > logs && logs >= 4, "{known} passwords, {looks} looks, {logs} logs");
    ensure!(services >= 4, "only {services} processes of ours were seen");
    let seen = secrets.seen();
    ensure!(seen.is_empty(), "{seen:#?}");
    Ok(())
}
