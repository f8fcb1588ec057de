//! `producer-bad-credentials`: one attacker; see `storepulse-attacker` for all of them.

fn main() -> std::process::ExitCode {
    storepulse_attacker::named_main(storepulse_attacker::Named::ProducerBadCredentials)
}
