//! Prints the JSON Schema of the wire format.

fn main() -> std::process::ExitCode {
    use std::io::Write;
    let schema = format!("{:#}\n", storepulse_events::schema::event_schema());
    match std::io::stdout().write_all(schema.as_bytes()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(_) => std::process::ExitCode::FAILURE,
    }
}
