//! The machine that measured.

use std::process::Command;

use serde::Serialize;

/// What figures depend on. What can't be found out is "unknown".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor.
    pub processor: String,
    /// How many cores this program may use.
    pub cores: usize,
    /// Memory, in GiB.
    pub memory_gib: u64,
    /// Whether a hypervisor runs it.
    pub is_virtual: bool,
    /// The operating system and its kernel.
    pub system: String,
    /// The compiler.
    pub rust: String,
    /// The virtual machine of brokers and emulator.
    pub java: String,
}

impl Machine {
    /// Looks at this machine.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let memory = value(&read("/proc/meminfo"), "MemTotal", ':').and_then(|kib| kib.split(' ').next()?.parse().ok());
        let kernel = read("/proc/sys/kernel/osrelease");
        let name = value(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_else(unknown);
        Self {
            processor: value(&cpu, "model name", ':').unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: memory.map_or(0, |kib: u64| (kib + (1 << 19)) >> 20),
            is_virtual: value(&cpu, "flags", ':')
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            system: format!("{}, Linux {}", name.trim_matches('"'), kernel.trim()),
            rust: first_line("rustc", "--version"),
            java: first_line("java", "-version"),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_gib, system, rust, java, .. } = self;
        let kind = if self.is_virtual { "virtual cores" } else { "cores" };
        write!(f, "{cores} {kind} ({processor}), {memory_gib} GiB; {system}; {rust}; {java}")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value of the first line that begins with a name.
fn value(text: &str, name: &str, separator: char) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(separator)?.1.trim().to_owned())
}

/// The first line that a program says when asked for its version; Java says it on standard error.
fn first_line(program: &str, flag: &str) -> String {
    let Ok(output) = Command::new(program).arg(flag).output() else { return unknown() };
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&said).lines().next().map_or_else(unknown, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_and_memory() {
        let machine = Machine::here();
        assert!(machine.cores > 0 && machine.memory_gib > 0, "{machine:?}");
        assert!(machine.to_string().contains("GiB"), "{machine}");
        assert_eq!(value("a\t: 1\nb : 2\n", "b", ':').as_deref(), Some("2"));
    }
}
