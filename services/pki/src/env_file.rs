//! The `.env` file: `KEY=VALUE` lines, some of them ours.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::Result;
use crate::files;

/// A file of `KEY=VALUE` lines. Lines it doesn't know (comments, other variables) are kept as
/// they are, in their order.
pub struct EnvFile {
    path: PathBuf,
    lines: Vec<Zeroizing<String>>,
    existed: bool,
}

impl EnvFile {
    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    /// The file exists and can't be read as UTF-8 text.
    pub fn load(path: &Path) -> Result<Self> {
        let text = files::read(path, "repair it or move it away")?;
        let existed = text.is_some();
        let text = Zeroizing::new(text.unwrap_or_default());
        let lines = text.lines().map(|line| Zeroizing::new(line.to_owned())).collect();
        Ok(Self { path: path.to_path_buf(), lines, existed })
    }

    /// Whether the file was there.
    pub fn existed(&self) -> bool {
        self.existed
    }

    /// A variable's value, without surrounding quotes; the last line of that name counts, as in a
    /// shell. Empty values are no values.
    pub fn get(&self, key: &str) -> Option<&str> {
        let line = self.lines.iter().rev().find(|line| key_of(line) == Some(key))?;
        let (_, value) = line.split_once('=')?;
        let value = value.trim();
        let bare =
            ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
        (!bare.is_empty()).then_some(bare)
    }

    /// Sets a variable in place, or adds it at the end.
    pub fn set(&mut self, key: &str, value: &str) {
        let line = Zeroizing::new(format!("{key}={value}"));
        let mut places = self.lines.iter_mut().filter(|line| key_of(line) == Some(key));
        match places.next_back() {
            Some(place) => *place = line,
            None => self.lines.push(line),
        }
    }

    /// Adds a comment line at the end, e.g. above new variables.
    pub fn comment(&mut self, text: &str) {
        self.lines.push(Zeroizing::new(format!("# {text}")));
    }

    /// Writes the file in one step with mode 0600.
    ///
    /// # Errors
    /// The system refuses to write it.
    pub fn save(&self) -> Result<()> {
        let mut text = Zeroizing::new(String::new());
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        files::replace(&self.path, &text, files::PRIVATE)
    }
}

/// Shows names, never values.
impl std::fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<_> = self.lines.iter().filter_map(|line| key_of(line)).collect();
        f.debug_struct("EnvFile").field("path", &self.path).field("keys", &keys).finish()
    }
}

fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if line.starts_with('#') {
        return None;
    }
    let (key, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    Some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> EnvFile {
        let lines = text.lines().map(|line| Zeroizing::new(line.to_owned())).collect();
        EnvFile { path: PathBuf::from("x"), lines, existed: true }
    }

    #[test]
    fn reads_values_as_a_shell_would() {
        let file = of("A=1\n# A=2\nexport B = \"two words\"\nC=\nA=3\nD='x=y'\nnonsense");
        assert_eq!(file.get("A"), Some("3"));
        assert_eq!(file.get("B"), Some("two words"));
        assert_eq!(file.get("C"), None);
        assert_eq!(file.get("D"), Some("x=y"));
        assert_eq!(file.get("E"), None);
    }

    #[test]
    fn sets_in_place_and_keeps_the_rest() {
        let mut file = of("# mine\nA=1\nB=2");
        file.set("A", "9");
        file.set("N", "7");
        let text: Vec<_> = file.lines.iter().map(|line| line.as_str()).collect();
        assert_eq!(text, ["# mine", "A=9", "B=2", "N=7"]);
    }

    #[test]
    fn debug_output_hides_values() {
        assert!(!format!("{:?}", of("SECRET=hunter2")).contains("hunter2"));
    }
}
