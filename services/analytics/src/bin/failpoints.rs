//! `storepulse-analytics-failpoints`: the same program, with fail points (see [`storepulse_analytics::failpoint`]). For
//! tests only.

/// Documents and sessions are made in one thread and dropped in another, which costs the system's allocator much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    storepulse_analytics::cli::main().await
}
