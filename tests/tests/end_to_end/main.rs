//! The promises of the whole system, on real parts: three Kafka nodes with every lock closed, Google's Firestore
//! emulator, and this project's own programs as processes.
//!
//! The scenarios share one cluster and its topics, and run one after another. Each ends with an audit of everything so
//! far, so one that fails because of wrong documents makes those after it fail too: look at the first.
//!
//! `cargo test -p storepulse-tests --test end_to_end -- <part of a name>` runs some of them. The programs must have been
//! built by `cargo build --workspace --bins`. Logs are in `target/tmp/end-to-end/logs` until the next run.

mod alone;
mod audited;
mod exact;
mod locks;
mod messages;
mod settings;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use libtest_mimic::{Arguments, Failed, Trial};
use storepulse_local::StoreChoice;
use storepulse_tests::Pipeline;

/// One promise: its name, and the proof.
type Scenario = (&'static str, fn(&mut Pipeline) -> anyhow::Result<()>);

const SCENARIOS: [Scenario; 17] = [
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
    (
        "poison_messages_go_to_the_dead_letters_and_the_line_goes_on",
        messages::poison_messages_go_to_the_dead_letters_and_the_line_goes_on,
    ),
    ("events_of_other_clients_count", messages::events_of_other_clients_count),
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
    // The last: it looks at what all others have left.
    ("passwords_are_never_shown", locks::passwords_are_never_shown),
];

/// The cluster, brought up by the first scenario that needs it.
enum World {
    None,
    Up(Box<Pipeline>),
    Failed(String),
}

/// How long each took; the first one's with the start of the cluster.
static TIMES: Mutex<Vec<(&str, Duration)>> = Mutex::new(Vec::new());

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
    let world = Arc::new(Mutex::new(World::None));
    let trials = SCENARIOS.iter().map(|(name, scenario)| {
        let (world, dir) = (world.clone(), dir.clone());
        Trial::test(*name, move || {
            let started = Instant::now();
            let outcome = prove(*scenario, &world, &dir);
            lock(&TIMES).push((name, started.elapsed()));
            outcome
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // Takes the cluster down; what is in statics would stay.
    *lock(&world) = World::None;
    for (name, time) in lock(&TIMES).iter() {
        println!("{:>6.1} s  {name}", time.as_secs_f64());
    }
    conclusion.exit_code()
}

fn prove(scenario: fn(&mut Pipeline) -> anyhow::Result<()>, world: &Mutex<World>, dir: &Path) -> Result<(), Failed> {
    let mut world = lock(world);
    if matches!(*world, World::None) {
        *world = match bring_up(dir) {
            Ok(pipeline) => World::Up(Box::new(pipeline)),
            Err(error) => World::Failed(format!("{error:#}")),
        };
    }
    let pipeline = match &mut *world {
        World::Up(pipeline) => pipeline,
        World::Failed(error) => return Err(format!("there is no cluster: {error}").into()),
        World::None => return Err("there is no cluster".into()),
    };
    let outcome = pipeline.heal().and_then(|()| scenario(pipeline));
    outcome.map_err(|error| {
        pipeline.keep_cluster_logs();
        format!("{error:#}\n\n{}", pipeline.recent_logs()).into()
    })
}

fn bring_up(dir: &Path) -> anyhow::Result<Pipeline> {
    std::fs::create_dir_all(dir)?;
    let lock = File::create(dir.join("lock"))?;
    lock.try_lock().context("another run of these tests uses this target directory")?;
    // Held until this process ends, however it ends.
    std::mem::forget(lock);
    for program in ["analytics", "simulator", "attacker", "local"] {
        storepulse_tests::program(program)?;
    }
    Pipeline::up(dir, StoreChoice::Firestore)
}
