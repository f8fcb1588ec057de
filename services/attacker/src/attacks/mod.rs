//! The attacks: what each tries, what must be answered, and how it is carried out.

mod door;
mod house;
mod impostor;
mod old_tls;
pub(crate) mod with_librdkafka;

use kafka_protocol::ResponseError as Code;
use rustls::AlertDescription as Alert;

use crate::answer::{Answer, Expected};
use crate::world::World;

macro_rules! attacks {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $tried:literal, $expected:expr;)*) => {
        /// One attack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Attack {
            $($(#[$doc])* $name,)*
        }

        impl Attack {
            /// Every attack, in the order they are run.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its short name.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What it tries.
            pub fn tried(self) -> &'static str {
                match self { $(Self::$name => $tried,)* }
            }

            pub(crate) fn expected(self) -> Expected {
                match self { $(Self::$name => $expected,)* }
            }
        }
    };
}

/// The JDK reports a chain it can't build as `certificate_unknown`; RFC 8446 would also allow the others.
const UNTRUSTED: Expected =
    Expected::Alert(&[Alert::CertificateUnknown, Alert::UnknownCA, Alert::BadCertificate, Alert::DecryptError]);
const EXPIRED: Expected = Expected::Alert(&[Alert::CertificateExpired, Alert::CertificateUnknown]);
/// The JDK says `bad_certificate` to an empty chain in TLS 1.3 where RFC 8446 has `certificate_required`.
const ABSENT: Expected = Expected::Alert(&[Alert::CertificateRequired, Alert::BadCertificate]);
const TOPIC: Expected = Expected::Code(&[Code::TopicAuthorizationFailed]);
const GROUP: Expected = Expected::Code(&[Code::GroupAuthorizationFailed]);
const CLUSTER: Expected = Expected::Code(&[Code::ClusterAuthorizationFailed]);
const RD_CERTIFICATE: Expected =
    Expected::Librdkafka(&["alert certificate unknown", "alert unknown ca", "alert bad certificate"]);
const RD_LOGIN: Expected = Expected::Librdkafka(&["invalid credentials"]);

attacks! {
    /// A certificate of the rogue authority, the simulator's password, to write.
    ProducerBadCert = "producer-bad-cert",
        "produce with the simulator's password and a certificate from a rogue CA of the same name", UNTRUSTED;
    /// The same through librdkafka.
    ProducerBadCertLibrdkafka = "producer-bad-cert-librdkafka",
        "produce with librdkafka, the simulator's password and a certificate from a rogue CA of the same name", RD_CERTIFICATE;
    /// A certificate of the rogue authority, analytics' password, to read.
    ConsumerBadCert = "consumer-bad-cert",
        "consume with analytics' password and a certificate from a rogue CA of the same name", UNTRUSTED;
    /// The same through librdkafka.
    ConsumerBadCertLibrdkafka = "consumer-bad-cert-librdkafka",
        "consume with librdkafka, analytics' password and a certificate from a rogue CA of the same name", RD_CERTIFICATE;
    /// The simulator's certificate, a made-up user and password, to write.
    ProducerBadCredentials = "producer-bad-credentials",
        "produce with the simulator's certificate and made-up credentials", Expected::Sasl;
    /// The same through librdkafka.
    ProducerBadCredentialsLibrdkafka = "producer-bad-credentials-librdkafka",
        "produce with librdkafka, the simulator's certificate and made-up credentials", RD_LOGIN;
    /// Analytics' certificate, made-up credentials, to read.
    ConsumerBadCredentials = "consumer-bad-credentials",
        "consume with analytics' certificate and made-up credentials", Expected::Sasl;
    /// The same through librdkafka.
    ConsumerBadCredentialsLibrdkafka = "consumer-bad-credentials-librdkafka",
        "consume with librdkafka, analytics' certificate and made-up credentials", RD_LOGIN;
    /// No certificate, a good password.
    NoCertificate = "no-certificate",
        "connect with the simulator's password and no certificate", ABSENT;
    /// An expired certificate of the real authority.
    ExpiredCertificate = "expired-certificate",
        "connect with the simulator's password and a certificate of the real CA that expired yesterday", EXPIRED;
    /// A man in the middle with a good certificate for another host, against this project's client.
    WrongHost = "wrong-host",
        "pose as a broker with a certificate of the real CA for another host",
        Expected::ByClient(&["not valid for name", "notvalidforname"]);
    /// The same against librdkafka.
    WrongHostLibrdkafka = "wrong-host-librdkafka",
        "pose as a broker in the same way to a librdkafka client (which accepts it when host names are not verified)", Expected::Librdkafka(&["certificate verify failed", "hostname mismatch"]);
    /// A client that trusts another authority must not talk to the brokers.
    OtherTrust = "other-trust",
        "get a client that trusts another CA of the same name to talk to the brokers",
        Expected::ByClient(&["invalid peer certificate"]);
    /// A user that doesn't exist.
    UnknownUser = "unknown-user",
        "log in as a user that does not exist, with a good certificate", Expected::Sasl;
    /// The right user, a wrong password.
    WrongPassword = "wrong-password",
        "log in as the admin with a wrong password and the admin's certificate", Expected::Sasl;
    /// Kafka's protocol in the clear.
    Plaintext = "plaintext",
        "speak Kafka's protocol without TLS", Expected::Disconnect;
    /// TLS 1.1.
    OldTls = "tls-1.1",
        "offer nothing newer than TLS 1.1 (seen on the wire), with a good certificate that TLS 1.2 gets in with",
        Expected::Alert(&[Alert::ProtocolVersion, Alert::HandshakeFailure]);
    /// SASL/PLAIN.
    PlainMechanism = "plain-mechanism",
        "log in with SASL/PLAIN and the simulator's good password", Expected::Mechanism;
    /// No SASL at all.
    NoLogin = "no-login",
        "produce with a good certificate and without logging in", Expected::Disconnect;
    /// The simulator reads.
    SimulatorReads = "simulator-reads",
        "read the events as the simulator", TOPIC;
    /// Analytics writes events.
    AnalyticsWrites = "analytics-writes",
        "write an event as analytics", TOPIC;
    /// The simulator joins analytics' group.
    ForeignGroup = "foreign-group",
        "join analytics' consumer group as the simulator", GROUP;
    /// Analytics joins a group outside its prefix.
    OtherGroup = "other-group",
        "join a consumer group that is not analytics' own, as analytics", GROUP;
    /// The simulator writes deltas.
    OtherTopic = "other-topic",
        "write to analytics' topic of deltas as the simulator", TOPIC;
    /// The auditor writes.
    AuditorWrites = "auditor-writes",
        "write an event as the auditor", TOPIC;
    /// The simulator makes a topic.
    CreateTopic = "create-topic",
        "make a topic as the simulator", Expected::Code(&[Code::TopicAuthorizationFailed, Code::ClusterAuthorizationFailed]);
    /// The simulator gives itself rights.
    CreateAcl = "create-acl",
        "give itself a permission as the simulator", CLUSTER;
    /// Analytics lists the SCRAM users.
    DescribeUsers = "describe-users",
        "list the users as analytics", CLUSTER;
    /// Analytics sets the admin's password.
    TakeOverUser = "take-over-user",
        "make a user as analytics", CLUSTER;
}

