//! The command line.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use storepulse_kafka_admin::{
    AclBinding, Admin, AdminConnectConfig, Operation, Passwords, Pattern, Plan, ResourceType, Result, Settings, apply,
    status,
};

/// Makes the topics, SCRAM users and ACLs of a storepulse cluster.
#[derive(Parser)]
#[command(name = "storepulse-kafka-admin", version)]
pub struct Cli {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct ConnectionArgs {
    /// Brokers, as host:port[,host:port…].
    #[arg(long, env = "KAFKA_BROKERS", global = true)]
    brokers: Option<String>,
    /// PEM file of the authority that signed the brokers' certificates.
    #[arg(long, env = "KAFKA_SSL_CA_LOCATION", global = true)]
    ssl_ca_location: Option<String>,
    /// PEM file of the administrator's certificate.
    #[arg(long, env = "KAFKA_SSL_CERTIFICATE_LOCATION", global = true)]
    ssl_certificate_location: Option<String>,
    /// PEM file of the administrator's key.
    #[arg(long, env = "KAFKA_SSL_KEY_LOCATION", global = true)]
    ssl_key_location: Option<String>,
    /// SCRAM-SHA-256 (default) or SCRAM-SHA-512.
    #[arg(long, env = "KAFKA_SASL_MECHANISM", global = true)]
    sasl_mechanism: Option<String>,
    /// The administrator's user name. Its password comes from KAFKA_SASL_PASSWORD or the file that
    /// KAFKA_SASL_PASSWORD_FILE names, never from an option, which other users could see.
    #[arg(long, env = "KAFKA_SASL_USERNAME", global = true)]
    sasl_username: Option<String>,
    /// How long to go on trying while the cluster isn't ready, in seconds.
    #[arg(long, env = "KAFKA_ADMIN_PATIENCE_SECONDS", default_value_t = 30, global = true)]
    patience: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Make what is missing and correct what differs. The users' passwords come from
    /// KAFKA_<USER>_PASSWORD or KAFKA_<USER>_PASSWORD_FILE.
    Apply(PlanArgs),
    /// Compare with the plan and change nothing; exit code 1 when something is missing or differs.
    Status(PlanArgs),
    /// Take one permission away; exit code 1 when nobody had it.
    AclDelete(Acl),
    /// Give one permission.
    AclCreate(Acl),
}

#[derive(Args)]
struct PlanArgs {
    /// Copies of each partition.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i16).range(1..=9))]
    replication: i16,
    /// Also the user `viewer`, which may look at everything and change nothing, for a program such as Kafka UI.
    #[arg(long, env = "STOREPULSE_VIEWER", value_parser = clap::builder::BoolishValueParser::new())]
    viewer: bool,
}

impl PlanArgs {
    fn plan(&self) -> Plan {
        let plan = Plan::with_replication(self.replication);
        if self.viewer { plan.with_viewer() } else { plan }
    }
}

#[derive(Args)]
struct Acl {
    /// The user's name, e.g. simulator.
    #[arg(long)]
    user: String,
    /// topic, group, cluster or transactional-id.
    #[arg(long)]
    resource_type: ResourceType,
    /// The resource's name, or its beginning with --pattern prefixed.
    #[arg(long)]
    resource: String,
    /// literal or prefixed.
    #[arg(long, default_value = "literal")]
    pattern: Pattern,
    /// read, write, describe, …
    #[arg(long)]
    operation: Operation,
}

impl From<Acl> for AclBinding {
    fn from(acl: Acl) -> Self {
        Self {
            principal: format!("User:{}", acl.user),
            resource_type: acl.resource_type,
            resource: acl.resource,
            pattern: acl.pattern,
            operation: acl.operation,
        }
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl ConnectionArgs {
    fn config(&self) -> Result<AdminConnectConfig> {
        let settings = Settings::from_lookup(|name| match name {
            "KAFKA_BROKERS" => self.brokers.clone(),
            "KAFKA_SSL_CA_LOCATION" => self.ssl_ca_location.clone(),
            "KAFKA_SSL_CERTIFICATE_LOCATION" => self.ssl_certificate_location.clone(),
            "KAFKA_SSL_KEY_LOCATION" => self.ssl_key_location.clone(),
            "KAFKA_SASL_MECHANISM" => self.sasl_mechanism.clone(),
            "KAFKA_SASL_USERNAME" => self.sasl_username.clone(),
            other => environment(other),
        })?;
        AdminConnectConfig::new(&settings, Duration::from_secs(self.patience.into()))
    }
}

/// Runs the command.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let config = cli.connection.config()?;
    match cli.command {
        Command::Apply(args) => {
            let plan = args.plan();
            let passwords = Passwords::from_lookup(&plan, environment)?;
            print!("{}", apply(&config, &plan, &passwords).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Status(args) => {
            let drift = status(&config, &args.plan()).await?;
            print!("{drift}");
            Ok(if drift.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::AclDelete(acl) => {
            let acl = AclBinding::from(acl);
            let mut admin = Admin::connect(&config.brokers, &config.options).await?;
            let deleted = admin.delete_acls(std::slice::from_ref(&acl)).await?;
            println!("{} {acl}", if deleted > 0 { "deleted" } else { "not found:" });
            Ok(if deleted > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::AclCreate(acl) => {
            let acl = AclBinding::from(acl);
            let mut admin = Admin::connect(&config.brokers, &config.options).await?;
            admin.create_acls(std::slice::from_ref(&acl)).await?;
            println!("created {acl}");
            Ok(ExitCode::SUCCESS)
        }
    }
}
