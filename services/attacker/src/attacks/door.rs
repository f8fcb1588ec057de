//! Attacks at the door: TLS and SASL. Each knocks at every broker, as one open door is enough.

use std::time::Duration;

use bytes::Bytes;
use storepulse_events::topics::EVENTS;
use storepulse_kafka_admin::records::{self, Message};
use storepulse_kafka_admin::tls::{Identity, client_config};
use storepulse_kafka_admin::{ConnectOptions, Connection, Credentials, Endpoint, Error, Settings, Transport};

use crate::answer::{Answer, Refusal};
use crate::world::{Show, World};

/// What an attacker that got in goes on to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    Write,
    Read,
}

/// A record that tells whose it is.
pub(super) fn marked(world: &World) -> Message {
    let marker = Bytes::copy_from_slice(world.marker.as_bytes());
    Message { key: marker.clone(), value: marker.clone(), headers: vec![("storepulse-attack".to_owned(), marker)] }
}

/// Knocks at every broker. The answer that matters is the most alarming one: being let in, then a
/// refusal unlike the others', then the common one.
async fn knock(world: &World, options: Result<ConnectOptions, Error>, aim: Aim) -> Answer {
    let options = match options {
        Ok(options) => options,
        Err(error) => return Answer::NotTried(error.to_string()),
    };
    let mut answers: Vec<Answer> = Vec::new();
    for broker in world.brokers() {
        let answer = match knock_once(world, broker, &options, aim).await {
            Ok(done) => return Answer::LetIn(format!("{broker} {done}")),
            Err(error) => Answer::from(error),
        };
        if matches!(answer, Answer::Refused(Refusal::Other(_)) | Answer::NotTried(_)) {
            return answer;
        }
        answers.push(answer);
    }
    let first = answers.first().cloned();
    let odd = answers.into_iter().find(|answer| Some(answer) != first.as_ref() && !same_kind(answer, first.as_ref()));
    odd.or(first).unwrap_or_else(|| Answer::NotTried("no brokers".to_owned()))
}

fn same_kind(a: &Answer, b: Option<&Answer>) -> bool {
    match (a, b) {
        (Answer::Refused(a), Some(Answer::Refused(b))) => std::mem::discriminant(a) == std::mem::discriminant(b),
        _ => false,
    }
}

async fn knock_once(world: &World, broker: &Endpoint, options: &ConnectOptions, aim: Aim) -> Result<String, Error> {
    let mut connection = Connection::open(broker, options).await?;
    let mut done = "let the client in".to_owned();
    // Being in is the hole; what can be done inside only shows how large it is.
    match aim {
        Aim::Write => match records::produce(&mut connection, EVENTS, 0, &marked(world)).await {
            Ok(offset) => done += &format!(", which wrote {EVENTS}-0 at offset {offset}"),
            Err(Error::ConnectionClosed { to, action }) if options.credentials.is_none() => {
                return Err(Error::ConnectionClosed { to, action });
            }
            Err(error) => done += &format!("; it could not write ({error})"),
        },
        Aim::Read => match records::fetch(&mut connection, EVENTS, 0, 0, Duration::from_millis(500)).await {
            Ok(fetched) => done += &format!(", which read {} bytes of {EVENTS}-0", fetched.batches.len()),
            Err(error) => done += &format!("; it could not read ({error})"),
        },
    }
    Ok(done)
}

pub(super) async fn rogue_certificate(world: &World, who: &Settings, aim: Aim) -> Answer {
    let (cert, key) = (world.layout.rogue_client_cert(), world.layout.rogue_client_key());
    knock(world, world.showing(who, Show::Pair(&cert, &key)), aim).await
}

pub(super) async fn no_certificate(world: &World) -> Answer {
    knock(world, world.showing(&world.simulator, Show::Nothing), Aim::Write).await
}

pub(super) async fn expired_certificate(world: &World) -> Answer {
    let (cert, key) = (world.layout.expired_client_cert(), world.layout.expired_client_key());
    knock(world, world.showing(&world.simulator, Show::Pair(&cert, &key)), Aim::Write).await
}

/// The simulator with all good papers, but trusting the rogue authority: it must refuse the brokers.
pub(super) async fn other_trust(world: &World) -> Answer {
    let options = Identity::load(&world.simulator.certificate, &world.simulator.key)
        .and_then(|identity| client_config(&world.layout.rogue_ca_cert(), Some(identity)))
        .and_then(|config| Ok(ConnectOptions { transport: Transport::Tls(config), ..world.good(&world.simulator)? }));
    knock(world, options, Aim::Write).await
}

pub(super) async fn made_up_login(world: &World, who: &Settings, aim: Aim) -> Answer {
    let user = format!("intruder-{}", world.run_id());
    let credentials = Credentials::Scram(who.mechanism, user, world.wrong_password());
    knock(world, world.claiming(who, credentials), aim).await
}

pub(super) async fn unknown_user(world: &World) -> Answer {
    let who = &world.simulator;
    // A real password, so that only the user is wrong.
    let user = format!("nobody-{}", world.run_id());
    let credentials = Credentials::Scram(who.mechanism, user, who.password.clone());
    knock(world, world.claiming(who, credentials), Aim::Write).await
}

pub(super) async fn wrong_password(world: &World) -> Answer {
    let who = &world.admin;
    let credentials = Credentials::Scram(who.mechanism, who.user.clone(), world.wrong_password());
    knock(world, world.claiming(who, credentials), Aim::Write).await
}

pub(super) async fn plain_mechanism(world: &World) -> Answer {
    let who = &world.simulator;
    let credentials = Credentials::Plain(who.user.clone(), who.password.clone());
    knock(world, world.claiming(who, credentials), Aim::Write).await
}

pub(super) async fn no_login(world: &World) -> Answer {
    let options = world.good(&world.simulator).map(|options| ConnectOptions { credentials: None, ..options });
    knock(world, options, Aim::Write).await
}

pub(super) async fn plaintext(world: &World) -> Answer {
    let options =
        world.good(&world.simulator).map(|options| ConnectOptions { transport: Transport::Plaintext, ..options });
    knock(world, options, Aim::Write).await
}
