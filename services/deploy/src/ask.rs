//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::error::{Error, Result};

/// Asks, and wants exactly `answer` back.
///
/// # Errors
/// There is no terminal to ask at, or another answer: then nothing is to be done.
pub fn confirm(question: &str, answer: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::Setting(format!("{question}; nobody can be asked here: give --yes to go on")));
    }
    eprint!("{question}. Type {answer} to go on: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == answer {
        return Ok(());
    }
    Err(Error::Setting("nothing was done".to_owned()))
}
