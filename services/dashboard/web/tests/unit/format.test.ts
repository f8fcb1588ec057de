import { describe, expect, it } from "vitest";
import * as written from "../../src/logic/format";

/** Numbers and units are held together by spaces that don't break; here they are plain. */
const plain = <In extends unknown[]>(write: (...given: In) => string) => (...given: In) => write(...given).replaceAll("\u00a0", " ");
const format = {
  ...written, percent: plain(written.percent), signedPercent: plain(written.signedPercent), duration: plain(written.duration), age: plain(written.age),
};
const USD = { currency: "USD", currency_exponent: 2 };

describe("money", () => {
  it("is made of the minor units' digits, not of a fraction", () => {
    expect(format.decimal(32_980_792, 2)).toBe("329807.92");
    expect(format.decimal(5, 2)).toBe("0.05");
    expect(format.decimal(-105, 2)).toBe("-1.05");
    expect(format.decimal(0, 2)).toBe("0.00");
    expect(format.decimal(700, 0)).toBe("700");
    expect(format.money(32_980_792, USD)).toBe("$329,807.92");
    expect(format.moneyExact(32_980_792, USD)).toBe("329,807.92 USD");
  });
  it("is exact up to the largest whole number that JSON carries", () => {
    expect(format.money(9_007_199_254_740_991, USD)).toBe("$90,071,992,547,409.91");
  });
  it("is short on axes", () => {
    expect(format.moneyShort(0, USD)).toBe("$0");
    expect(format.moneyShort(1_500_000, USD).toLowerCase()).toBe("$15k");
  });
  it("says so when there is none", () => {
    expect(format.money(null, USD)).toBe("–");
    expect(format.moneyExact(null, USD)).toBe("no figure");
  });
});

describe("numbers", () => {
  it("have separators and signs", () => {
    expect(format.count(1_234_567)).toBe("1,234,567");
    expect(format.count(null)).toBe("–");
    expect(format.percent(0.12345)).toBe("12.3 %");
    expect(format.percent(null)).toBe("–");
    expect(format.signedPercent(-0.04)).toBe("−4.0 %");
    expect(format.signedPercent(0.123)).toBe("+12.3 %");
    expect(format.plural(1, "order")).toBe("1 order");
    expect(format.plural(0, "order")).toBe("0 orders");
    expect(format.plural(2, "country", "countries")).toBe("2 countries");
  });
});

it("a number and its unit stay on one line", () => {
  expect([written.percent(0.5), written.duration(61)]).toEqual(["50.0\u00a0%", "1\u00a0min 1\u00a0s"]);
});

describe("durations", () => {
  it.each([
    [0, "0 s"], [0.177, "177 ms"], [0.0051, "5.1 ms"], [0.9996, "1 s"], [1.24, "1.2 s"], [42.4, "42 s"], [59.96, "1 min"], [61, "1 min 1 s"],
    [200, "3 min 20 s"], [7_500, "2 h 5 min"], [86_400, "1 d"], [100_800, "1 d 4 h"],
  ])("%d is %s", (seconds, text) => expect(format.duration(seconds)).toBe(text));
  it("ages are whole", () => {
    expect(format.age(400)).toBe("just now");
    expect(format.age(12_800)).toBe("12 s ago");
    expect(format.age(-5)).toBe("just now");
  });
});

describe("times", () => {
  it("are UTC, whatever offset they came with", () => {
    expect(format.clock("2026-11-26T20:35:12+01:00")).toBe("19:35:12 UTC");
    expect(format.moment("2026-11-26T19:35:12.345Z")).toBe("26 Nov 2026, 19:35:12 UTC");
    expect(format.hourMinute("2026-11-26T19:35:00Z")).toBe("19:35");
    expect(format.clock("no time")).toBe("–");
  });
  it("days and hours have short names", () => {
    expect(format.dayText("2026-11-06")).toBe("6 Nov 2026");
    expect(format.dayText("soon")).toBe("soon");
    expect(format.dayShort("2026-11-26")).toBe("Thu 26 Nov");
    expect(format.hourText("2026-11-26T07")).toBe("07:00");
  });
});

it("countries have names, and what is none stays", () => {
  expect(format.countryName("DE")).toBe("Germany");
  expect(format.countryName("not a code")).toBe("not a code");
});
