//! What the containers of `docker-compose.yml` are given as files: brokers' configurations, papers, passwords.
//!
//! Compose mounts secrets as the files they are, with the owner and mode they have on this machine. So each belongs to
//! the user that the containers run as, and nobody else can read it. `.env` tells Compose who that is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use storepulse_events::topics;
use storepulse_pki::{EnvFile, PRINCIPALS};

use crate::cluster::new_cluster_id;
use crate::error::{Error, FileContext, Result};
use crate::files::{make_private_dir, write_private};
use crate::kafka::config::{Address, Log, Place, log4j2, server_properties};
use crate::kafka::{SERVER_OPTIONS, format_arguments, quote_all};
use crate::paths::Paths;
use crate::security::Security;

/// Where a container finds its files.
const SECRETS: &str = "/run/secrets";
/// Where the attackers find theirs.
const PAPERS: &str = "/papers";
/// The dashboard's token there, and in `.env` the variable that says so. Empty: there is none.
const TOKEN: &str = "/run/secrets/dashboard.token";
const TOKEN_VARIABLE: &str = "STOREPULSE_DASHBOARD_TOKEN_FILE";
/// The data directory of the `apache/kafka` image; the topics' data are in a directory below.
const DATA: &str = "/var/lib/kafka/data/log";
/// The class path of the `apache/kafka` image.
const JARS: &str = "/opt/kafka/libs/*";
/// Who containers run as when this program runs as root: they must not.
const NOBODY_IN_PARTICULAR: u32 = 65_532;
/// The brokers' ports, in containers that have an address of their own.
const CLIENT_PORT: u16 = 9092;
const INTERNAL_PORT: u16 = 9093;
const CONTROLLER_PORT: u16 = 9094;
/// What the attackers act as, besides themselves.
const IMPERSONATED: [&str; 4] = ["admin", "simulator", "analytics", "auditor"];
/// The attackers' own certificates, and servers' that they pose as.
const FORGED: [&str; 4] = ["rogue-ca", "rogue-client", "expired-client", "wrong-host-server"];

/// What to write.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the files.
    pub dir: PathBuf,
    /// The user that containers run as; by default what `.env` says, or else the one that runs this, but never root.
    /// 0 is for rootless Docker, where the containers' root is an ordinary user.
    pub owner: Option<u32>,
    /// The key that reaches a real Firestore; none where the emulator is the store.
    pub google: Option<PathBuf>,
    /// The dashboard's token; none where it asks for no log-in.
    pub token: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many files there are.
    pub files: usize,
    /// How many of them are new or other than before.
    pub changed: usize,
    /// Whose they are.
    pub owner: u32,
    /// The Google Cloud project, where one is set.
    pub project: Option<String>,
    /// Certificates that end soon.
    pub warnings: Vec<String>,
}

/// Writes all files; those that are as they should be are left alone.
///
/// # Errors
/// A certificate, password or key is missing or can't be used, or a file can't be written or given to its owner.
pub fn prepare(paths: &Paths, options: &Options) -> Result<Written> {
    let (security, warnings) = Security::init(paths)?;
    Ok(Written { warnings, ..write_all(&security, options)? })
}

fn write_all(security: &Security, options: &Options) -> Result<Written> {
    let env_file = security.env_file().to_owned();
    let mut env = EnvFile::load(&env_file).map_err(|error| Error::Pki(error.to_string()))?;
    let own = nix::unistd::geteuid().as_raw();
    let chosen = options.owner.or_else(|| env.get("STOREPULSE_UID")?.parse().ok());
    let user = chosen.unwrap_or(if own == 0 { NOBODY_IN_PARTICULAR } else { own });
    // With rootless Docker, the containers' root is whoever started it.
    let owner = if user == 0 { own } else { user };
    let mut files = Files { dir: &options.dir, owner, files: 0, changed: 0 };
    make_private_dir(&options.dir)?;
    brokers(&mut files, security)?;
    papers(&mut files, security)?;
    viewer(&mut files, security)?;
    attackers(&mut files, security)?;
    files.keep("grafana-admin.password", || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 27]>()))?;
    // Compose mounts a file with either store, and the emulator wants no key.
    files.write("no-google-credentials.json", "{}\n")?;
    // Likewise with or without a token.
    let token = options.token.as_deref().map(dashboard_token).transpose()?;
    files.write("dashboard.token", token.as_deref().unwrap_or_default())?;
    let google = options.google.as_deref().map(google_key).transpose()?;
    if let Some((text, _)) = &google {
        files.write("google-credentials.json", text)?;
    }
    let mut set = |key: &str, value: &str| -> bool {
        let differs = env.get(key) != Some(value);
        if differs {
            env.set(key, value);
        }
        differs
    };
    let mut is_new = set("STOREPULSE_UID", &user.to_string());
    is_new |= set(TOKEN_VARIABLE, if token.is_some() { TOKEN } else { "" });
    if let Some((_, Some(project))) = &google
        && env.get("GCLOUD_PROJECT").is_none()
    {
        env.set("GCLOUD_PROJECT", project);
        is_new = true;
    }
    if is_new {
        env.save().map_err(|error| Error::Pki(error.to_string()))?;
    }
    let project = env.get("GCLOUD_PROJECT").map(str::to_owned);
    Ok(Written { files: files.files, changed: files.changed, owner, project, warnings: Vec::new() })
}

