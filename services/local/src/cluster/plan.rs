//! What a new cluster is to consist of, and on which ports.

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::env_files;
use crate::error::{Error, Result};
use crate::firestore;
use crate::paths::Paths;
use crate::ports::{Ports, is_free, owner_of};
use crate::state::{Node, Store};

/// How many Kafka nodes.
const NODES: u32 = 3;
/// Ports are 19092, 19094, 19096 for clients of the default cluster, the odd ones for brokers, and these for controllers.
const FIRST_CLIENT_PORT: u16 = 19092;
const FIRST_CONTROLLER_PORT: u16 = 19192;
const FIRESTORE_PORT: u16 = 18080;
/// Where the services answer HTTP.
const HTTP_PORTS: [(&str, u16); 4] =
    [("simulator", 9101), ("analytics", 9102), ("dashboard", 9103), (env_files::PAGE, 8800)];

/// Where documents are to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// The Firestore emulator where there is one, else SQLite.
    #[default]
    Auto,
    /// The Firestore emulator, or fail.
    Firestore,
    /// SQLite.
    Sqlite,
}

/// How long a killed node may take to let go of its ports: the system first takes back a gigabyte of memory.
const LETS_GO: Duration = Duration::from_secs(10);

/// A node's ports are fixed once chosen; while it was away someone may have taken one.
pub(super) async fn check_ports(node: &Node) -> Result<()> {
    let patience = Instant::now() + LETS_GO;
    for port in [node.client_port, node.internal_port, node.controller_port] {
        while !is_free(port) && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if !is_free(port) {
            let owner = owner_of(port).unwrap_or_else(|| "another program".to_owned());
            return Err(Error::Process {
                name: format!("Kafka node {}", node.id),
                what: "can't be started".to_owned(),
                cause: format!(
                    "its port {port} is used by {owner}. Stop that, or bring the cluster down and up again: it will use another"
                ),
            });
        }
    }
    Ok(())
}

pub(super) fn choose_nodes(paths: &Paths, ports: &mut Ports) -> Result<Vec<Node>> {
    let preferred = |port: u16| paths.is_default().then_some(port);
    (0..NODES)
        .map(|index| {
            let id = index + 1;
            let step = u16::try_from(index).unwrap_or_default();
            let client = FIRST_CLIENT_PORT + 2 * step;
            Ok(Node {
                id,
                client_port: ports.choose(&format!("clients of Kafka node {id}"), preferred(client))?,
                internal_port: ports.choose(&format!("brokers at Kafka node {id}"), preferred(client + 1))?,
                controller_port: ports
                    .choose(&format!("controllers at Kafka node {id}"), preferred(FIRST_CONTROLLER_PORT + step))?,
                process: None,
            })
        })
        .collect()
}

pub(super) fn choose_store(paths: &Paths, choice: StoreChoice, ports: &mut Ports, context: &Context) -> Result<Store> {
    let sqlite = || Store::Sqlite { path: paths.sqlite() };
    if choice == StoreChoice::Sqlite {
        return Ok(sqlite());
    }
    match firestore::find_jar()? {
        Some(jar) => {
            let port = ports.choose("the Firestore emulator", paths.is_default().then_some(FIRESTORE_PORT))?;
            Ok(Store::Firestore { jar, port, process: None })
        }
        None if choice == StoreChoice::Firestore => Err(Error::Missing {
            program: "the Firestore emulator".to_owned(),
            reason: "its jar is not under any Google Cloud SDK found here".to_owned(),
            advice: "Install the package google-cloud-cli-firestore-emulator, or set FIRESTORE_EMULATOR_JAR".to_owned(),
        }),
        None => {
            context
                .progress
                .note("no Firestore emulator found: documents go to SQLite instead, same documents, same exactness");
            Ok(sqlite())
        }
    }
}

/// Where the services are to answer HTTP, by service.
pub(super) fn choose_http_ports(paths: &Paths, ports: &mut Ports) -> Result<Vec<(String, u16)>> {
    HTTP_PORTS
        .iter()
        .map(|(service, port)| {
            let what =
                if *service == env_files::PAGE { "the dashboard".to_owned() } else { format!("{service}'s metrics") };
            let port = ports.choose(&what, paths.is_default().then_some(*port))?;
            Ok(((*service).to_owned(), port))
        })
        .collect()
}
