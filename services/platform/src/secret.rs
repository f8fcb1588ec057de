//! Text that can't be printed.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

/// A password: shown as `***` by `Debug`, without `Display`, and wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Hand it to the library that needs it and to nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Reads a secret from the variable `name`, or from the file that `name_FILE` names (one trailing line break is cut).
    ///
    /// # Errors
    ///
    /// Says which variable or file is missing, unreadable, empty or given twice; never its content.
    pub fn from_env(name: &str) -> Result<Self, String> {
        let file_variable = format!("{name}_FILE");
        let set = |variable: &str| std::env::var(variable).ok().filter(|v| !v.is_empty());
        match (set(name), set(&file_variable)) {
            (Some(_), Some(_)) => Err(format!("{name} and {file_variable} are both set; set one")),
            (Some(value), None) => Ok(Self::new(value)),
            (None, Some(path)) => Self::from_file(Path::new(&path)).map_err(|e| format!("{file_variable}: {e}")),
            (None, None) => Err(format!("{name} is not set; set it, or {file_variable} to a file that holds it")),
        }
    }

    fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let text = Zeroizing::new(text);
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(Self::new(secret)) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn a_file_loses_one_line_break_and_must_not_be_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "a b\n").unwrap();
        assert_eq!(Secret::from_file(&path).unwrap().expose(), "a b");
        std::fs::write(&path, "\n").unwrap();
        assert!(Secret::from_file(&path).unwrap_err().contains("is empty"));
        assert!(Secret::from_file(&dir.path().join("none")).unwrap_err().contains("cannot read"));
    }
}
