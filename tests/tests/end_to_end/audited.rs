//! The audit itself.

use anyhow::{Context as _, ensure};
use storepulse_analytics::store::{Fields, Guard, Stored, Value, Version, Write};
use storepulse_tests::{Difference, Pipeline};

/// A document that nothing has happened to.
const ADDED: &str = "statistics/1998-12-31";

pub fn the_audit_finds_what_is_wrong_and_names_it(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let run = pipeline.simulate(&["--rate=4000", "--events=4000", "--seed=8"])?;
    pipeline.finish(run)?;
    pipeline.expect_exact(None)?;

    let store = pipeline.store()?;
    let all = pipeline.wait(async { store.scan("statistics").await })?;
    let path_of = |collection: &str| {
        let path = all.iter().map(|(path, _)| path.as_str()).find(|path| {
            path.starts_with(collection) && path.ends_with("/statistics/lifetime") && path.matches('/').count() == 3
        });
        path.map(str::to_owned).with_context(|| format!("there is no document of {collection}"))
    };
    let (altered, deleted) = (path_of("countries/")?, path_of("products/")?);
    let (right, gone) = (read(pipeline, &altered)?, read(pipeline, &deleted)?);

    // One counter by one.
    let mut wrong = right.fields.clone();
    let Some(Value::Integer(count)) = wrong.get("started_sessions_count").cloned() else {
        anyhow::bail!("{altered} has no started_sessions_count");
    };
    wrong.set("started_sessions_count", Value::Integer(count + 1));
    let versions = commit(pipeline, &altered, wrong, Guard::Version(right.version))?;
    pipeline.ask_firestore("DELETE", &deleted)?;
    commit(pipeline, ADDED, right.fields.clone(), Guard::Absent)?;

    let (ended, audit) = pipeline.audit(None)?;
    ended.expect_code(1)?;
    ensure!(ended.stderr.contains("3 differences"), "{}", ended.stderr);
    let difference = |subject: String, expected: &str, found: &str| Difference {
        subject,
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    let mut expected = vec![
        difference(format!("{altered} started_sessions_count"), &count.to_string(), &(count + 1).to_string()),
        difference(deleted.clone(), "a document", "none"),
        difference(ADDED.to_owned(), "no document", "one"),
    ];
    let mut found = audit.differences;
    expected.sort();
    found.sort();
    ensure!(found == expected, "{found:#?} instead of {expected:#?}");

    let version = *versions.first().context("no version")?;
    commit(pipeline, &altered, right.fields, Guard::Version(version))?;
    commit(pipeline, &deleted, gone.fields, Guard::Absent)?;
    pipeline.ask_firestore("DELETE", ADDED)?;
    pipeline.expect_exact(None)?;

    // Analytics knew these documents in other versions; it finds out, and goes on.
    let run = pipeline.simulate(&["--rate=4000", "--events=4000", "--seed=88"])?;
    pipeline.finish(run)?;
    pipeline.expect_exact(None)?;
    ensure!(!analytics.has_ended(), "analytics has ended");
    analytics.stop()?;
    Ok(())
}

fn read(pipeline: &Pipeline, path: &str) -> anyhow::Result<Stored> {
    pipeline.document(path)?.with_context(|| format!("there is no {path}"))
}

fn commit(pipeline: &Pipeline, path: &str, fields: Fields, guard: Guard) -> anyhow::Result<Vec<Version>> {
    let store = pipeline.store()?;
    let write = Write { path: path.to_owned(), fields, guard };
    Ok(pipeline.wait(async { store.commit(&[write]).await })?)
}
