//! The promises of the whole system, on real parts: three Kafka nodes with every lock closed, Google's Firestore
//! emulator, and this project's own programs as processes.
//!
//! The scenarios share one cluster and its topics, and run one after another. Each ends with an audit of everything so
//! far. One that fails leaves its cluster to no other: the next one gets a new one.
//!
//! `cargo test -p storepulse-tests --test end_to_end -- <part of a name>` runs some of them. The programs must have been
//! built by `cargo build --workspace --bins`, and the one with fail points as the `Makefile` does. Logs are in
//! `target/tmp/end-to-end/logs` until the next run, those up to a failure in `target/tmp/end-to-end/failed`.

mod alone;
mod audited;
mod brokers;
mod chaos;
mod exact;
mod figures;
mod kills;
mod limits;
mod locks;
mod messages;
mod scaling;
mod settings;
mod simulator_faults;
mod store_faults;
mod under_load;
mod zombies;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use libtest_mimic::{Arguments, Trial};
use storepulse_local::StoreChoice;
use storepulse_tests::Pipeline;

/// One promise: its name, and the proof.
type Scenario = (&'static str, fn(&mut Pipeline) -> anyhow::Result<()>);

const SCENARIOS: &[Scenario] = &[
    ("a_finite_run_ends_exact_to_the_cent", exact::a_finite_run_ends_exact_to_the_cent),
    (
        "a_kill_of_analytics_in_mid_stream_counts_nothing_twice_and_loses_nothing",
        exact::a_kill_of_analytics_in_mid_stream_counts_nothing_twice_and_loses_nothing,
    ),
    ("two_instances_share_the_work_and_stay_exact", exact::two_instances_share_the_work_and_stay_exact),
    (
        "instances_of_the_consumer_protocol_take_over_and_stay_exact",
        exact::instances_of_the_consumer_protocol_take_over_and_stay_exact,
    ),
    ("a_broker_lost_in_mid_stream_costs_nothing", exact::a_broker_lost_in_mid_stream_costs_nothing),
    ("a_store_outage_is_waited_out", exact::a_store_outage_is_waited_out),
    ("a_kill_before_the_transaction_commit_loses_nothing", kills::a_kill_before_the_transaction_commit_loses_nothing),
    (
        "a_kill_in_or_after_the_transaction_commit_counts_nothing_twice",
        kills::a_kill_in_or_after_the_transaction_commit_counts_nothing_twice,
    ),
    (
        "a_kill_between_the_chunks_of_a_flush_counts_nothing_twice",
        kills::a_kill_between_the_chunks_of_a_flush_counts_nothing_twice,
    ),
    (
        "a_kill_between_the_store_write_and_the_offset_commit_counts_nothing_twice",
        kills::a_kill_between_the_store_write_and_the_offset_commit_counts_nothing_twice,
    ),
    ("a_kill_while_sessions_are_restored_costs_nothing", kills::a_kill_while_sessions_are_restored_costs_nothing),
    ("a_kill_while_partitions_are_given_up_costs_nothing", kills::a_kill_while_partitions_are_given_up_costs_nothing),
    (
        "what_fails_at_any_point_is_done_again_and_counts_once",
        kills::what_fails_at_any_point_is_done_again_and_counts_once,
    ),
    (
        "releases_have_no_fail_points_and_misspelt_ones_are_refused",
        kills::releases_have_no_fail_points_and_misspelt_ones_are_refused,
    ),
    (
        "a_zombie_is_fenced_off_by_the_group_and_by_the_store",
        zombies::a_zombie_is_fenced_off_by_the_group_and_by_the_store,
    ),
    (
        "a_zombie_with_an_open_transaction_commits_it_whole_or_not_at_all",
        zombies::a_zombie_with_an_open_transaction_commits_it_whole_or_not_at_all,
    ),
    (
        "two_three_and_one_instances_in_turn_stay_exact_under_load",
        scaling::two_three_and_one_instances_in_turn_stay_exact_under_load,
    ),
    (
        "a_rolling_restart_of_all_brokers_moves_every_leader_and_costs_nothing",
        brokers::a_rolling_restart_of_all_brokers_moves_every_leader_and_costs_nothing,
    ),
    (
        "with_two_brokers_down_the_line_waits_and_nothing_is_lost",
        brokers::with_two_brokers_down_the_line_waits_and_nothing_is_lost,
    ),
    (
        "what_the_store_refuses_is_asked_again_and_counts_once",
        store_faults::what_the_store_refuses_is_asked_again_and_counts_once,
    ),
    (
        "a_deadline_that_is_exceeded_after_applying_counts_nothing_twice",
        store_faults::a_deadline_that_is_exceeded_after_applying_counts_nothing_twice,
    ),
    (
        "a_connection_cut_before_or_after_the_write_counts_nothing_twice",
        store_faults::a_connection_cut_before_or_after_the_write_counts_nothing_twice,
    ),
    (
        "a_slow_store_and_answers_that_never_come_are_waited_out",
        store_faults::a_slow_store_and_answers_that_never_come_are_waited_out,
    ),
    ("a_store_that_takes_no_connection_is_waited_out", store_faults::a_store_that_takes_no_connection_is_waited_out),
    (
        "a_killed_worker_of_a_finite_run_goes_on_and_every_event_counts_once",
        simulator_faults::a_killed_worker_of_a_finite_run_goes_on_and_every_event_counts_once,
    ),
    (
        "a_killed_worker_or_supervisor_of_an_endless_run_leaves_nothing_that_is_not_exact",
        simulator_faults::a_killed_worker_or_supervisor_of_an_endless_run_leaves_nothing_that_is_not_exact,
    ),
    ("clocks_that_jump_by_years_change_no_sum", limits::clocks_that_jump_by_years_change_no_sum),
    ("poison_in_the_middle_of_a_batch_stops_nothing", limits::poison_in_the_middle_of_a_batch_stops_nothing),
    (
        "a_history_at_the_size_limit_of_a_document_omits_the_rest_and_stays_exact",
        limits::a_history_at_the_size_limit_of_a_document_omits_the_rest_and_stays_exact,
    ),
    ("a_short_campaign_of_faults_costs_nothing", chaos::a_short_campaign_of_faults_costs_nothing),
    (
        "poison_messages_go_to_the_dead_letters_and_the_line_goes_on",
        messages::poison_messages_go_to_the_dead_letters_and_the_line_goes_on,
    ),
    ("events_of_other_clients_count", messages::events_of_other_clients_count),
    (
        "hours_sessions_and_trends_say_what_happened_and_what_came_late",
        figures::hours_sessions_and_trends_say_what_happened_and_what_came_late,
    ),
    ("the_audit_finds_what_is_wrong_and_names_it", audited::the_audit_finds_what_is_wrong_and_names_it),
    ("wrong_settings_are_refused_by_name", settings::wrong_settings_are_refused_by_name),
    (
        "a_cluster_that_cannot_be_used_is_told_apart_from_wrong_settings",
        settings::a_cluster_that_cannot_be_used_is_told_apart_from_wrong_settings,
    ),
    ("a_missing_permission_is_named", settings::a_missing_permission_is_named),
    ("nobody_gets_in", locks::nobody_gets_in),
    ("a_permission_that_is_missing_is_a_hole_by_name", locks::a_permission_that_is_missing_is_a_hole_by_name),
    (
        "client_certificates_made_optional_are_a_hole_by_name",
        locks::client_certificates_made_optional_are_a_hole_by_name,
    ),
    (
        "a_run_of_its_own_is_exact_and_leaves_nothing_running",
        alone::a_run_of_its_own_is_exact_and_leaves_nothing_running,
    ),
    // It leaves wrong documents behind.
    ("exactness_that_is_broken_on_purpose_is_found", kills::exactness_that_is_broken_on_purpose_is_found),
    // The last: it looks at what all others have left.
    ("passwords_are_never_shown", locks::passwords_are_never_shown),
];

/// The cluster, brought up by the first scenario that needs it, and by the one after a failure.
enum World {
    None,
    Up(Box<Pipeline>),
    Failed(String),
}

/// How a scenario ended: how long it took, the first one of a cluster with its start, and why it failed.
struct Outcome {
    name: &'static str,
    time: Duration,
    failure: Option<String>,
}

static OUTCOMES: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());

