//! Shows the view where it belongs.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::view::View;

/// How often a line is printed where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Standard output, as a terminal redrawn in place or as a stream of lines.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    drawn: usize,
    last_line: Option<Instant>,
}

impl Screen {
    pub(super) fn stdout() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal: std::io::stdout().is_terminal() && !dumb, drawn: 0, last_line: None }
    }

    /// Shows the present state: at once on a terminal, every few seconds elsewhere.
    pub(super) fn show(&mut self, view: &View) {
        if !self.terminal {
            if self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
                self.last_line = Some(Instant::now());
                self.print(&format!("{}\n", view.line()));
            }
            return;
        }
        let lines = view.table();
        let mut out = self.erase();
        // A wrapped line would take two, and the table could not be found again: no wrapping meanwhile.
        out.push_str("\x1b[?7l");
        for line in &lines {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str("\x1b[?7h");
        self.drawn = lines.len();
        self.print(&out);
    }

    /// Shows the last state, whatever the time, and leaves it standing.
    pub(super) fn finish(&mut self, view: &View) {
        self.last_line = None;
        self.show(view);
        self.drawn = 0;
    }

    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}F\x1b[J"),
        }
    }

    fn print(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        // A reader that went away is no reason to fail.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}
