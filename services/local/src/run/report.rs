//! The shop's figures, as `storepulse-analytics report --json` reads them from the documents.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::child::program;
use crate::env_files::Environment;

/// A store that takes longer is busy; the figures before are shown meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// A day's figures.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShopReport {
    pub(super) currency: String,
    pub(super) day: String,
    pub(super) revenue_minor: i64,
    pub(super) purchase_count: i64,
    pub(super) started_sessions_count: i64,
    #[serde(default)]
    pub(super) top_countries: Vec<CountryRevenue>,
    #[serde(default)]
    pub(super) top_products: Vec<ProductRevenue>,
}

/// One country's share.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CountryRevenue {
    pub(super) country: String,
    pub(super) revenue_minor: i64,
}

/// One product's share.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ProductRevenue {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) revenue_minor: i64,
}

/// Reads the figures; `None` when that fails, as it may while the store is busy or empty.
pub(super) async fn read(environment: &Environment) -> Option<ShopReport> {
    let child = Command::new(program("analytics").ok()?)
        .args(["report", "--json"])
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, child).await.ok()?.ok()?;
    serde_json::from_slice(&output.stdout).ok()
}
