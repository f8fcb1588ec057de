//! The dashboard's settings, from the environment or flags.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use storepulse_analytics::store::StoreArgs;
use storepulse_events::Currency;
use storepulse_platform::parse::{address, whole};
use storepulse_platform::telemetry::LogArgs;
use storepulse_platform::{Failure, Secret};

use crate::auth::Access;
use crate::auth::users::Users;
use crate::pipeline::Target;

/// Where `run` listens for `/healthz` and so on unless told otherwise, and `health` asks.
pub const DEFAULT_HTTP_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9103));
/// Where the dashboard is, unless told otherwise.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8800));
/// The variable of the token, and with `_FILE` of the file that holds it.
const TOKEN: &str = "DASHBOARD_TOKEN";
/// The fewest characters of a token.
const LEAST_TOKEN: usize = 16;

/// Settings of the running dashboard.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "A token comes from DASHBOARD_TOKEN, or from the file that DASHBOARD_TOKEN_FILE names (at least 16 \
                        characters); it has no flag, because command lines can be seen by others."
)]
pub struct RunArgs {
    /// Address of the dashboard; one that is not loopback needs TLS and a log-in, or DASHBOARD_BEHIND_PROXY=yes
    #[arg(long, env = "DASHBOARD_ADDRESS", value_name = "DASHBOARD_ADDRESS", default_value_t = DEFAULT_ADDRESS,
          value_parser = address)]
    pub dashboard_address: SocketAddr,
    /// host:port of /healthz, /readyz and /metrics
    #[arg(long, env = "HTTP_ADDRESS", value_name = "HTTP_ADDRESS", default_value_t = DEFAULT_HTTP_ADDRESS,
          value_parser = address)]
    pub http_address: SocketAddr,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Currency of the shop, any three upper-case letters
    #[arg(
        long,
        env = "SHOP_CURRENCY",
        value_name = "SHOP_CURRENCY",
        default_value = "USD",
        help_heading = "What is shown"
    )]
    pub shop_currency: Currency,
    /// Where instances of analytics serve their metrics: http://host:port, comma-separated; each address of a host is one
    #[arg(
        long,
        env = "ANALYTICS_URLS",
        value_name = "ANALYTICS_URLS",
        default_value = "http://127.0.0.1:9102",
        help_heading = "What is shown"
    )]
    pub analytics_urls: String,
    /// Where simulators serve their metrics; empty: there are none
    #[arg(
        long,
        env = "SIMULATOR_URLS",
        value_name = "SIMULATOR_URLS",
        default_value = "http://127.0.0.1:9101",
        help_heading = "What is shown"
    )]
    pub simulator_urls: String,
    /// File with the result of the last audit (`storepulse-analytics audit --result-file`)
    #[arg(long, env = "AUDIT_RESULT_FILE", value_name = "AUDIT_RESULT_FILE", help_heading = "What is shown")]
    pub audit_result_file: Option<PathBuf>,
    /// Address of Grafana, for a link
    #[arg(long, env = "GRAFANA_URL", value_name = "GRAFANA_URL", help_heading = "What is shown")]
    pub grafana_url: Option<String>,
    /// File of users, lines name:hash; a hash is made by `storepulse-dashboard hash-password`
    #[arg(long, env = "DASHBOARD_USERS_FILE", value_name = "DASHBOARD_USERS_FILE", help_heading = "Locks")]
    pub dashboard_users_file: Option<PathBuf>,
    /// Certificate chain of the dashboard (PEM); with it, it speaks TLS
    #[arg(
        long,
        env = "DASHBOARD_TLS_CERTIFICATE_LOCATION",
        value_name = "DASHBOARD_TLS_CERTIFICATE_LOCATION",
        help_heading = "Locks"
    )]
    pub dashboard_tls_certificate_location: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "DASHBOARD_TLS_KEY_LOCATION", value_name = "DASHBOARD_TLS_KEY_LOCATION", help_heading = "Locks")]
    pub dashboard_tls_key_location: Option<PathBuf>,
    /// yes: whoever can reach DASHBOARD_ADDRESS is let in by something in front of it (a published port of loopback, a
    /// ClusterIP, a proxy that asks for a log-in)
    #[arg(
        long,
        env = "DASHBOARD_BEHIND_PROXY",
        value_name = "DASHBOARD_BEHIND_PROXY",
        default_value = "no",
        help_heading = "Locks"
    )]
    pub dashboard_behind_proxy: YesNo,
    /// Names by which browsers may reach the dashboard, comma-separated; IP addresses and localhost always may
    #[arg(long, env = "DASHBOARD_ALLOWED_HOSTS", value_name = "DASHBOARD_ALLOWED_HOSTS", help_heading = "Locks")]
    pub dashboard_allowed_hosts: Option<String>,
    /// The most connections at a time
    #[arg(long, env = "DASHBOARD_MAX_CONNECTIONS", value_name = "DASHBOARD_MAX_CONNECTIONS", default_value_t = 1_000,
          value_parser = whole::<u32>(1..=100_000), help_heading = "Limits")]
    pub dashboard_max_connections: u32,
    /// The most open streams (pages that watch) at a time
    #[arg(long, env = "DASHBOARD_MAX_VIEWERS", value_name = "DASHBOARD_MAX_VIEWERS", default_value_t = 500,
          value_parser = whole::<u32>(1..=100_000), help_heading = "Limits")]
    pub dashboard_max_viewers: u32,
    /// The most documents that are read for each hour of a viewer; over it, figures are older instead
    #[arg(long, env = "DASHBOARD_READS_PER_VIEWER_HOUR", value_name = "DASHBOARD_READS_PER_VIEWER_HOUR",
          default_value_t = 30_000, value_parser = whole::<u32>(1_000..=u64::from(u32::MAX)), help_heading = "Limits")]
    pub dashboard_reads_per_viewer_hour: u32,
    /// The most documents that are kept in memory, about 1.5 KiB each
    #[arg(long, env = "DASHBOARD_CACHE_DOCUMENTS", value_name = "DASHBOARD_CACHE_DOCUMENTS", default_value_t = 50_000,
          value_parser = whole::<u32>(1_000..=u64::from(u32::MAX)), help_heading = "Limits")]
    pub dashboard_cache_documents: u32,
    /// Logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

