//! Says what is going on: lines that update themselves on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a terminal is redrawn.
const FRAME: Duration = Duration::from_millis(120);
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A display of steps, on standard error. Clones share it.
#[derive(Debug, Clone)]
pub struct Progress {
    inner: Arc<Mutex<Display>>,
}

#[derive(Debug)]
struct Display {
    style: Style,
    running: Vec<Running>,
    next_id: u64,
    drawn_lines: usize,
    frame: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Hidden,
    Plain,
    Terminal,
}

#[derive(Debug)]
struct Running {
    id: u64,
    what: String,
    since: Instant,
}

/// A step under way. Dropped without [`Step::done`], it counts as given up and disappears.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    id: u64,
}

impl Progress {
    /// Shows steps on standard error, in the way that suits it.
    pub fn stderr() -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let progress = Self::new(if terminal { Style::Terminal } else { Style::Plain });
        if terminal {
            let display = Arc::downgrade(&progress.inner);
            std::thread::spawn(move || {
                while let Some(display) = display.upgrade() {
                    lock(&display).draw();
                    drop(display);
                    std::thread::sleep(FRAME);
                }
            });
        }
        progress
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self::new(Style::Hidden)
    }

    fn new(style: Style) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Display { style, running: Vec::new(), next_id: 0, drawn_lines: 0, frame: 0 })),
        }
    }

    /// Begins a step.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let mut display = lock(&self.inner);
        let id = display.next_id;
        display.next_id += 1;
        display.running.push(Running { id, what: what.into(), since: Instant::now() });
        display.draw();
        Step { progress: self.clone(), id }
    }

    /// Says something once.
    pub fn note(&self, text: &str) {
        lock(&self.inner).print(&format!("  · {text}"));
    }
}

impl Step {
    /// The step succeeded; `detail` says with what, or is empty.
    pub fn done(self, detail: &str) {
        let mut display = lock(&self.progress.inner);
        if let Some(running) = display.remove(self.id) {
            let separator = if detail.is_empty() { "" } else { ": " };
            let seconds = running.since.elapsed().as_secs_f64();
            display.print(&format!("  ✓ {}{separator}{detail} ({seconds:.1} s)", running.what));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut display = lock(&self.progress.inner);
        if display.remove(self.id).is_some() {
            display.draw();
        }
    }
}

impl Display {
    fn remove(&mut self, id: u64) -> Option<Running> {
        let index = self.running.iter().position(|running| running.id == id)?;
        Some(self.running.remove(index))
    }

    /// Prints a line that stays, above those that change.
    fn print(&mut self, line: &str) {
        match self.style {
            Style::Hidden => {}
            Style::Plain => eprintln!("{line}"),
            Style::Terminal => {
                let mut out = self.erase();
                out.push_str(line);
                out.push('\n');
                self.show(out);
            }
        }
    }

    fn draw(&mut self) {
        if self.style == Style::Terminal && (self.drawn_lines > 0 || !self.running.is_empty()) {
            let out = self.erase();
            self.frame += 1;
            self.show(out);
        }
    }

    /// Moves up over the changing lines and clears them.
    fn erase(&mut self) -> String {
        let lines = std::mem::take(&mut self.drawn_lines);
        if lines == 0 {
            return String::new();
        }
        format!("\x1b[{lines}F\x1b[J")
    }

    fn show(&mut self, mut out: String) {
        let spinner = SPINNER[self.frame % SPINNER.len()];
        for running in &self.running {
            let seconds = running.since.elapsed().as_secs();
            out.push_str(&format!("  {spinner} {} … {seconds} s\n", running.what));
        }
        self.drawn_lines = self.running.len();
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away is no reason to fail.
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }
}

fn lock(display: &Mutex<Display>) -> MutexGuard<'_, Display> {
    display.lock().unwrap_or_else(PoisonError::into_inner)
}
