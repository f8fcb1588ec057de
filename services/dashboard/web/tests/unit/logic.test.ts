import { describe, expect, it } from "vitest";
import type { Now, Pipeline, Session } from "../../src/api/types";
import * as days from "../../src/logic/days";
import { interval } from "../../src/logic/estimates";
import { afterName } from "../../src/logic/faults";
import * as figures from "../../src/logic/figures";
import * as health from "../../src/logic/health";
import * as scale from "../../src/logic/scale";
import * as sort from "../../src/logic/sort";
import * as story from "../../src/logic/story";
import { fillQuarterHours } from "../../src/logic/windows";
import { funnelOf, nowOf } from "../browser/play/shop";

describe("days", () => {
  it("exist or don't", () => {
    expect(days.isDay("2028-02-29")).toBe(true);
    for (const day of ["2026-02-29", "2026-13-01", "2026-1-1", "today", ""]) expect(days.isDay(day)).toBe(false);
  });
  it("ranges are checked in words", () => {
    expect(days.rangeFault("2026-11-01", "2026-11-26")).toBeNull();
    expect(days.rangeFault("2026-10-27", "2026-11-26")).toBeNull();
    expect(days.rangeFault("2026-10-26", "2026-11-26")).toContain("At most 31 days");
    expect(days.rangeFault("2026-11-26", "2026-11-25")).toContain("after the last");
    expect(days.rangeFault("", "2026-11-25")).toContain("first day");
    expect(days.rangeFault("2026-11-25", "x")).toContain("last day");
  });
  it("presets fit into what the API answers", () => {
    const today = "2026-03-02";
    const all = days.presets(today);
    expect(all.map((one) => one.range)).toEqual([{}, { from: "2026-03-01", to: "2026-03-01" }, { from: "2026-02-24", to: today }, { from: "2026-01-31", to: today }]);
    for (const { range } of all) expect(days.daysIn(range.from ?? today, range.to ?? today)).toBeLessThanOrEqual(days.MOST_DAYS);
  });
  it("today is in them or not", () => {
    expect(days.includesToday({}, "2026-11-26")).toBe(true);
    expect(days.includesToday({ from: "2026-11-20", to: "2026-11-25" }, "2026-11-26")).toBe(false);
    expect(days.sameRange({}, { from: "2026-11-26", to: "2026-11-26" }, "2026-11-26")).toBe(true);
  });
});

describe("figures", () => {
  it("change against something, or have nothing to change against", () => {
    expect(figures.change(110, 100)).toBeCloseTo(0.1);
    for (const [now, before] of [[1, 0], [1, null], [null, 1], [undefined, undefined]] as const) expect(figures.change(now, before)).toBeNull();
  });
  it("a funnel's steps are shares of all and go on to the next", () => {
    const steps = figures.funnelSteps({ ...funnelOf(0, "x"), sessions_count: 200, viewing_sessions_count: 100, carting_sessions_count: 50, buying_sessions_count: 10 });
    expect(steps.map((step) => step.ofAll)).toEqual([1, 0.5, 0.25, 0.05]);
    expect(steps.map((step) => step.goOn)).toEqual([0.5, 0.5, 0.2, null]);
    expect(figures.funnelSteps(funnelOf(0, "x")).map((step) => step.ofAll)).toEqual([null, null, null, null]);
  });
  it("a shop is empty only when nothing ever happened", () => {
    const now = nowOf(null, 0);
    const nothing: Now = { ...now, today: null, yesterday: null, windows: [], minutes: [] };
    expect(figures.isEmptyShop(now)).toBe(false);
    expect(figures.isEmptyShop(nothing)).toBe(true);
    expect(figures.isEmptyShop({ ...nothing, yesterday: now.yesterday })).toBe(false);
    expect(figures.isEmptyShop({ ...nothing, minutes: now.minutes })).toBe(false);
  });
  it("estimates have a range", () => {
    expect(interval(3_912, 0.01625)).toEqual({ low: 3_848, high: 3_976 });
    expect(interval(0, 0.01625)).toEqual({ low: 0, high: 0 });
  });
  it("quarter-hours have no gaps, and nothing is lost", () => {
    const { windows, as_of: asOf } = nowOf(null, 0);
    const some = windows.filter((_, index) => index % 3 !== 0);
    const all = fillQuarterHours(some, asOf);
    expect(all).toHaveLength(96);
    expect(all.map((one) => Date.parse(one.start))).toEqual(windows.map((one) => Date.parse(one.start)));
    expect(all.reduce((sum, one) => sum + one.revenue_minor, 0)).toBe(some.reduce((sum, one) => sum + one.revenue_minor, 0));
  });
});

