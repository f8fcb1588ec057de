//! Logs: lines for people, or JSON for programs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `human` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Settings of the logs, for a service's command line.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", value_name = "LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug, trace), or directives such as `info,storepulse_analytics=debug`
    #[arg(long, env = "LOG_LEVEL", value_name = "LOG_LEVEL", default_value = "info,firestore=warn")]
    pub log_level: String,
}

/// Starts logging.
///
/// # Errors
///
/// Names the variable if its directives can't be read.
pub fn init(args: &LogArgs) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log_level)
        .map_err(|e| format!("LOG_LEVEL is {:?}: {e}; allowed is a level such as info", args.log_level))?;
    let human = match args.log_format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    if human {
        lines.with_target(false).try_init().map_err(|e| e.to_string())
    } else {
        lines.json().flatten_event(true).try_init().map_err(|e| e.to_string())
    }
}
