import { expect, test } from "./fixtures";
import { TOKEN } from "./play/server";

test("a token lets one in, to where one wanted to be, and out again", async ({ page, play }) => {
  play.scenario.logIn = "token";
  await page.goto("/funnel?country=DE");
  await expect(page).toHaveURL(/\/login\?next=%2Ffunnel%3Fcountry%3DDE/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Log in");
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page).toHaveURL("/funnel?country=DE");
  await expect(page.getByTestId("funnel-sessions")).toBeVisible();
  await expect(page.getByTestId("stream-state")).toHaveAttribute("data-value", "live");
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.goto("/");
  await expect(page).toHaveURL(/\/login/);
});

test("a wrong token, and too many of them", async ({ page, play }) => {
  play.scenario.logIn = "token";
  await page.goto("/login");
  await page.getByLabel("Token").fill("wrong");
  for (let attempt = 0; attempt < 5; attempt++) {
    const answered = page.waitForResponse("**/api/login");
    await page.getByRole("button", { name: "Log in" }).click();
    await answered;
    await expect(page.locator('[data-notice="wrong-log-in"]')).toContainText("This token is wrong");
  }
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.locator('[data-notice="too-many-tries"]')).toContainText(/Try again in \d+ seconds/);
  await expect(page.getByRole("button", { name: "Log in" })).toBeDisabled();
});

test("users log in by name", async ({ page, play }) => {
  play.scenario.logIn = "users";
  await page.goto("/");
  await page.getByLabel("User").fill("ada");
  await page.getByLabel("Password").fill(TOKEN);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
});

test("a log-in that ran out asks for another", async ({ page, play }) => {
  play.scenario.logIn = "token";
  await page.context().addCookies([{ name: "played", value: "1", url: play.url }]);
  await page.goto("/");
  await expect(page.getByTestId("revenue-today")).toBeVisible();
  await page.context().clearCookies();
  play.scenario.stream = "refused";
  play.cut();
  await expect(page).toHaveURL(/\/login\?next=%2F/);
});

test("where none is needed, the log-in page says so", async ({ page }) => {
  await page.goto("/login");
  await expect(page.locator('[data-notice="no-log-in"]')).toBeVisible();
});