describe("health", () => {
  it("is unknown as soon as its last word is old", () => {
    const pipeline = { health: "ok" } as Pipeline;
    expect(health.healthNow(pipeline, 500)).toBe("ok");
    expect(health.healthNow(pipeline, health.STALE_MILLISECONDS + 1)).toBe("unknown");
    expect(health.healthNow(null, null)).toBe("unknown");
  });
  it("attempts come less and less often, but come", () => {
    expect(health.backoff(0, 0.5)).toBe(1000);
    expect(health.backoff(3, 0.5)).toBe(8000);
    expect(health.backoff(50, 0.5)).toBe(30_000);
    expect(health.backoff(0, 0)).toBeGreaterThanOrEqual(800);
  });
  it("unknown reasons stay as they are", () => {
    expect(health.deadLetterReason("not_json")).toContain("JSON");
    expect(health.deadLetterReason("new")).toBe("");
    expect(health.partName("new")).toBe("new");
  });
});

describe("colours and axes", () => {
  it("steps are quantiles of what is there", () => {
    const bounds = scale.thresholds([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(bounds).toEqual([2, 4, 6, 8]);
    expect([0, 1, 2, 3, 8, 9, 10].map((value) => scale.step(value, bounds))).toEqual([0, 1, 1, 2, 4, 5, 5]);
  });
  it("few values, equal values and none are no trouble", () => {
    expect(scale.thresholds([])).toEqual([]);
    expect(scale.thresholds([0, 0])).toEqual([]);
    expect(scale.thresholds([7])).toEqual([]);
    expect(scale.step(7, [])).toBe(5);
    expect(scale.thresholds([3, 3, 3, 9])).toEqual([3]);
    expect(scale.step(null, [1])).toBe(0);
  });
  it("labels stand at round times", () => {
    const hour = Array.from({ length: 60 }, (_, index) => `18:${String(index).padStart(2, "0")}`);
    expect(scale.ticksOf(hour, 600).map((index) => hour[index])).toEqual(["18:00", "18:10", "18:20", "18:30", "18:40", "18:50"]);
    expect(scale.ticksOf(["Fri 20 Nov", "Sat 21 Nov", "Sun 22 Nov"], 200)).toEqual([0, 2]);
    expect(scale.ticksOf([], 200)).toEqual([]);
  });
});

describe("sorting", () => {
  const rows = [{ name: "b", revenue: 1 }, { name: "a", revenue: 3 }, { name: "c", revenue: null }, { name: "d", revenue: 1 }];
  it("goes both ways, with nothing last", () => {
    expect(sort.sorted(rows, "-revenue", sort.fieldOf).map((row) => row.name)).toEqual(["a", "b", "d", "c"]);
    expect(sort.sorted(rows, "revenue", sort.fieldOf).map((row) => row.name)).toEqual(["b", "d", "a", "c"]);
    expect(sort.sorted(rows, "name", sort.fieldOf).map((row) => row.name)).toEqual(["a", "b", "c", "d"]);
    expect(sort.sorted(rows, "unknown", sort.fieldOf)).toEqual(rows);
  });
  it("a header turns it around, or begins with what is most of interest", () => {
    expect(sort.nextSort("-revenue", "revenue", true)).toBe("revenue");
    expect(sort.nextSort("revenue", "revenue", true)).toBe("-revenue");
    expect(sort.nextSort("-revenue", "orders", true)).toBe("-orders");
    expect(sort.nextSort("-revenue", "name", false)).toBe("name");
    expect(sort.ariaSort("-revenue", "revenue")).toBe("descending");
    expect(sort.ariaSort("revenue", "revenue")).toBe("ascending");
    expect(sort.ariaSort("revenue", "name")).toBe("none");
  });
});

it("a parameter is named once", () => {
  expect(afterName("from", 'from is "x": allowed is a day')).toBe(' is "x": allowed is a day');
  expect(afterName("from", "No day.")).toBe(": No day.");
  expect(afterName("", "No day.")).toBe("No day.");
});

describe("stories", () => {
  const entries: Session["entries"] = [
    { time: "2026-11-26T10:00:00Z", kind: "started" }, { time: "2026-11-26T10:00:00.2Z", kind: "product_viewed", product: "p" },
    { time: "2026-11-26T10:01:05Z", kind: "added_to_cart", product: "p", quantity: 1 },
  ];
  it("say how long it took", () => {
    expect([0, 1, 2].map((index) => story.pause(entries, index)?.replaceAll("\u00a0", " ") ?? null)).toEqual([null, null, "1 min 5 s later"]);
  });
  it("have an outline", () => {
    expect(story.outline({ entries } as Session)).toBe("1 page looked at, 1 × into the cart, nothing bought");
    expect(story.entryTitle("ended")).toBe("Left");
    expect(story.listName("purchase")).toBe("orders");
  });
});
