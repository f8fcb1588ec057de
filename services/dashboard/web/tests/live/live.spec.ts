import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test as base, type Page } from "@playwright/test";
import type { FunnelPage, LogIn, Now, Pipeline, ProductPage, Products, Session, World } from "../../src/api/types";
import { expectAccessible, expectHeadingsInOrder, expectNoSidewaysScroll, walk } from "../browser/access";
import { watch } from "../browser/fixtures";
import { expectAgreement, type Expected } from "./agree";

/*
 * A running dashboard: what its page shows is what its API says. One test a view, in order.
 */

const URL = process.env["DASHBOARD_URL"] ?? "";
const TOKEN = process.env["DASHBOARD_TOKEN"];
const SESSION = process.env["SESSION"];
const SCREENSHOTS = process.env["SCREENSHOTS"] ?? join(import.meta.dirname, "../../../../../target/dashboard-screenshots");

const test = base.extend<{ complaints: string[] }>({
  baseURL: async ({}, use) => {
    expect(URL, "DASHBOARD_URL is where the dashboard runs").not.toBe("");
    await use(URL.replace(/\/$/, ""));
  },
  complaints: [
    async ({ page, baseURL }, use) => {
      const complaints: string[] = [];
      watch(page, baseURL ?? "", complaints);
      const { required } = (await (await page.request.get("/api/session")).json()) as LogIn;
      if (required) await page.request.post("/api/login", { data: { token: TOKEN ?? "" } });
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

const byId = (id: string, value: unknown): Expected[number] => [`[data-testid="${id}"]`, value];

/** The fields of a row of a table. */
function cells<Row extends object>(row: string, of: Row, fields: (keyof Row & string)[]): Expected {
  return fields.map((field) => [`[data-testid="${row}"] [data-field="${field}"]`, of[field]]);
}

const PRODUCT_FIELDS = [
  "interest_score", "views_count", "added_to_cart_quantity", "removed_from_cart_quantity", "purchase_count", "total_items_purchased", "revenue_minor", "conversion_rate",
] as const;

/** What holds of each view, and its picture. */
async function look(page: Page, name: string): Promise<void> {
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
  await expectHeadingsInOrder(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await expectAccessible(page);
  await picture(page, name);
  const seen = await walk(page, 14);
  expect(seen).toContain("Skip to the figures");
  expect(seen).toContain("Funnel");
  await page.setViewportSize({ width: 360, height: 780 });
  await expectNoSidewaysScroll(page);
}

async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  // What one sees without scrolling, as the README shows it.
  await page.screenshot({ path: join(SCREENSHOTS, `${name}-top.png`) });
}

async function ask<T>(page: Page, path: string): Promise<T> {
  const response = await page.request.get(path);
  expect(response.status(), path).toBe(200);
  return (await response.json()) as T;
}

function nowFigures(now: Now): Expected {
  return [
    byId("revenue-today", now.today?.revenue_minor ?? null), byId("orders-today", now.today?.purchase_count ?? null),
    byId("average-order", now.today?.average_order_value_minor ?? null), byId("conversion", now.today?.conversion_rate ?? null),
    byId("active-sessions", now.active_sessions), byId("events-per-second", now.events_per_second), byId("lag-events", now.lag_events),
  ];
}

test("Now", async ({ page }) => {
  await page.goto("/");
  await expectAgreement<Now>(page, "/api/now", nowFigures, "now");
  await look(page, "now");
  await picture(page, "now-phone");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  await expectAccessible(page);
  await picture(page, "now-dark");
});

test("World, and a country in all views", async ({ page }) => {
  await page.goto("/world");
  const world = await expectAgreement<World>(page, "/api/world", ({ countries }) =>
    countries.flatMap((row) => [
      byId(`country-row-${row.country}`, row.revenue_minor),
      ...cells(`country-row-${row.country}`, { ...row, sessions_count: row.sessions.sessions_count }, ["revenue_minor", "revenue_share", "purchase_count", "average_order_value_minor", "conversion_rate", "sessions_count", "product_views_count"]),
    ]),
  );
  await expect(page.locator(".world")).toBeVisible();
  await look(page, "world");
  await page.setViewportSize({ width: 1280, height: 900 });
  const first = world.countries[0];
  if (first === undefined) return;
  await page.getByTestId(`country-row-${first.country}`).getByRole("button").click();
  await expect(page).toHaveURL(`${URL.replace(/\/$/, "")}/world?country=${first.country}`);
  await page.getByRole("link", { name: "Now", exact: true }).click();
  await expectAgreement<Now>(page, `/api/now?country=${first.country}`, nowFigures, "now");
});

test("Products, and one of them", async ({ page }) => {
  await page.goto("/products");
  const { products } = await expectAgreement<Products>(page, "/api/products?sort=-interest_score&limit=100", (answer) => [
    ...answer.products.flatMap((row) => cells(`product-row-${row.id}`, row, [...PRODUCT_FIELDS])),
    ...answer.categories.flatMap((row) => cells(`category-row-${row.id}`, row, [...PRODUCT_FIELDS, "product_related_view_count"])),
  ]);
  await look(page, "products");
  const first = products[0];
  if (first === undefined) return;
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`/products/${encodeURIComponent(first.id)}`);
  const { name } = await ask<ProductPage>(page, `/api/products/${encodeURIComponent(first.id)}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name || first.id);
  for (const table of await page.locator(".as-table > summary").all()) await table.click();
  await expectAgreement<ProductPage>(page, `/api/products/${encodeURIComponent(first.id)}`, (answer) => [
    byId("lifetime-revenue_minor", answer.lifetime?.revenue_minor), byId("lifetime-views_count", answer.lifetime?.views_count),
    ...answer.days.flatMap((row) => cells(`product-at-${row.day}`, row, [...PRODUCT_FIELDS])),
    ...answer.hours.flatMap((row) => cells(`product-at-${row.hour}`, row, [...PRODUCT_FIELDS])),
  ]);
  await look(page, "product");
});

test("Funnel", async ({ page }) => {
  await page.goto("/funnel");
  const figures = ({ total, rates, visits, by_country: countries }: FunnelPage): Expected => [
    byId("funnel-sessions", total.sessions_count), byId("funnel-viewing", total.viewing_sessions_count),
    byId("funnel-carting", total.carting_sessions_count), byId("funnel-buying", total.buying_sessions_count),
    byId("bounce", rates.bounce), byId("abandonment", rates.abandonment), byId("abandoned-value", total.abandoned_carts_minor),
    ...(visits === null ? [] : [
      byId("unique-visitors", visits.unique_visitors_count), byId("session-length-p50", visits.p50_seconds),
      byId("session-length-p90", visits.p90_seconds), byId("session-length-p99", visits.p99_seconds),
    ]),
    ...countries.flatMap((row) => cells(`funnel-row-${row.country}`, row, ["sessions_count", "viewing_sessions_count", "carting_sessions_count", "buying_sessions_count", "abandoned_carts_minor"])),
  ];
  await expectAgreement<FunnelPage>(page, "/api/funnel", figures);
  await look(page, "funnel");
});

test("Sessions", async ({ page }) => {
  await page.goto("/sessions");
  await look(page, "sessions");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto("/sessions/no-such-session");
  await expect(page.locator('[data-notice="no-such-session"]')).toBeVisible();
  if (SESSION === undefined) return;
  await page.goto(`/sessions/${encodeURIComponent(SESSION)}`);
  const session = await ask<Session>(page, `/api/sessions/${encodeURIComponent(SESSION)}`);
  await expect(page.getByTestId("session-entry")).toHaveCount(session.entries.length);
  const kinds = await page.getByTestId("session-entry").evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset["value"]));
  expect(kinds).toEqual(session.entries.map((entry) => entry.kind));
  await look(page, "session");
});

test("Pipeline", async ({ page }) => {
  await page.goto("/pipeline");
  await expectAgreement<Pipeline>(page, "/api/pipeline", (pipeline) => [
    byId("health", pipeline.health), byId("produced-per-second", pipeline.produced_per_second), byId("aggregated-per-second", pipeline.aggregated_per_second),
    byId("duplicates", pipeline.duplicates), byId("documents-per-event", pipeline.documents_per_event), byId("audit-result", pipeline.audit?.differences ?? null),
    byId("watermark", pipeline.watermark),
    ...pipeline.partitions.map((one) => byId(`partition-${one.partition}`, one.lag_events)),
    ...pipeline.dead_letters.filter((one) => one.count > 0).map((one) => byId(`dead-letter-${one.reason}`, one.count)),
    ...pipeline.latency.map((one) => byId(`latency-${one.tier}`, one.p99_seconds)),
    ...pipeline.brokers.map((one) => byId(`broker-${one.broker}`, one.state)),
  ], "pipeline");
  await look(page, "pipeline");
});

test("what can't be answered has its words", async ({ page }) => {
  await page.goto("/funnel?from=yesterday");
  await expect(page.locator('[data-notice="bad-parameter"]')).toContainText("from");
  await page.goto("/products/no-such-product");
  await expect(page.locator('[data-notice="no-such-product"]')).toBeVisible();
  for (const file of ["/api/world.csv", "/api/products.csv", "/api/funnel.csv"]) {
    const response = await page.request.get(file);
    expect(response.status(), file).toBe(200);
    expect(response.headers()["content-type"], file).toContain("text/csv");
  }
});