fn brokers(files: &mut Files<'_>, security: &Security) -> Result<()> {
    // The storage of all three is formatted with it, and not again as long as the volumes live.
    let cluster_id = files.keep("cluster-id", new_cluster_id)?;
    let nodes = addresses();
    for node in &nodes {
        let id = node.id;
        let place = Place {
            id,
            nodes: &nodes,
            listen_on: "0.0.0.0",
            data: DATA,
            key_store: &format!("{SECRETS}/broker.pem"),
            trust_store: &format!("{SECRETS}/ca.crt"),
        };
        files.write(&format!("kafka-{id}.properties"), &server_properties(&place, security))?;
        files.copy(&format!("broker-{id}.pem"), &security.broker_store(id))?;
    }
    files.write("kafka.log4j2.properties", &log4j2(Log::Console))?;
    let jvm = jvm_arguments();
    files.write("kafka.jvm", &format!("{jvm}{}", quote_all(SERVER_OPTIONS)))?;
    let format = format_arguments(cluster_id.trim(), &format!("{SECRETS}/server.properties"), security);
    files.write("kafka.format", &format!("{jvm}{format}"))
}

fn jvm_arguments() -> String {
    let log4j2 = format!("-Dlog4j2.configurationFile={SECRETS}/log4j2.properties");
    quote_all(["-cp", JARS, "-XX:-UsePerfData", "-XX:ErrorFile=/dev/stderr", "-Djava.awt.headless=true", &log4j2])
}

fn addresses() -> Vec<Address> {
    (1..=u32::from(storepulse_pki::BROKERS))
        .map(|id| Address {
            id,
            host: format!("kafka-{id}"),
            client_port: CLIENT_PORT,
            internal_port: INTERNAL_PORT,
            controller_port: CONTROLLER_PORT,
        })
        .collect()
}

/// Where clients begin.
fn bootstrap() -> String {
    let all: Vec<String> = addresses().iter().map(|node| format!("{}:{}", node.host, node.client_port)).collect();
    all.join(",")
}

/// Each principal's certificate, key and password.
fn papers(files: &mut Files<'_>, security: &Security) -> Result<()> {
    files.copy("ca.crt", &security.ca())?;
    for principal in PRINCIPALS {
        files.copy(&format!("{principal}.crt"), &security.certificate(principal))?;
        files.copy(&format!("{principal}.key"), &security.key(principal))?;
        files.write(&format!("{principal}.password"), security.password(principal))?;
    }
    Ok(())
}

/// Kafka UI's configuration, and key and certificate in one file, as Java takes them.
fn viewer(files: &mut Files<'_>, security: &Security) -> Result<()> {
    let read = |path: PathBuf| fs::read_to_string(&path).file("read", &path);
    let store = read(security.key("viewer"))? + &read(security.certificate("viewer"))? + &read(security.ca())?;
    files.write("viewer.pem", &store)?;
    // JSON is YAML, and quotes whatever a password may hold.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let login = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"viewer\" password=\"{}\";",
        security.password("viewer").replace('\\', "\\\\").replace('"', "\\\"")
    );
    let configuration = format!(
        "\
# Kafka UI, written by storepulse-local. Holds a password.
kafka:
  clusters:
    - name: storepulse
      bootstrapServers: {}
      readOnly: true
      properties:
        security.protocol: SASL_SSL
        sasl.mechanism: SCRAM-SHA-256
        sasl.jaas.config: {}
        ssl.endpoint.identification.algorithm: https
        ssl.truststore.type: PEM
        ssl.truststore.location: {SECRETS}/ca.crt
        ssl.keystore.type: PEM
        ssl.keystore.location: {SECRETS}/viewer.pem
",
        quoted(&bootstrap()),
        quoted(&login)
    );
    files.write("kafka-ui.yml", &configuration)
}

