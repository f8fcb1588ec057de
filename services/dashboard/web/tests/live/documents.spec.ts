import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test, type Page } from "@playwright/test";

/*
 * The page against the store itself: numbers on the page equal the documents, as anybody reads them with Firestore's REST
 * API at STORE_REST, while nothing changes; and what PRODUCE makes shows within two seconds.
 */

const URL = (process.env["DASHBOARD_URL"] ?? "").replace(/\/$/, "");
const STORE = process.env["STORE_REST"] ?? "";
const PRODUCE = process.env["PRODUCE"] ?? "";
const TODAY = new Date().toISOString().slice(0, 10);
/** How soon an event shows, in milliseconds. */
const SOON = 2_000;

type Fields = Record<string, { integerValue?: string; doubleValue?: number; stringValue?: string; arrayValue?: { values?: { mapValue: { fields: Fields } }[] } }>;

test.use({ baseURL: URL });
test.skip(STORE === "", "documents are in SQLite, which has no API of its own");

async function document(path: string): Promise<Fields> {
  const answer = await fetch(`${STORE}/${path}`, { headers: { authorization: "Bearer owner" } });
  expect(answer.status, path).toBe(200);
  return ((await answer.json()) as { fields: Fields }).fields;
}

async function ids(collection: string): Promise<string[]> {
  const answer = await fetch(`${STORE}/${collection}?showMissing=true&pageSize=300`, { headers: { authorization: "Bearer owner" } });
  const { documents = [] } = (await answer.json()) as { documents?: { name: string }[] };
  return documents.map(({ name }) => name.slice(name.lastIndexOf("/") + 1));
}

/** A number of a document; amounts in minor units. */
function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (value?.integerValue !== undefined) return Number(value.integerValue);
  if (value?.doubleValue !== undefined) return /amount|discount|cost/.test(name) ? Math.round(value.doubleValue * 100) : value.doubleValue;
  throw new Error(`${name} is no number: ${JSON.stringify(value)}`);
}

/** Waits until a figure has this value. */
async function shows(page: Page, selector: string, value: number | string): Promise<void> {
  await expect(page.locator(selector).first()).toHaveAttribute("data-value", String(value));
}

const figure = (id: string) => `[data-testid="${id}"]`;

test("the figures of today are those of the documents", async ({ page }) => {
  await page.goto("/");
  const shop = await document(`statistics/${TODAY}`);
  await shows(page, figure("revenue-today"), number(shop, "total_amount"));
  await shows(page, figure("orders-today"), number(shop, "purchase_count"));
  await shows(page, figure("conversion"), number(shop, "conversion_rate"));
});

test("every country is there with its revenue", async ({ page }) => {
  await page.goto("/world");
  let compared = 0;
  for (const country of await ids("countries")) {
    const answer = await fetch(`${STORE}/countries/${country}/statistics/${TODAY}`, { headers: { authorization: "Bearer owner" } });
    if (answer.status === 404) continue;
    const { fields } = (await answer.json()) as { fields: Fields };
    await shows(page, figure(`country-row-${country}`), number(fields, "total_amount"));
    await shows(page, `${figure(`country-row-${country}`)} [data-field="product_views_count"]`, number(fields, "product_views_count"));
    compared += 1;
  }
  expect(compared).toBeGreaterThan(5);
  await expect(page.locator('[data-testid^="country-row-"]')).toHaveCount(compared);
});

test("every product is there with what happened to it, and what trends", async ({ page }) => {
  await page.goto("/products");
  let compared = 0;
  for (const id of await ids("products")) {
    const fields = await document(`products/${id}/statistics/${TODAY}`);
    const row = figure(`product-row-${decodeURIComponent(id)}`);
    await shows(page, row, number(fields, "interest_score"));
    for (const name of ["views_count", "added_to_cart_quantity", "purchase_count", "total_items_purchased"]) {
      await shows(page, `${row} [data-field="${name}"]`, number(fields, name));
    }
    await shows(page, `${row} [data-field="revenue_minor"]`, number(fields, "total_amount"));
    compared += 1;
  }
  expect(compared).toBeGreaterThan(20);
  const trending = await document("leaderboards/trending");
  const first = trending["most_bought"]?.arrayValue?.values?.[0]?.mapValue.fields;
  expect(first, "nothing was bought").toBeDefined();
  await expect(page.getByText(first?.["name"]?.stringValue ?? "").first()).toBeVisible();
});

test("the funnel is that of the documents", async ({ page }) => {
  await page.goto("/funnel");
  const shop = await document(`statistics/${TODAY}`);
  for (const [id, name] of [["sessions", "sessions_count"], ["viewing", "viewing_sessions_count"], ["carting", "carting_sessions_count"], ["buying", "buying_sessions_count"]] as const) {
    await shows(page, figure(`funnel-${id}`), number(shop, name));
  }
  await shows(page, figure("abandoned-value"), number(shop, "abandoned_carts_amount"));
  const visits = await document(`visits/${TODAY}`);
  await shows(page, figure("unique-visitors"), number(visits, "unique_visitors_count"));
  await shows(page, figure("session-length-p90"), number(visits, "session_length_p90_seconds"));
});

test("a session's story has all its events", async ({ page }) => {
  const [id] = await ids("sessions_history");
  expect(id).toBeDefined();
  const history = await document(`sessions_history/${id}`);
  const lists = ["categories_viewed", "products_viewed", "added_to_cart", "removed_from_cart", "purchase"];
  const entries = lists.reduce((sum, list) => sum + (history[list]?.arrayValue?.values?.length ?? 0), 0);
  const ends = Number("start_time" in history) + Number("end_time" in history);
  await page.goto(`/sessions/${id}`);
  await expect(page.getByTestId("session-entry")).toHaveCount(entries + ends);
});

test("what happens shows within two seconds", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
  const conversion = page.locator(figure("conversion"));
  const delays: number[] = [];
  for (const seed of ["21", "22", "23", "24", "25"]) {
    const before = (await conversion.getAttribute("data-value")) ?? "";
    await promisify(execFile)(PRODUCE, [seed]);
    const produced = Date.now();
    await expect(conversion).not.toHaveAttribute("data-value", before, { timeout: 20_000 });
    delays.push(Date.now() - produced);
  }
  console.log(`shown ${delays.join(", ")} ms after the last event was acknowledged`);
  // The median, because a machine that does other things as well may stop for a moment.
  expect(delays.sort((a, b) => a - b)[2]).toBeLessThanOrEqual(SOON);
});