impl Attack {
    /// The attack of a short name.
    ///
    /// # Errors
    /// There is none of that name; says which there are.
    pub fn from_id(id: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|attack| attack.id() == id);
        found.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|attack| attack.id()).collect();
            format!("there is no such attack: allowed is {}", all.join(", "))
        })
    }

    /// Carries it out.
    pub(crate) async fn attempt(self, world: &World) -> Answer {
        use with_librdkafka as rd;
        match self {
            Self::ProducerBadCert => door::rogue_certificate(world, &world.simulator, door::Aim::Write).await,
            Self::ConsumerBadCert => door::rogue_certificate(world, &world.analytics, door::Aim::Read).await,
            Self::ProducerBadCredentials => door::made_up_login(world, &world.simulator, door::Aim::Write).await,
            Self::ConsumerBadCredentials => door::made_up_login(world, &world.analytics, door::Aim::Read).await,
            Self::NoCertificate => door::no_certificate(world).await,
            Self::ExpiredCertificate => door::expired_certificate(world).await,
            Self::OtherTrust => door::other_trust(world).await,
            Self::UnknownUser => door::unknown_user(world).await,
            Self::WrongPassword => door::wrong_password(world).await,
            Self::Plaintext => door::plaintext(world).await,
            Self::PlainMechanism => door::plain_mechanism(world).await,
            Self::NoLogin => door::no_login(world).await,
            Self::OldTls => old_tls::attempt(world).await,
            Self::WrongHost => impostor::against_rustls(world).await,
            Self::WrongHostLibrdkafka => impostor::against_librdkafka(world).await,
            Self::ProducerBadCertLibrdkafka => rd::produce(world, rd::Papers::rogue(world, &world.simulator)).await,
            Self::ConsumerBadCertLibrdkafka => rd::consume(world, rd::Papers::rogue(world, &world.analytics)).await,
            Self::ProducerBadCredentialsLibrdkafka => {
                rd::produce(world, rd::Papers::made_up(world, &world.simulator)).await
            }
            Self::ConsumerBadCredentialsLibrdkafka => {
                rd::consume(world, rd::Papers::made_up(world, &world.analytics)).await
            }
            Self::SimulatorReads => house::simulator_reads(world).await,
            Self::AnalyticsWrites => house::analytics_writes(world).await,
            Self::AuditorWrites => house::auditor_writes(world).await,
            Self::OtherTopic => house::other_topic(world).await,
            Self::ForeignGroup => house::foreign_group(world).await,
            Self::OtherGroup => house::other_group(world).await,
            Self::CreateTopic => house::create_topic(world).await,
            Self::CreateAcl => house::create_acl(world).await,
            Self::DescribeUsers => house::describe_users(world).await,
            Self::TakeOverUser => house::take_over_user(world).await,
        }
    }
}

pub(crate) use house::clean_up;
