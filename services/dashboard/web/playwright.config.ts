import { defineConfig } from "@playwright/test";

/** Against the played server of `tests/browser/play`; browsers are Debian's. */
export default defineConfig({
  testDir: "tests/browser",
  testMatch: "*.spec.ts",
  testIgnore: "shots.spec.ts",
  fullyParallel: true,
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: [["line"]],
  forbidOnly: true,
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 900 },
    launchOptions: { executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
  },
});
