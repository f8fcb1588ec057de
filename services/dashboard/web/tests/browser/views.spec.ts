import { expect, test } from "./fixtures";
import { SESSION } from "./play/answers";
import * as answers from "./play/answers";
import { NOW, TODAY } from "./play/shop";

const TODAY_ONLY = { from: TODAY, to: TODAY, country: null, asOf: new Date(NOW).toISOString() };

test("Now says how the shop is doing, in the API's numbers", async ({ page, play }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Now");
  await expect(page).toHaveTitle("Now · storepulse");
  const now = play.now(null);
  const shown: [string, unknown][] = [
    ["revenue-today", now.today?.revenue_minor], ["orders-today", now.today?.purchase_count], ["average-order", now.today?.average_order_value_minor],
    ["conversion", now.today?.conversion_rate], ["active-sessions", now.active_sessions], ["events-per-second", now.events_per_second], ["lag-events", now.lag_events],
  ];
  for (const [name, value] of shown) await expect(page.getByTestId(name)).toHaveAttribute("data-value", String(value));
  await expect(page.getByTestId("revenue-today")).toHaveText("$260,389.20");
  await expect(page.getByTestId("revenue-today")).toHaveAttribute("title", "260,389.20 USD");
  await expect(page.getByText("against yesterday by this time").first()).toBeVisible();
  await expect(page.getByTestId("health")).toHaveText("Pipeline healthy");
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
});

test("Now follows the stream", async ({ page, play }) => {
  await page.goto("/");
  const before = Number(await page.getByTestId("orders-today").getAttribute("data-value"));
  play.advance();
  await expect(page.getByTestId("orders-today")).toHaveAttribute("data-value", String(before + 1));
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "paused");
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
});

test("Now has its charts as tables too", async ({ page }) => {
  await page.goto("/");
  await page.getByText("As a table").first().click();
  const table = page.getByRole("table", { name: "The last 60 minutes" });
  await expect(table.locator("tbody tr")).toHaveCount(60);
  await expect(page.getByRole("img", { name: /Revenue by minute/ })).toBeVisible();
});

test("World has a map and a table, sorted by its headers", async ({ page }) => {
  await page.goto("/world");
  const world = answers.world(TODAY_ONLY, false);
  for (const row of world.countries) {
    await expect(page.getByTestId(`country-row-${row.country}`)).toHaveAttribute("data-value", String(row.revenue_minor));
  }
  const rows = page.locator("tbody tr");
  await expect(rows.first()).toHaveAttribute("data-testid", "country-row-US");
  await expect(page.getByRole("columnheader", { name: "Revenue" })).toHaveAttribute("aria-sort", "descending");
  await page.getByRole("button", { name: "Revenue" }).click();
  await expect(rows.first()).toHaveAttribute("data-testid", "country-row-NZ");
  await expect(page).toHaveURL(/sort=revenue_minor/);
  await page.getByRole("button", { name: "Country" }).click();
  await expect(rows.first()).toHaveAttribute("data-testid", "country-row-AU");
  await expect(page.getByRole("img", { name: /Map of the world by revenue; the most: United States/ })).toBeVisible();
});

test("clicking a country filters everything", async ({ page, play }) => {
  await page.goto("/world");
  await page.locator('[data-country="BR"]').click();
  await expect(page).toHaveURL("/world?country=BR");
  await expect(page.getByTestId("country-row-BR")).toHaveClass("selected");
  await page.getByRole("link", { name: "Now", exact: true }).click();
  await expect(page).toHaveURL("/?country=BR");
  await expect(page.getByTestId("revenue-today")).toHaveAttribute("data-value", String(play.now("BR").today?.revenue_minor));
  await page.getByRole("link", { name: "Funnel" }).click();
  await expect(page.getByTestId("funnel-sessions")).toHaveAttribute("data-value", String(answers.funnel({ ...TODAY_ONLY, country: "BR" }, false).total.sessions_count));
  await page.getByRole("button", { name: "All countries" }).click();
  await expect(page).toHaveURL("/funnel");
  await page.getByRole("link", { name: "World" }).click();
  await page.getByRole("button", { name: /^Japan/ }).click();
  await expect(page).toHaveURL("/world?country=JP");
  await page.getByRole("button", { name: /^Japan/ }).click();
  await expect(page).toHaveURL("/world");
});