/// The papers of those whom the attackers act as, and the forged ones. Not the authority's key: who has that is the
/// administrator, not an attacker.
fn attackers(files: &mut Files<'_>, security: &Security) -> Result<()> {
    make_private_dir(&files.dir.join("attacker"))?;
    give(&files.dir.join("attacker"), files.owner, 0o700)?;
    files.copy("attacker/ca.crt", &security.ca())?;
    for principal in IMPERSONATED {
        files.copy(&format!("attacker/{principal}.crt"), &security.certificate(principal))?;
        files.copy(&format!("attacker/{principal}.key"), &security.key(principal))?;
        files.write(&format!("attacker/{principal}.password"), security.password(principal))?;
        let variables = [
            ("KAFKA_BROKERS", bootstrap()),
            ("KAFKA_EVENT_TOPIC", topics::EVENTS.to_owned()),
            ("KAFKA_SSL_CA_LOCATION", format!("{PAPERS}/ca.crt")),
            ("KAFKA_SSL_CERTIFICATE_LOCATION", format!("{PAPERS}/{principal}.crt")),
            ("KAFKA_SSL_KEY_LOCATION", format!("{PAPERS}/{principal}.key")),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256".to_owned()),
            ("KAFKA_SASL_USERNAME", principal.to_owned()),
            ("KAFKA_SASL_PASSWORD_FILE", format!("{PAPERS}/{principal}.password")),
        ];
        let text: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        files.write(&format!("attacker/{principal}.env"), &text)?;
    }
    let forged = security.layout().dir();
    for name in FORGED {
        for kind in ["crt", "key"] {
            let file = format!("{name}.{kind}");
            files.copy(&format!("attacker/{file}"), &forged.join(&file))?;
        }
    }
    Ok(())
}

/// The key's text, and the project it names.
fn google_key(path: &Path) -> Result<(String, Option<String>)> {
    let unusable = |why: String| {
        Error::Usage(format!(
            "{} {why}. It should be the JSON key of a service account with the role Cloud Datastore User; see \"Firestore\" in README.md",
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| unusable(format!("can't be read: {error}")))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| unusable(format!("is not JSON (line {})", error.line())))?;
    if json.get("type").and_then(serde_json::Value::as_str).is_none() {
        return Err(unusable("has no field \"type\"".to_owned()));
    }
    let project = ["project_id", "quota_project_id"].iter().find_map(|field| json.get(*field)?.as_str());
    Ok((text.clone(), project.map(str::to_owned)))
}

/// The dashboard's token, as the dashboard would take it.
fn dashboard_token(path: &Path) -> Result<String> {
    let unusable = |why: &str| {
        Error::Usage(format!(
            "{} {why}. It should be a line of 16 to 1024 characters: openssl rand -hex 24 > {}",
            path.display(),
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| unusable(&format!("can't be read: {error}")))?;
    let token = text.trim_end_matches(['\r', '\n']);
    if !(16..=1_024).contains(&token.chars().count()) || token.contains(char::is_whitespace) {
        return Err(unusable("is no token"));
    }
    Ok(token.to_owned())
}

/// Makes a file private to its owner.
fn give(path: &Path, owner: u32, mode: u32) -> Result<()> {
    let found = fs::metadata(path).file("look at", path)?;
    if found.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode)).file("set the permissions of", path)?;
    }
    if found.uid() != owner {
        chown(path, Some(owner), None).map_err(|error| {
            Error::Usage(format!(
                "could not give {} to user {owner}, which the containers run as: {error}. Run this as root once, remove \
                 the directory and try again, or choose yourself with --owner {}",
                path.display(),
                nix::unistd::geteuid()
            ))
        })?;
    }
    Ok(())
}

/// Writes files that differ from what they should be.
struct Files<'a> {
    dir: &'a Path,
    owner: u32,
    files: usize,
    changed: usize,
}

