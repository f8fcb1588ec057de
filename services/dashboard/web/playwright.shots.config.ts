import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";

/** Pictures of every view of the played shop, to look at. */
export default defineConfig({ ...base, testMatch: "shots.spec.ts", testIgnore: [] });
