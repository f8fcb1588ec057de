//! `storepulse-analytics`: exact, live aggregates of a shop's events.

/// Documents and sessions are made in one thread and dropped in another, which costs the system's allocator much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    storepulse_analytics::cli::main().await
}