test("Products are searched, sorted and opened", async ({ page }) => {
  await page.goto("/products");
  const row = page.getByTestId("product-row-p-1004");
  const product = answers.products(TODAY_ONLY, "", "-interest_score", 100, false).products.find((one) => one.id === "p-1004");
  await expect(row).toHaveAttribute("data-value", String(product?.interest_score));
  await expect(row.locator('[data-field="revenue_minor"]')).toHaveAttribute("data-value", String(product?.revenue_minor));
  await expect(page.getByRole("heading", { name: "Most bought" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Fastest rising" })).toBeVisible();
  await page.getByRole("searchbox").fill("espresso");
  await expect(page).toHaveURL("/products?q=espresso");
  await expect(page.locator('[data-testid^="product-row-"]')).toHaveCount(1);
  await page.getByRole("searchbox").fill("nothing like that");
  await expect(page.getByText("No product with “nothing like that”")).toBeVisible();
  await page.getByRole("searchbox").fill("");
  await page.getByRole("table", { name: "Products" }).getByRole("button", { name: "Views" }).click();
  await expect(page).toHaveURL("/products?sort=-views_count");
  await row.getByRole("link").click();
  await expect(page).toHaveURL("/products/p-1004");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Compact espresso maker");
  await expect(page.getByRole("heading", { name: "By hour" })).toBeVisible();
});

test("Funnel has its steps, estimates with their errors, and rows", async ({ page }) => {
  await page.goto("/funnel?from=2026-11-20&to=2026-11-26");
  const { total, visits } = answers.funnel({ ...TODAY_ONLY, from: "2026-11-20" }, false);
  const steps: [string, number][] = [
    ["sessions", total.sessions_count], ["viewing", total.viewing_sessions_count], ["carting", total.carting_sessions_count], ["buying", total.buying_sessions_count],
  ];
  for (const [name, count] of steps) await expect(page.getByTestId(`funnel-${name}`)).toHaveAttribute("data-value", String(count));
  await expect(page.getByTestId("unique-visitors")).toHaveAttribute("data-value", String(visits?.unique_visitors_count));
  await expect(page.getByText("± 1.63 % standard error")).toBeVisible();
  await expect(page.getByText("± 1 % at most").first()).toBeVisible();
  await expect(page.getByRole("heading", { name: "By day" })).toBeVisible();
  await expect(page.getByTestId("funnel-row-DE")).toBeVisible();
});

test("Sessions are found by id and told", async ({ page }) => {
  await page.goto("/sessions");
  await page.getByRole("searchbox").fill(SESSION);
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page).toHaveURL(`/sessions/${SESSION}`);
  await expect(page.getByTestId("session-entry")).toHaveCount(9);
  await expect(page.getByTestId("session-entry").nth(7)).toContainText("Bought for $162.05");
  await expect(page.getByText("Left out: 3 products looked at.")).toBeVisible();
});

test("Pipeline tells all of it", async ({ page }) => {
  await page.goto("/pipeline");
  await expect(page.getByTestId("audit-result")).toHaveAttribute("data-value", "0");
  await expect(page.getByTestId("audit-result")).toHaveText("Every document was exact");
  await expect(page.getByTestId("partition-7")).toHaveAttribute("data-value", "96");
  await expect(page.getByTestId("latency-hot")).toContainText("177 ms");
  await expect(page.getByTestId("dead-letter-not_json")).toContainText("41");
  await expect(page.getByTestId("documents-per-event")).toHaveText("0.0514");
  await expect(page.getByTestId("broker-localhost:19092")).toContainText("connected");
});

test("a file of each table has the same filters", async ({ page }) => {
  const files: [string, string][] = [
    ["/world?from=2026-11-20&to=2026-11-26", "/api/world.csv?from=2026-11-20&to=2026-11-26&sort=-revenue_minor"],
    ["/products?country=DE&q=lamp", "/api/products.csv?country=DE&q=lamp&sort=-interest_score&limit=100"],
    ["/funnel?country=DE", "/api/funnel.csv?country=DE"],
  ];
  for (const [path, file] of files) {
    await page.goto(path);
    const link = page.getByRole("link", { name: /^CSV/ });
    await expect(link).toHaveAttribute("href", file);
    const download = page.waitForEvent("download");
    await link.click();
    expect((await download).suggestedFilename()).toBe("figures.csv");
  }
});

test("days are chosen, back and forward work, and an address can be shared", async ({ page }) => {
  await page.goto("/funnel");
  await page.getByRole("link", { name: "7 days" }).click();
  await expect(page).toHaveURL("/funnel?from=2026-11-20&to=2026-11-26");
  await expect(page.getByText("20 Nov 2026 – 26 Nov 2026 (UTC)")).toBeVisible();
  await page.getByText("Other days").click();
  await page.getByLabel("First day").fill("2026-11-26");
  await page.getByLabel("Last day").fill("2026-11-24");
  await page.getByRole("button", { name: "Show these days" }).click();
  await expect(page.getByText("The first day is after the last.")).toBeVisible();
  await page.getByLabel("First day").fill("2026-11-23");
  await page.getByRole("button", { name: "Show these days" }).click();
  await expect(page).toHaveURL("/funnel?from=2026-11-23&to=2026-11-24");
  await page.getByRole("combobox", { name: "Country" }).selectOption("FR");
  await expect(page.getByText("23 Nov 2026 – 24 Nov 2026 (UTC), France")).toBeVisible();
  await page.goBack();
  await expect(page.getByText("(UTC), all countries")).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL("/funnel?from=2026-11-20&to=2026-11-26");
  await page.goForward();
  await page.goForward();
  await expect(page).toHaveURL("/funnel?from=2026-11-23&to=2026-11-24&country=FR");
  await page.getByRole("link", { name: "World" }).click();
  await expect(page).toHaveURL("/world?from=2026-11-23&to=2026-11-24&country=FR");
  await page.reload();
  await expect(page.getByTestId("country-row-FR")).toHaveClass("selected");
});

test("other views ask again while today is in them, and not of the past", async ({ page, play }) => {
  await page.clock.install();
  await page.goto("/world");
  await expect(page.getByTestId("country-row-US")).toBeVisible();
  const asked = () => play.asked.filter((path) => path.startsWith("/api/world")).length;
  const before = asked();
  await page.clock.runFor(5_500);
  await expect.poll(asked).toBeGreaterThan(before);
  await page.goto("/world?from=2026-11-20&to=2026-11-21");
  await expect(page.getByTestId("country-row-US")).toBeVisible();
  const past = asked();
  await page.clock.runFor(11_000);
  expect(asked()).toBe(past);
});
