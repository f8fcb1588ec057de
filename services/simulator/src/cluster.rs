//! The cluster's settings, which only the Kafka sink needs: elsewhere they may be missing.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use storepulse_platform::KafkaArgs;

/// Arguments of [`KafkaArgs`] that have no default: clap's name and the variable.
const REQUIRED: [(&str, &str); 5] = [
    ("brokers", "KAFKA_BROKERS"),
    ("ca", "KAFKA_SSL_CA_LOCATION"),
    ("certificate", "KAFKA_SSL_CERTIFICATE_LOCATION"),
    ("key", "KAFKA_SSL_KEY_LOCATION"),
    ("username", "KAFKA_SASL_USERNAME"),
];

/// Where the cluster is, if that is completely known.
#[derive(Clone, Debug)]
pub enum Cluster {
    /// All is given.
    Known(KafkaArgs),
    /// These variables are missing.
    Missing(Vec<&'static str>),
}

impl Cluster {
    /// The settings.
    ///
    /// # Errors
    ///
    /// Names the variables that are not set.
    pub fn known(&self) -> Result<&KafkaArgs, String> {
        match self {
            Self::Known(kafka) => Ok(kafka),
            Self::Missing(variables) => Err(format!(
                "not set: {}; set them (such as by `set -a; . .local/simulator.env; set +a`), or choose SIMULATOR_SINK \
                 null or the path of a file",
                variables.join(", ")
            )),
        }
    }
}

impl Args for Cluster {
    /// Clap's variant for updates is the one in which nothing is required.
    fn augment_args(command: Command) -> Command {
        KafkaArgs::augment_args_for_update(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        KafkaArgs::augment_args_for_update(command)
    }
}

impl FromArgMatches for Cluster {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let missing: Vec<_> =
            REQUIRED.iter().filter(|(id, _)| !matches.contains_id(id)).map(|(_, name)| *name).collect();
        if missing.is_empty() {
            KafkaArgs::from_arg_matches(matches).map(Self::Known)
        } else {
            Ok(Self::Missing(missing))
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
