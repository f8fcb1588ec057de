//! The running service: both stages in one process.

use std::time::Duration;

use storepulse_events::topics;
use storepulse_platform::{Failure, http, preflight, shutdown};
use tokio::sync::oneshot::{self, Receiver};
use tokio_util::sync::CancellationToken;

use crate::aggregate::stage::{StageConfig, TOPICS};
use crate::aggregate::worker::WorkerConfig;
use crate::config::RunArgs;
use crate::health::{Health, State};
use crate::kafka::instance::Instance;
use crate::materialise::{Intervals, MaterialiserConfig};
use crate::metrics::Metrics;
use crate::{aggregate, materialise, store};

/// How long the cluster is waited for at start.
const CLUSTER: Duration = Duration::from_secs(20);

/// How long draining may take, so that the process ends within ten seconds.
const DRAIN: Duration = Duration::from_millis(9_000);

/// Runs until SIGTERM or SIGINT, then drains and returns.
///
/// # Errors
///
/// What is wrong with a setting, or what failed and can't be retried.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let stop = shutdown::on_signal().map_err(Failure::runtime)?;
    let client = args.common.kafka.client_config().map_err(Failure::config)?;
    let membership = args.membership().map_err(Failure::config)?;
    let metrics = Metrics::new().map_err(Failure::runtime)?;
    let health = Health::new(metrics.part_ready.clone());
    let readiness = {
        let health = health.clone();
        std::sync::Arc::new(move || health.check())
    };
    health.set("start", State::Starting, "checking the cluster and the store");
    let (_, server) = http::serve(args.http_address, metrics.registry.clone(), readiness, stop.clone())
        .await
        .map_err(Failure::config)?;

    let names = [args.common.kafka_event_topic.as_str()].into_iter().chain(TOPICS).map(str::to_owned);
    let names: Vec<String> = names.collect();
    let partitions = {
        let (client, names) = (client.clone(), names.clone());
        let check = move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            preflight(&client, &names, CLUSTER)
        };
        tokio::task::spawn_blocking(check).await.map_err(Failure::runtime)??
    };
    let [events, deltas, sessions, dead_letters] = partitions[..] else {
        return Err(Failure::runtime("the cluster did not describe all topics"));
    };
    if events != sessions {
        let (event_topic, session_topic) = (&args.common.kafka_event_topic, topics::SESSIONS);
        return Err(Failure::config(format!(
            "{event_topic} has {events} partitions and {session_topic} has {sessions}; they must have the same number"
        )));
    }
    let store = store::open::open(&args.common.store).await?;
    health.forget("start");

    let instance = Instance::acquire(args.instance_id.as_deref(), &args.common.kafka_group_id);
    tracing::info!(instance = instance.name, workers = args.workers(), "starting");
    let partitions = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let aggregate = StageConfig {
        client: client.clone(),
        group: args.common.kafka_group_id.clone(),
        membership: membership.clone(),
        topic: args.common.kafka_event_topic.clone(),
        instance: instance.name.clone(),
        transaction_timeout: Duration::from_millis(u64::from(args.kafka_transaction_timeout_ms)),
        commit_interval: args.commit_interval(),
        workers: args.workers(),
        worker: WorkerConfig {
            currency: args.common.shop_currency,
            event_topic: args.common.kafka_event_topic.clone(),
            delta_partitions: partitions(deltas),
            dead_letter_partitions: partitions(dead_letters),
            rules: args.common.document_rules(),
        },
        limits: args.common.sessions.limits(),
    };
    let materialiser = MaterialiserConfig {
        client,
        group: args.common.materialiser_group(),
        membership,
        intervals: Intervals {
            hot: i64::from(args.hot_flush_interval_ms),
            warm: i64::from(args.warm_flush_interval_ms),
            cold: i64::from(args.cold_flush_interval_ms),
        },
        idle_flush_ms: i64::from(args.idle_flush_ms),
        capacity: args.document_cache(),
        rules: args.common.document_rules(),
    };

    // The second stage stops after the first, so that it can still write what the first one committed last.
    let stop_second = CancellationToken::new();
    let first = {
        let (metrics, health) = (metrics.clone(), health.clone());
        let (stop, stop_second) = (stop.clone(), stop_second.clone());
        move || {
            let outcome = aggregate::run(&aggregate, &metrics, &health, &stop);
            stop_second.cancel();
            outcome
        }
    };
    let second = {
        let (metrics, health, stop) = (metrics.clone(), health.clone(), stop.clone());
        let runtime = tokio::runtime::Handle::current();
        move || {
            let outcome = materialise::run(&materialiser, &store, &runtime, &metrics, &health, &stop_second);
            // Without this stage the other one would pile up changes that nobody sees.
            stop.cancel();
            outcome
        }
    };
    let first = spawn("aggregate", first)?;
    let second = spawn("materialise", second)?;
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let (first, second) = outcomes(first, second, late).await?;
    let whole = first.is_some() && second.is_some();
    stop.cancel();
    if whole {
        let _ = server.await;
    }
    drop(instance);
    first.unwrap_or(Ok(())).map_err(Failure::config)?;
    second.unwrap_or(Ok(())).map_err(|error| match error {
        materialise::stage::StageError::Denied(denied) => Failure::config(denied),
        error => Failure::runtime(error),
    })?;
    if whole {
        tracing::info!("drained and stopped");
    } else {
        // Whatever is under way is as safe as in a crash: nothing is committed by halves.
        tracing::warn!("brokers or store did not answer in time; what is not committed is done by the next start");
    }
    Ok(())
}

/// Waits until both have ended, or until `late`: the outcomes that are known then.
async fn outcomes<A, B>(
    mut first: Receiver<A>,
    mut second: Receiver<B>,
    late: impl Future<Output = ()>,
) -> Result<(Option<A>, Option<B>), Failure> {
    let (mut of_first, mut of_second) = (None, None);
    tokio::pin!(late);
    while of_first.is_none() || of_second.is_none() {
        // What is known is never passed over for being late.
        tokio::select! {
            biased;
            outcome = &mut first, if of_first.is_none() => of_first = Some(outcome.map_err(Failure::runtime)?),
            outcome = &mut second, if of_second.is_none() => of_second = Some(outcome.map_err(Failure::runtime)?),
            () = &mut late => break,
        }
    }
    Ok((of_first, of_second))
}

/// Runs blocking work on a thread of its own, named, and tells its outcome.
fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<Receiver<T>, Failure> {
    let (done, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _ = done.send(work());
    });
    thread.map(|_| outcome).map_err(Failure::runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_that_is_known_is_not_hidden_by_a_stage_that_hangs() {
        let (hangs, first) = oneshot::channel::<Result<(), &str>>();
        let (failed, second) = oneshot::channel();
        failed.send(Err::<(), _>("refused")).unwrap();
        let outcome = outcomes(first, second, std::future::ready(())).await.unwrap();
        assert_eq!(outcome, (None, Some(Err("refused"))));
        drop(hangs);
    }

    #[tokio::test]
    async fn both_outcomes_are_waited_for_and_a_panic_is_told() {
        let (sender, first) = oneshot::channel();
        let (other, second) = oneshot::channel();
        other.send(2).unwrap();
        let both = tokio::spawn(outcomes(first, second, std::future::pending()));
        sender.send(1).unwrap();
        assert_eq!(both.await.unwrap().unwrap(), (Some(1), Some(2)));

        let (panicked, first) = oneshot::channel::<()>();
        let (_running, second) = oneshot::channel::<()>();
        drop(panicked);
        assert!(outcomes(first, second, std::future::pending()).await.is_err());
    }
}
