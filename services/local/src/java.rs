//! The Java on this machine, and how arguments are handed to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::context::Context;
use crate::error::{Error, Result};

/// Kafka 4 needs it.
const OLDEST: u32 = 17;

/// A Java that is new enough.
#[derive(Debug, Clone)]
pub(crate) struct Java {
    program: PathBuf,
}

impl Java {
    /// Takes the Java of `JAVA_HOME`, or else the one in `PATH`.
    pub(crate) async fn find(context: &Context) -> Result<Self> {
        let program = match std::env::var_os("JAVA_HOME") {
            Some(home) if !home.is_empty() => Path::new(&home).join("bin/java"),
            _ => PathBuf::from("java"),
        };
        let missing = |reason: String| {
            Error::Missing {
            program: format!("Java {OLDEST} or newer"),
            reason,
            advice: "Run `make init`, or on Debian `apt-get install openjdk-17-jre-headless`; JAVA_HOME chooses among several"
                .to_owned(),
        }
        };
        let mut command = Command::new(&program);
        command.arg("-version");
        let output = match context.run("asking Java for its version", command).await {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            answer => answer.map_err(|error| missing(format!("`{}`: {error}", program.display())))?,
        };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        match parse_version(&text) {
            Some(version) if version >= OLDEST => Ok(Self { program }),
            Some(version) => Err(missing(format!("`{}` is Java {version}", program.display()))),
            None => Err(missing(format!(
                "`{} -version` says {:?}",
                program.display(),
                text.lines().next().unwrap_or_default()
            ))),
        }
    }

    /// A command that runs this Java.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // A user's own settings would change heap sizes, or print lines we don't expect.
        for variable in ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"] {
            command.env_remove(variable);
        }
        command
    }
}

/// The major version in the output of `java -version`: 17 of `openjdk version "17.0.15"`, 8 of `"1.8.0_402"`.
fn parse_version(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("version \"")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

/// One argument as it is written in a file for `java @file`.
pub(crate) fn quote(argument: &str) -> String {
    format!("\"{}\"\n", argument.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_old_and_new_version_numbers() {
        assert_eq!(parse_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(parse_version("openjdk version \"25\" 2025-09-16 LTS"), Some(25));
        assert_eq!(parse_version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn quotes_for_argument_files() {
        assert_eq!(quote(r#"a "b" \c"#), "\"a \\\"b\\\" \\\\c\"\n");
    }
}
