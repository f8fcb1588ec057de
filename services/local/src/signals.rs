//! Ctrl-C, SIGTERM and a closed terminal mean: stop, in order.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first of these signals. Later ones change nothing: stopping is bounded in time anyway.
pub(crate) fn cancel_on_signals(token: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("could not listen for signals")?;
        let token = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                token.cancel();
            }
        });
    }
    Ok(())
}
