import { expect, test } from "./fixtures";

/** Whatever is odd has its own words. */

test("an empty shop says what to do", async ({ page, play }) => {
  play.scenario.shop = "empty";
  await page.goto("/");
  await expect(page.locator('[data-notice="empty-shop"]')).toContainText("Nothing has happened in this shop yet");
  await expect(page.locator('[data-notice="empty-shop"]')).toContainText("make run");
  await expect(page.getByTestId("revenue-today")).toHaveCount(0);
  play.scenario.shop = "normal";
  play.advance();
  await expect(page.getByTestId("revenue-today")).toBeVisible();
});

test("a day without events is told from an empty shop", async ({ page, play }) => {
  play.scenario.shop = "nothing-today";
  await page.goto("/");
  await expect(page.locator('[data-notice="nothing-today"]')).toContainText("Nothing happened yet today");
  await expect(page.getByTestId("revenue-today")).toHaveAttribute("data-value", "null");
});

test("nothing for this choice offers another", async ({ page, play }) => {
  play.scenario.shop = "empty";
  for (const view of ["world", "products", "funnel"]) {
    await page.goto(`/${view}?from=2026-11-20&to=2026-11-21&country=DE`);
    await expect(page.locator('[data-notice="nothing-here"]')).toContainText("20 Nov 2026 – 21 Nov 2026");
  }
  await page.locator('[data-notice="nothing-here"]').getByRole("button", { name: "All countries" }).click();
  await expect(page).toHaveURL("/funnel?from=2026-11-20&to=2026-11-21");
});

test("the store is down: live figures stay, with their time", async ({ page, play }) => {
  await page.goto("/");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
  play.scenario.store = "down";
  play.advance();
  const notice = page.locator('[data-notice="store-down"]');
  await expect(notice).toContainText("The figures below are as of 19:42:30 UTC");
  await expect(notice).toContainText("connection refused");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
  play.scenario.store = "ok";
  play.advance();
  await expect(notice).toHaveCount(0);
});

test("the store is down: other views try again by themselves", async ({ page, play }) => {
  play.scenario.store = "down";
  await page.goto("/world");
  await expect(page.locator('[data-notice="store-down"]')).toContainText("There are no figures until it does");
  play.scenario.store = "ok";
  await expect(page.getByTestId("country-row-US")).toBeVisible();
  await expect(page.locator('[data-notice="store-down"]')).toHaveCount(0);
  play.scenario.store = "down";
  await expect(page.locator('[data-notice="store-down"]')).toContainText("as of", { timeout: 9_000 });
  await expect(page.getByTestId("country-row-US")).toBeVisible();
});

test("the store refuses: nobody is told to wait", async ({ page, play }) => {
  play.scenario.store = "refused";
  await page.goto("/funnel");
  await expect(page.locator('[data-notice="store-refused"]')).toContainText("Trying again would not help");
});

test("the stream is cut, and comes back", async ({ page, play }) => {
  await page.goto("/");
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
  play.scenario.stream = "refused";
  play.cut();
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "reconnecting");
  await expect(page.locator('[data-notice="stream-cut"]')).toContainText(/The last update was (just now|\d+ s ago)\./);
  await expect(page.getByRole("status").filter({ hasText: "The live stream was cut; reconnecting." }).first()).toBeAttached();
  await expect(page.getByTestId("revenue-today")).toBeVisible();
  play.scenario.stream = "open";
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live", { timeout: 12_000 });
  await expect(page.locator('[data-notice="stream-cut"]')).toHaveCount(0);
});

test("a stream that says nothing is no stream", async ({ page, play }) => {
  play.scenario.stream = "silent";
  await page.clock.install();
  await page.goto("/pipeline");
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "connecting");
  await page.clock.runFor(12_500);
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "reconnecting");
  await expect(page.getByTestId("health")).toHaveText("Pipeline healthy");
});

test("health is said in words, and is unknown when nobody tells", async ({ page, play }) => {
  play.scenario.health = "degraded";
  await page.goto("/world");
  await expect(page.getByTestId("health")).toHaveText("Pipeline degraded");
  await expect(page.getByTestId("health")).toHaveAttribute("title", /The store is not ready/);
  play.scenario.health = "down";
  play.advance();
  await expect(page.getByTestId("health")).toHaveText("Pipeline down");
  await expect(page.getByRole("status").filter({ hasText: "Pipeline down. No analytics answers." })).toBeAttached();
  await page.getByTestId("health").click();
  await expect(page.locator('[data-notice="health-down"]')).toContainText("No analytics answers.");
  await page.route("**/api/**", (route) => route.abort());
  play.scenario.stream = "refused";
  play.cut();
  await expect(page.getByTestId("health")).toHaveText("Pipeline unknown", { timeout: 13_000 });
});

test("no such session, product, page", async ({ page }) => {
  await page.goto("/sessions/nobody");
  await expect(page.locator('[data-notice="no-such-session"]')).toContainText("nobody");
  await page.goto("/products/nothing");
  await expect(page.locator('[data-notice="no-such-product"]')).toContainText("nothing");
  await page.goto("/");
  await page.evaluate(() => history.pushState(null, "", "/nowhere") ?? dispatchEvent(new PopStateEvent("popstate")));
  await expect(page.locator('[data-notice="no-such-page"]')).toBeVisible();
});

test("a bad parameter is named, and can be left out", async ({ page }) => {
  await page.goto("/funnel?from=yesterday");
  await expect(page.locator('[data-notice="bad-parameter"]')).toContainText('from is "yesterday": allowed is a UTC day');
  await expect(page.locator('[data-notice="bad-parameter"]')).toContainText("first day");
  await page.getByRole("button", { name: "Leave it out" }).click();
  await expect(page.getByTestId("funnel-sessions")).toBeVisible();
  await page.goto("/?country=Germany");
  await expect(page.locator('[data-notice="bad-parameter"]')).toContainText("country");
  await page.getByRole("button", { name: "Leave it out" }).click();
  await expect(page.getByTestId("revenue-today")).toBeVisible();
});

test("a server that can't be reached", async ({ page }) => {
  await page.route("**/api/**", (route) => route.abort());
  await page.goto("/");
  await expect(page.locator('[data-notice="unreachable"]')).toContainText("does not answer");
  await page.unroute("**/api/**");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
});
