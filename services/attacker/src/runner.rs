//! The whole matrix.

use std::time::Instant;

use crate::answer::{Answer, Verdict};
use crate::attacks::{self, Attack};
use crate::controls::{Control, Failure};
use crate::error::Result;
use crate::evidence::{Auditor, Ends};
use crate::report::{Line, Report};
use crate::world::{Config, World};

/// Runs the controls, every attack, the search for traces, and the controls again. `progress` sees
/// each line as it is known.
///
/// # Errors
/// The attackers can't start: their papers are missing. A cluster that can't be reached is not an
/// error but a report in which nothing is proven.
pub async fn run(config: &Config, mut progress: impl FnMut(&Line)) -> Result<Report> {
    let world = World::load(config)?;
    let mut lines: Vec<Line> = Vec::new();
    let mut add = |line: Line| {
        progress(&line);
        lines.push(line);
    };

    for control in Control::ALL {
        let line = control_line(control, "before", &world).await;
        let unreachable = line.verdict == Verdict::Unproven;
        add(line);
        if unreachable {
            return Ok(Report::conclude(lines));
        }
    }
    let before = ends(&world).await;
    for attack in Attack::ALL.iter().filter(|attack| !config.without.contains(attack)) {
        add(attack_line(*attack, &world).await);
    }
    add(traces_line(&world, before).await);
    add(loot_line(&world).await);
    for control in Control::ALL {
        add(control_line(control, "after", &world).await);
    }
    Ok(Report::conclude(lines))
}

/// Carries out one attack and judges it.
pub(crate) async fn attack_line(attack: Attack, world: &World) -> Line {
    let started = Instant::now();
    let answer = attack.attempt(world).await;
    line("attack", attack.id(), attack.tried(), &attack.expected().to_string())
        .with(Verdict::of_attack(&answer, attack.expected()), answer.to_string())
        .timed(started.elapsed())
}

/// Carries out one control and judges it.
pub(crate) async fn control_line(control: Control, when: &str, world: &World) -> Line {
    let started = Instant::now();
    let (verdict, text) = match control.attempt(world).await {
        Ok(seen) => (Verdict::Held, seen),
        Err(failure) => {
            let verdict = match failure {
                Failure::Unreachable(_) => Verdict::Unproven,
                Failure::LockedOut(_) => Verdict::WrongReason,
                Failure::TooOpen(_) => Verdict::Hole,
            };
            (verdict, failure.text().to_owned())
        }
    };
    let mut line = line("control", control.id(), control.tried(), "let in").with(verdict, text);
    if !when.is_empty() {
        line.name += &format!(" ({when})");
    }
    line.timed(started.elapsed())
}

async fn ends(world: &World) -> Result<Ends, storepulse_kafka_admin::Error> {
    Auditor::new(world)?.ends().await
}

async fn traces_line(world: &World, before: Result<Ends, storepulse_kafka_admin::Error>) -> Line {
    let started = Instant::now();
    let search = async { Auditor::new(world)?.search(&before?).await };
    let (verdict, text) = match search.await {
        Ok(found) if found.marked.is_empty() => {
            let others = match found.written {
                0 => "the topics are as they were".to_owned(),
                n => format!("of {n} records written meanwhile none is an attacker's"),
            };
            (Verdict::Held, others)
        }
        Ok(found) => (Verdict::Hole, format!("attackers' records are in {}", found.marked.join(", "))),
        Err(error) => (Verdict::Unproven, error.to_string()),
    };
    line("evidence", "no-traces", "find a record of an attacker in any topic, as the auditor", "none")
        .with(verdict, text)
        .timed(started.elapsed())
}

async fn loot_line(world: &World) -> Line {
    let started = Instant::now();
    let (verdict, text) = match attacks::clean_up(world).await {
        Ok(found) if found.is_empty() => (Verdict::Held, "nothing was made".to_owned()),
        Ok(found) => {
            let removed = if world.observer { "remove it" } else { "now removed" };
            (Verdict::Hole, format!("attackers made ({removed}): {}", found.join(", ")))
        }
        Err(error) => (Verdict::Unproven, Answer::from(error).to_string()),
    };
    line("evidence", "no-loot", "find a topic, user or permission an attacker made, as the admin", "none")
        .with(verdict, text)
        .timed(started.elapsed())
}

struct Blank(Line);

fn line(kind: &'static str, name: &str, tried: &str, expected: &str) -> Blank {
    Blank(Line {
        kind,
        name: name.to_owned(),
        tried: tried.to_owned(),
        answered: String::new(),
        expected: expected.to_owned(),
        verdict: Verdict::Unproven,
        milliseconds: 0,
    })
}

impl Blank {
    fn with(self, verdict: Verdict, answered: String) -> Line {
        Line { verdict, answered, ..self.0 }
    }
}
