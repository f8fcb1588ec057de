//! The part of `docs/benchmarks.md` that a run writes; what stands around it is written by hand and kept.

use std::fmt::Write as _;

use super::report::{Report, number};
use crate::page::{between, replaced};

const BEGIN: &str = "<!-- Written by `make bench`: do not edit from here … -->";
const END: &str = "<!-- … to here. -->";

/// The page `before` with this report in place of the former one; a new page when there is none.
pub fn page(before: Option<&str>, report: &Report) -> String {
    let part = part(report);
    let page = before.and_then(|before| replaced(before, BEGIN, END, &part));
    page.unwrap_or_else(|| format!("# Benchmarks\n\n{}\n", between(BEGIN, END, &part)))
}

fn part(report: &Report) -> String {
    let mut text = format!(
        "Measured {} on {}. Build profile: `{}`. Wall time of the run: {:.0} min.\n\n\
         ![each figure as a multiple of what it should reach](benchmarks.svg)\n\n\
         | what | measured | bound | ratio | reach | met? |\n|---|---|---|---|---|---|\n",
        report.started_at,
        report.machine,
        report.profile,
        (report.seconds / 60.0).max(1.0)
    );
    // Writing to a string does not fail.
    for row in &report.rows {
        let _ = writeln!(text, "| **{}** | | | | | |", row.what);
        for line in &row.lines {
            let bound = match line.bound {
                Some(bound) => format!("{}: {}", line.bound_is, number(bound)),
                None => String::new(),
            };
            let ratio = line.ratio().map_or_else(String::new, |ratio| format!("{} ×", number(ratio)));
            let verdict = if line.verdict() == "short" { "**short**" } else { line.verdict() };
            let _ = writeln!(
                text,
                "| {} | {} {} | {bound} | {ratio} | {} | {verdict} |",
                line.what,
                number(line.measured),
                line.unit,
                line.reach(),
            );
        }
    }
    text.push_str(
        "\nCPU seconds for each million events:\n\n| of | user | system | total | brokers |\n|---|---|---|---|---|\n",
    );
    for cost in report.rows.iter().flat_map(|row| &row.costs) {
        let brokers = cost.brokers.map_or_else(String::new, |cpu| format!("{:.2}", cpu.total()));
        let (user, system, total) = (cost.program.user, cost.program.system, cost.program.total());
        let _ = writeln!(text, "| {} | {user:.2} | {system:.2} | {total:.2} | {brokers} |", cost.of);
    }
    for row in report.rows.iter().filter(|row| !row.notes.is_empty()) {
        let _ = write!(text, "\n**{}.** {}\n", row.what, row.notes.join(" "));
    }
    for failure in &report.failures {
        let _ = write!(text, "\n**Not measured:** {failure}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::{Line, Reach, Row};
    use super::*;

    #[test]
    fn only_the_part_of_the_last_run_is_replaced() {
        let row = |what| Row {
            id: "x",
            what,
            lines: vec![Line::new("it", 1.0, "s", Reach::AtLeast(2.0))],
            costs: Vec::new(),
            notes: vec!["A note.".to_owned()],
        };
        let report = |what| Report { rows: vec![row(what)], ..Report::new() };
        let first = page(None, &report("first"));
        assert!(first.contains("first") && first.contains("**short**") && first.contains("A note."), "{first}");
        let by_hand = first.replace("# Benchmarks\n", "# Speed\n\nBy hand.\n") + "\nAlso by hand.\n";
        let second = page(Some(&by_hand), &report("second"));
        assert!(second.starts_with("# Speed\n\nBy hand.\n") && second.ends_with("\nAlso by hand.\n"), "{second}");
        assert!(second.contains("second") && !second.contains("first"), "{second}");
    }
}
