//! What reports write: pages that keep the words around a report, and numbers for people.

/// The page `before` with `part` between the lines `begin` and `end`, in place of what was there. `None` when it has no
/// such lines.
pub fn replaced(before: &str, begin: &str, end: &str, part: &str) -> Option<String> {
    let (head, rest) = before.split_once(begin)?;
    let (_, tail) = rest.split_once(end)?;
    Some(format!("{head}{}{tail}", between(begin, end, part)))
}

/// `part` between the lines `begin` and `end`, as [`replaced`] looks for them.
pub fn between(begin: &str, end: &str, part: &str) -> String {
    format!("{begin}\n\n{}\n\n{end}", part.trim())
}

/// A number with commas between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_what_is_around_a_report() {
        let page = replaced("# Title\n\n<b>\nold\n<e>\n\nmore\n", "<b>", "<e>", "new\n");
        assert_eq!(page.as_deref(), Some("# Title\n\n<b>\n\nnew\n\n<e>\n\nmore\n"));
        assert_eq!(replaced("# Title\n<b> only\n", "<b>", "<e>", "new"), None);
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 999, 1000, 12_345, 1_234_567].map(thousands);
        assert_eq!(numbers, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
