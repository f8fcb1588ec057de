//! `storepulse-dashboard`: the shop's figures, live, in a browser.

#[tokio::main]
async fn main() {
    storepulse_dashboard::cli::main().await
}
