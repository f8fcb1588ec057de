//! `storepulse-dashboard-load`: many viewers at once, for measuring.
//!
//! It opens streams against a running dashboard on this machine, and tells how late updates arrive (from the `as_of` of a
//! message to its arrival, by this machine's clock) and what the dashboard read from the store meanwhile (by its `/metrics`).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use storepulse_dashboard::clock::Clock;
use storepulse_dashboard::pipeline::exposition;
use storepulse_events::Timestamp;
use storepulse_platform::parse::{address, whole};
use storepulse_platform::{Failure, Secret, exit};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Opens many streams against a dashboard, and tells how late updates arrive and what was read from the store. A token comes
/// from DASHBOARD_TOKEN or DASHBOARD_TOKEN_FILE, if one is set.
#[derive(Clone, Parser)]
#[command(name = "storepulse-dashboard-load", version)]
struct Args {
    /// Address of the dashboard, without TLS
    #[arg(long, env = "DASHBOARD_ADDRESS", default_value = "127.0.0.1:8800", value_parser = address)]
    dashboard: SocketAddr,
    /// Address of its /metrics
    #[arg(long, env = "HTTP_ADDRESS", default_value = "127.0.0.1:9103", value_parser = address)]
    metrics: SocketAddr,
    /// Streams
    #[arg(long, default_value_t = 200, value_parser = whole::<u32>(1..=10_000))]
    streams: u32,
    /// How long, in seconds
    #[arg(long, default_value_t = 30, value_parser = whole::<u32>(1..=86_400))]
    seconds: u32,
    /// Only this country
    #[arg(long)]
    country: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    exit::leave("storepulse-dashboard-load", run(&args).await)
}

async fn run(args: &Args) -> Result<(), Failure> {
    let is_set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    let token =
        (is_set("DASHBOARD_TOKEN") || is_set("DASHBOARD_TOKEN_FILE")).then(|| Secret::from_env("DASHBOARD_TOKEN"));
    let token = token.transpose().map_err(Failure::config)?;
    let before = reads(args.metrics).await?;
    let begin = Instant::now();
    let deadline = begin + Duration::from_secs(u64::from(args.seconds));
    let viewers: Vec<_> =
        (0..args.streams).map(|_| tokio::spawn(watch(args.clone(), token.clone(), deadline))).collect();
    let (mut delays, mut broken) = (Vec::new(), Vec::new());
    for viewer in viewers {
        match viewer.await.map_err(Failure::runtime)? {
            Ok(more) => delays.extend(more),
            Err(why) => broken.push(why),
        }
    }
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let read = reads(args.metrics).await? - before;
    delays.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        // Below the length, because q is below 1.
        delays.get((delays.len() as f64 * q) as usize).copied()
    };
    let result = serde_json::json!({
        "streams": args.streams,
        "streams_broken": broken.len(),
        "seconds": args.seconds,
        "messages": delays.len(),
        "delay_p50_seconds": quantile(0.5),
        "delay_p99_seconds": quantile(0.99),
        "delay_max_seconds": delays.last(),
        "store_reads_per_minute": (read / minutes).round(),
    });
    if args.json {
        println!("{result}");
    } else {
        let rows = result.as_object().into_iter().flatten();
        rows.for_each(|(name, value)| println!("{name:<24} {value}"));
    }
    match broken.first() {
        Some(why) => Err(Failure::runtime(format!("{} of {} streams broke: {why}", broken.len(), args.streams))),
        None => Ok(()),
    }
}

async fn get(to: SocketAddr, path: &str, token: Option<&Secret>) -> Result<Incoming, String> {
    let stream = TcpStream::connect(to).await.map_err(|e| format!("{to}: {e}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let mut request = Request::get(path).header("host", to.to_string());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.expose()));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| format!("{to}: {e}"))?;
    if !response.status().is_success() {
        return Err(format!("http://{to}{path} answers {}", response.status()));
    }
    // The connection lives as long as its sender.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        drop(sender);
    });
    Ok(response.into_body())
}

/// Documents read so far.
async fn reads(metrics: SocketAddr) -> Result<f64, Failure> {
    let body = get(metrics, "/metrics", None).await.map_err(Failure::runtime)?;
    let bytes = body.collect().await.map_err(Failure::runtime)?.to_bytes();
    let series = exposition::parse(&String::from_utf8_lossy(&bytes));
    Ok(series.iter().filter(|s| s.name == "storepulse_dashboard_store_reads_total").map(|s| s.value).sum())
}

/// How late each message but the first came, in seconds.
async fn watch(args: Args, token: Option<Secret>, deadline: Instant) -> Result<Vec<f64>, String> {
    let clock = Clock::system();
    let country = args.country.map(|country| format!("?country={country}")).unwrap_or_default();
    let mut body = get(args.dashboard, &format!("/api/stream{country}"), token.as_ref()).await?;
    let (mut delays, mut text, mut is_first) = (Vec::new(), String::new(), true);
    while let Ok(frame) = timeout_at(deadline, body.frame()).await {
        let frame = frame.ok_or("the stream ended")?.map_err(|e| e.to_string())?;
        let Ok(bytes) = frame.into_data() else { continue };
        let arrived = clock.now();
        text.push_str(&String::from_utf8_lossy(&bytes));
        while let Some((message, rest)) = text.split_once("\n\n") {
            if message.starts_with("event: now\n") && !std::mem::take(&mut is_first) {
                let as_of = message.split_once("\"as_of\":\"").and_then(|(_, rest)| rest.split_once('"'));
                let as_of = as_of.and_then(|(as_of, _)| Timestamp::parse(as_of)).ok_or("a message without as_of")?;
                delays.push((arrived.micros() - as_of.micros()) as f64 / 1e6);
            }
            text = rest.to_owned();
        }
    }
    Ok(delays)
}