/// A switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum YesNo {
    /// On.
    Yes,
    /// Off.
    #[default]
    No,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain (PEM).
    pub certificate: PathBuf,
    /// The key (PEM).
    pub key: PathBuf,
}

impl RunArgs {
    /// The certificate, if there is one.
    ///
    /// # Errors
    ///
    /// If it is given without its key, or the other way round.
    pub fn tls(&self) -> Result<Option<TlsFiles>, Failure> {
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        match (given(&self.dashboard_tls_certificate_location), given(&self.dashboard_tls_key_location)) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (None, None) => Ok(None),
            _ => Err(Failure::config(
                "DASHBOARD_TLS_CERTIFICATE_LOCATION and DASHBOARD_TLS_KEY_LOCATION belong together: set both or neither",
            )),
        }
    }

    /// What is asked of whoever wants to look.
    ///
    /// # Errors
    ///
    /// If a token or a file of users can't be used, or both are set.
    pub fn access(&self) -> Result<Access, Failure> {
        let is_set = |variable: &str| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        let token = (is_set(TOKEN) || is_set("DASHBOARD_TOKEN_FILE")).then(|| Secret::from_env(TOKEN));
        let token = token.transpose().map_err(Failure::config)?;
        let file = self.dashboard_users_file.as_deref().filter(|file| !file.as_os_str().is_empty());
        match (token, file) {
            (Some(_), Some(_)) => {
                Err(Failure::config("DASHBOARD_TOKEN and DASHBOARD_USERS_FILE are both set: set one of them"))
            }
            (Some(token), None) if token.expose().chars().count() < LEAST_TOKEN => {
                Err(Failure::config(format!("{TOKEN} is too short: allowed are at least {LEAST_TOKEN} characters")))
            }
            (Some(token), None) => Ok(Access::Token(token)),
            (None, Some(file)) => Ok(Access::Users(users(file)?)),
            (None, None) => Ok(Access::Open),
        }
    }

    /// Refuses an address that others can reach, unless it is locked or something in front of it is.
    ///
    /// # Errors
    ///
    /// Names the variable, and what is allowed.
    pub fn check_exposure(&self, has_tls: bool, access: &Access) -> Result<(), Failure> {
        let (address, is_locked) = (self.dashboard_address, has_tls && !matches!(access, Access::Open));
        if address.ip().to_canonical().is_loopback() || is_locked || self.dashboard_behind_proxy == YesNo::Yes {
            return Ok(());
        }
        Err(Failure::config(format!(
            "DASHBOARD_ADDRESS is {address}, which others can reach: allowed is a loopback address such as 127.0.0.1:8800; \
             or any with TLS (DASHBOARD_TLS_CERTIFICATE_LOCATION, DASHBOARD_TLS_KEY_LOCATION) and a log-in \
             (DASHBOARD_TOKEN_FILE or DASHBOARD_USERS_FILE); or any with DASHBOARD_BEHIND_PROXY=yes, if something in front \
             of it lets in only who may look"
        )))
    }

    /// The services to ask: analytics, simulators.
    ///
    /// # Errors
    ///
    /// Names the variable, its value, and what is allowed.
    pub fn targets(&self) -> Result<(Vec<Target>, Vec<Target>), Failure> {
        let targets = |service, variable: &str, text: &str| {
            Target::parse_all(service, text)
                .map_err(|allowed| Failure::config(format!("{variable} is {text:?}: allowed is {allowed}")))
        };
        Ok((
            targets("analytics", "ANALYTICS_URLS", &self.analytics_urls)?,
            targets("simulator", "SIMULATOR_URLS", &self.simulator_urls)?,
        ))
    }

    /// The address of Grafana, if there is one.
    ///
    /// # Errors
    ///
    /// If it is not one that a browser may be sent to.
    pub fn grafana(&self) -> Result<Option<String>, Failure> {
        let Some(url) = self.grafana_url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let is_right = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('@'))
            && url.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\".contains(c));
        if is_right {
            return Ok(Some(url.to_owned()));
        }
        Err(Failure::config(format!("GRAFANA_URL is {url:?}: allowed is http://… or https://…, without a user's name")))
    }

    /// Names that browsers may use, in lower case.
    ///
    /// # Errors
    ///
    /// If one is no name of a host.
    pub fn allowed_hosts(&self) -> Result<Vec<String>, Failure> {
        let hosts = self.dashboard_allowed_hosts.as_deref().unwrap_or_default().split(',').map(str::trim);
        let hosts: Vec<String> = hosts.filter(|host| !host.is_empty()).map(str::to_lowercase).collect();
        let is_name = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        match hosts.iter().find(|host| !is_name(host)) {
            Some(bad) => Err(Failure::config(format!(
                "DASHBOARD_ALLOWED_HOSTS has {bad:?}: allowed are names without a port, comma-separated, such as \
                 dashboard.example.com"
            ))),
            None => Ok(hosts),
        }
    }
}

