import { describe, expect, it } from "vitest";
import { address, afterLogIn, api, changed, parseFilters, parsePath, pathOf, usesFilters } from "../../src/logic/url";

describe("views", () => {
  it.each(["/", "/world", "/products", "/funnel", "/sessions", "/pipeline", "/login"])("%s leads to itself", (path) => {
    const { view, id } = parsePath(path);
    expect(pathOf(view, id)).toBe(path);
  });
  it("ids are encoded once", () => {
    for (const id of ["p-1", "a/b", "50%", "%2F", "ü ?&#", "."]) expect(parsePath(pathOf("product", id))).toEqual({ view: "product", id });
    expect(pathOf("session", "a/b")).toBe("/sessions/a%2Fb");
    expect(api.product("a/b", {})).toBe("/api/products/a%2Fb");
  });
  it("the rest is unknown", () => {
    for (const path of ["/nothing", "/products/a/b", "/products/%E0%A4%A"]) expect(parsePath(path).view).toBe("unknown");
    expect(parsePath("/world/").view).toBe("world");
  });
});

describe("filters", () => {
  it("are kept as they are, and empty ones are none", () => {
    expect(parseFilters("?from=2026-11-01&to=&country=DE&sort=x")).toEqual({ from: "2026-11-01", country: "DE" });
  });
  it("stay when the view changes, and what one view knows does not", () => {
    const filters = parseFilters("?from=2026-11-01&to=2026-11-02&country=DE&q=lamp");
    expect(address("funnel", null, filters)).toBe("/funnel?from=2026-11-01&to=2026-11-02&country=DE");
  });
  it("change alone", () => {
    expect(changed("/products", "?q=lamp&country=DE", { country: null, sort: "-name" })).toBe("/products?q=lamp&sort=-name");
    expect(changed("/world", "?country=DE", { country: "" })).toBe("/world");
  });
  it("mean nothing in some views", () => {
    expect(usesFilters("pipeline")).toEqual({ days: false, country: false });
    expect(usesFilters("now")).toEqual({ days: false, country: true });
    expect(usesFilters("funnel")).toEqual({ days: true, country: true });
  });
});

describe("the API's addresses", () => {
  it("have what the API takes and no more", () => {
    const filters = { from: "2026-11-01", to: "2026-11-02", country: "DE" };
    expect(api.now(filters)).toBe("/api/now?country=DE");
    expect(api.world(filters, "-revenue_minor", true)).toBe("/api/world.csv?from=2026-11-01&to=2026-11-02&sort=-revenue_minor");
    expect(api.products({}, { q: "a b", sort: "-name" })).toBe("/api/products?q=a+b&sort=-name");
    expect(api.funnel(filters)).toBe("/api/funnel?from=2026-11-01&to=2026-11-02&country=DE");
  });
});

describe("after logging in", () => {
  it("one is where one wanted to be", () => {
    expect(afterLogIn("?next=%2Fworld%3Fcountry%3DDE")).toBe("/world?country=DE");
    expect(afterLogIn("")).toBe("/");
  });
  it("but nowhere else", () => {
    for (const next of ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "/nothing", "javascript:alert(1)"]) {
      expect(afterLogIn(`?next=${encodeURIComponent(next)}`)).toBe("/");
    }
  });
});