/// Held until this process ends, however it ends.
static LOCK: Mutex<Option<File>> = Mutex::new(None);

/// A scenario that panicked leaves nothing that the next one could not use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> ExitCode {
    // It fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end");
    // There may be none.
    let _ = std::fs::remove_dir_all(dir.join("failed"));
    let world = Arc::new(Mutex::new(World::None));
    let trials = SCENARIOS.iter().map(|(name, scenario)| {
        let (world, dir) = (world.clone(), dir.clone());
        Trial::test(*name, move || {
            let started = Instant::now();
            let outcome = prove(name, *scenario, &world, &dir);
            let failure = outcome.as_ref().err().map(|failed| failed.cause.clone());
            lock(&OUTCOMES).push(Outcome { name, time: started.elapsed(), failure });
            outcome.map_err(|failed| format!("{}\n\n{}", failed.cause, failed.logs).into())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // Takes the cluster down; what is in statics would stay.
    *lock(&world) = World::None;
    let outcomes = lock(&OUTCOMES);
    for Outcome { name, time, .. } in outcomes.iter() {
        println!("{:>6.1} s  {name}", time.as_secs_f64());
    }
    // Once more after all the logs, for whom sees the end only.
    for Outcome { name, failure, .. } in outcomes.iter() {
        if let Some(cause) = failure {
            println!("FAILED {name}: {cause}");
        }
    }
    conclusion.exit_code()
}

/// Why a scenario failed, and what its processes said last.
struct Failure {
    cause: String,
    logs: String,
}

fn prove(
    name: &str,
    scenario: fn(&mut Pipeline) -> anyhow::Result<()>,
    world: &Mutex<World>,
    dir: &Path,
) -> Result<(), Failure> {
    let mut world = lock(world);
    if matches!(*world, World::None) {
        *world = match bring_up(dir) {
            Ok(pipeline) => World::Up(Box::new(pipeline)),
            Err(error) => World::Failed(format!("{error:#}")),
        };
    }
    let no_cluster = |error: &str| Failure { cause: format!("there is no cluster: {error}"), logs: String::new() };
    let pipeline = match &mut *world {
        World::Up(pipeline) => pipeline,
        World::Failed(error) => return Err(no_cluster(error)),
        World::None => return Err(no_cluster("it was not brought up")),
    };
    // A panic is a failure like any other: it must not leave its cluster to the next one.
    let outcome = catch_unwind(AssertUnwindSafe(|| pipeline.heal().and_then(|()| scenario(pipeline))));
    let cause = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "it panicked".to_owned(),
    };
    pipeline.keep_cluster_logs();
    let logs = pipeline.recent_logs();
    *world = World::None;
    let kept = dir.join("failed").join(name);
    let moved = std::fs::create_dir_all(dir.join("failed")).and_then(|()| std::fs::rename(dir.join("logs"), &kept));
    if let Err(error) = moved {
        eprintln!("the logs could not be moved to {}: {error}", kept.display());
    }
    Err(Failure { cause, logs })
}

fn bring_up(dir: &Path) -> anyhow::Result<Pipeline> {
    std::fs::create_dir_all(dir)?;
    if lock(&LOCK).is_none() {
        let file = File::create(dir.join("lock"))?;
        file.try_lock().context("another run of these tests uses this target directory")?;
        *lock(&LOCK) = Some(file);
    }
    for program in ["analytics", "analytics-failpoints", "simulator", "attacker", "local"] {
        storepulse_tests::program(program)?;
    }
    Pipeline::up(dir, StoreChoice::Firestore)
}