impl Files<'_> {
    fn write(&mut self, name: &str, content: &str) -> Result<()> {
        let path = self.dir.join(name);
        self.files += 1;
        // A container has the file open by its inode: one that stays as it is must stay where it is.
        if !fs::read(&path).is_ok_and(|found| found == content.as_bytes()) {
            write_private(&path, content.as_bytes())?;
            self.changed += 1;
        }
        give(&path, self.owner, 0o400)
    }

    fn copy(&mut self, name: &str, from: &Path) -> Result<()> {
        let content = fs::read_to_string(from).file("read", from)?;
        self.write(name, &content)
    }

    /// The content of a file that is made once.
    fn keep(&mut self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        let path = self.dir.join(name);
        let found = fs::read_to_string(&path).ok().filter(|text| !text.trim().is_empty());
        let content = found.unwrap_or_else(make);
        self.write(name, &content)?;
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_the_dashboard_would_not_take_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dashboard.token");
        assert!(dashboard_token(&path).unwrap_err().to_string().contains("can't be read"));
        for wrong in ["", "too-short", "two lines of it\nand some more", "with blanks in the middle"] {
            fs::write(&path, wrong).unwrap();
            let error = dashboard_token(&path).unwrap_err().to_string();
            assert!(error.contains("is no token") && error.contains("openssl rand"), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
        fs::write(&path, "0123456789abcdef\n").unwrap();
        assert_eq!(dashboard_token(&path).unwrap(), "0123456789abcdef");
    }

    #[test]
    fn a_key_that_is_none_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.json");
        let error = || google_key(&path).unwrap_err().to_string();
        assert!(error().contains("can't be read") && error().contains("Cloud Datastore User"), "{}", error());
        for (content, why) in [("secret", "is not JSON"), ("{}", "no field \"type\"")] {
            fs::write(&path, content).unwrap();
            assert!(error().contains(why) && error().lines().count() == 1, "{}", error());
        }
        fs::write(&path, r#"{"type": "service_account", "project_id": "shop"}"#).unwrap();
        assert_eq!(google_key(&path).unwrap().1, Some("shop".to_owned()));
    }

    #[test]
    fn each_file_is_private_and_the_second_run_changes_none() {
        let dir = tempfile::tempdir().unwrap();
        let env_file = dir.path().join(".env");
        let (security, _) = Security::init_at(dir.path().join("certs"), env_file.clone()).unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let options = Options { dir: dir.path().join("compose"), owner: Some(owner), google: None, token: None };
        let first = write_all(&security, &options).unwrap();
        assert_eq!((first.files, first.owner), (first.changed, owner));
        assert_eq!(write_all(&security, &options).unwrap(), Written { changed: 0, ..first });

        let names = |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        let attackers = names(&options.dir.join("attacker"));
        assert!(attackers.iter().all(|path| !path.ends_with("ca.key")), "{attackers:?}");
        for path in names(&options.dir).into_iter().chain(attackers) {
            let mode = fs::metadata(&path).unwrap().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o400 }, "{}", path.display());
        }
        let text = |name: &str| fs::read_to_string(options.dir.join(name)).unwrap();
        assert!(fs::read_to_string(env_file).unwrap().contains(&format!("\nSTOREPULSE_UID={owner}\n")));
        assert_eq!(text("viewer.password"), security.password("viewer"));
        let properties = text("kafka-2.properties");
        for line in [
            "node.id=2",
            "listeners=CLIENT://0.0.0.0:9092,INTERNAL://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
            "advertised.listeners=CLIENT://kafka-2:9092,INTERNAL://kafka-2:9093,CONTROLLER://kafka-2:9094",
            "controller.quorum.voters=1@kafka-1:9094,2@kafka-2:9094,3@kafka-3:9094",
            "listener.name.client.ssl.client.auth=required",
        ] {
            assert!(properties.lines().any(|found| found == line), "{line}");
        }
        assert!(!properties.contains("localhost") && !properties.contains("PLAINTEXT"));
    }

    #[test]
    fn what_is_right_stays_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let mut files = Files { dir: dir.path(), owner, files: 0, changed: 0 };
        let inode = || fs::metadata(dir.path().join("a")).map(|file| (file.ino(), file.mode() & 0o777)).unwrap();
        files.write("a", "1").unwrap();
        let first = inode();
        assert_eq!(first.1, 0o400);
        files.write("a", "1").unwrap();
        assert_eq!((inode(), files.changed), (first, 1));
        files.write("a", "2").unwrap();
        assert_ne!(inode().0, first.0);
        assert_eq!(files.keep("a", || "3".to_owned()).unwrap(), "2");
        assert_eq!(files.keep("b", || "3".to_owned()).unwrap(), "3");
    }
}
