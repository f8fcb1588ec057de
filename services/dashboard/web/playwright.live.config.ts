import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";

/** Against a running dashboard, at DASHBOARD_URL; with STAGE=documents, while nothing changes, against the store too. */
export default defineConfig({
  ...base,
  testDir: "tests/live",
  testMatch: process.env["STAGE"] === "documents" ? "documents.spec.ts" : "live.spec.ts",
  testIgnore: [],
  fullyParallel: false,
  workers: 1,
  timeout: 240_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
});