fn users(file: &Path) -> Result<Users, Failure> {
    let failed = |why: String| Failure::config(format!("DASHBOARD_USERS_FILE is {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| failed(format!("cannot be read: {e}")))?;
    Users::parse(&text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: RunArgs,
    }

    fn args(more: &[&str]) -> RunArgs {
        let given = ["x", "--store", "sqlite", "--sqlite-path", "/tmp/x.db"].iter().chain(more);
        Cli::parse_from(given).args
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_unless_it_is_locked() {
        let (open, token) = (Access::Open, Access::Token(Secret::new("0123456789abcdef")));
        for address in ["0.0.0.0:8800", "192.0.2.1:8800", "[::]:8800", "[::ffff:192.0.2.1]:1"] {
            let exposed = args(&["--dashboard-address", address]);
            for (has_tls, access) in [(false, &open), (true, &open), (false, &token)] {
                let error = exposed.check_exposure(has_tls, access).unwrap_err();
                assert_eq!(error.code(), 2);
                assert!(error.to_string().starts_with(&format!("DASHBOARD_ADDRESS is {address}")), "{error}");
            }
            assert!(exposed.check_exposure(true, &token).is_ok());
            let proxied = args(&["--dashboard-address", address, "--dashboard-behind-proxy", "yes"]);
            assert!(proxied.check_exposure(false, &open).is_ok());
        }
        for address in ["127.0.0.1:8800", "127.1.2.3:1", "[::1]:8800"] {
            assert!(args(&["--dashboard-address", address]).check_exposure(false, &open).is_ok());
        }
    }

    #[test]
    fn wrong_values_are_named_with_what_is_allowed() {
        let told = |failure: Failure| failure.to_string();
        assert!(told(args(&["--dashboard-tls-key-location", "/k"]).tls().unwrap_err()).contains("belong together"));
        let error = told(args(&["--analytics-urls", "localhost:1"]).targets().unwrap_err());
        assert!(error.starts_with("ANALYTICS_URLS is \"localhost:1\": allowed is http://host:port"), "{error}");
        assert!(args(&["--simulator-urls", ""]).targets().unwrap().1.is_empty());
        assert!(told(args(&["--grafana-url", "javascript:alert(1)"]).grafana().unwrap_err()).contains("GRAFANA_URL"));
        assert!(args(&["--grafana-url", "http://localhost:3000/d/x"]).grafana().unwrap().is_some());
        assert!(args(&["--dashboard-allowed-hosts", "a.example:1"]).allowed_hosts().is_err());
        assert_eq!(args(&["--dashboard-allowed-hosts", "A.example, b"]).allowed_hosts().unwrap(), ["a.example", "b"]);
        let error = told(args(&["--dashboard-users-file", "/no/such/file"]).access().unwrap_err());
        assert!(error.contains("DASHBOARD_USERS_FILE is /no/such/file: cannot be read"), "{error}");
    }
}
