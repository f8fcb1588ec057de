import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./fixtures";
import { SESSION } from "./play/answers";

const DIRECTORY = process.env["SCREENSHOTS"] ?? "test-results/shots";
const WEEK = "?from=2026-11-20&to=2026-11-26";
const VIEWS: [string, string][] = [
  ["now", "/"], ["world", "/world?country=DE"], ["products", `/products${WEEK}`], ["product", `/products/p-1004${WEEK}`], ["funnel", `/funnel${WEEK}`],
  ["session", `/sessions/${SESSION}`], ["pipeline", "/pipeline"],
];

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    test(`${scheme} at ${width}`, async ({ browser, play }) => {
      test.setTimeout(60_000);
      mkdirSync(DIRECTORY, { recursive: true });
      const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 800 } });
      for (const [name, path] of VIEWS) {
        await page.goto(play.url + path);
        await expect(page.locator('.view[aria-busy="false"]')).toBeVisible();
        if (name === "world") await expect(page.locator(".world")).toBeVisible();
        await page.screenshot({ path: join(DIRECTORY, `${name}-${scheme}-${width}.png`), fullPage: true });
      }
      await page.close();
    });
  }
}
