import { expectAccessible, expectHeadingsInOrder, expectNoSidewaysScroll, walk } from "./access";
import { expect, test } from "./fixtures";
import { SESSION } from "./play/answers";

const VIEWS = ["/", "/world?country=DE", "/products", "/products/p-1004", "/funnel?from=2026-11-20&to=2026-11-26", "/sessions", `/sessions/${SESSION}`, "/pipeline", "/login"];

for (const path of VIEWS) {
  test(`${path} in light and dark, wide and narrow`, async ({ page, play }) => {
    if (path === "/login") play.scenario.logIn = "users";
    await page.goto(path);
    await expect(path === "/login" ? page.getByLabel("User") : page.locator('.view[aria-busy="false"]')).toBeVisible();
    if (path.startsWith("/world")) await expect(page.locator(".world")).toBeVisible();
    await expectHeadingsInOrder(page);
    test.setTimeout(60_000);
    for (const [width, colorScheme] of [[1280, "light"], [1280, "dark"], [360, "dark"]] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await expectAccessible(page);
      await expectNoSidewaysScroll(page);
    }
  });
}

test("charts as tables are accessible and scroll by themselves", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto("/funnel?from=2026-11-20&to=2026-11-26");
  await expect(page.locator('.view[aria-busy="false"]')).toBeVisible();
  for (const table of await page.locator(".as-table > summary").all()) await table.click();
  await expect(page.getByRole("table", { name: "Funnel by hour" })).toBeVisible();
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
});

test("odd states are accessible too", async ({ page, play }) => {
  play.scenario.health = "down";
  play.scenario.store = "down";
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await expect(page.locator('[data-notice="store-down"]')).toBeVisible();
  await expectAccessible(page);
  await page.goto("/pipeline");
  await expect(page.locator(".notice").first()).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Dark colours" }).click();
  await expectAccessible(page);
});

test("everything is reached by the keyboard alone", async ({ page }) => {
  await page.goto("/world");
  await expect(page.getByTestId("country-row-US")).toBeVisible();
  const seen = await walk(page, 32);
  expect(seen[0]).toBe("Skip to the figures");
  for (const name of ["Now", "Pipeline", "Pipeline healthy", "7 days", "Other days", "Revenue"]) expect(seen).toContain(name);
  expect(seen.some((name) => name.startsWith("United States"))).toBe(true);
  await page.getByRole("button", { name: /^Germany/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/world?country=DE");
  await page.getByRole("button", { name: "Orders" }).focus();
  await page.keyboard.press("Space");
  await expect(page.getByRole("columnheader", { name: "Orders" })).toHaveAttribute("aria-sort", "descending");
  await page.getByText("Other days").focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("First day")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByLabel("First day")).toBeHidden();
});

test("the skip link skips, and a new view is read from its top", async ({ page }) => {
  await page.goto("/");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await page.getByRole("link", { name: "Funnel" }).press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await expect(page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Funnel" })).toHaveAttribute("aria-current", "page");
});

test("colours follow the system, and a choice is remembered", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto("/");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await page.getByRole("button", { name: "Light colours" }).click();
  const light = await background();
  expect(light).not.toBe(dark);
  await page.reload();
  await expect.poll(background).toBe(light);
});

test("nothing moves for who wants no motion", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).transitionDuration !== "0s" || getComputedStyle(one).animationName !== "none").length);
  expect(moving).toBe(0);
});
