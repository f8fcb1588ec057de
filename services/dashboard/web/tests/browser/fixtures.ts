import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test as base, expect, type Page } from "@playwright/test";
import { Play } from "./play/server";

const DIST = join(dirname(fileURLToPath(import.meta.url)), "../../dist");

interface Own {
  /** What the page complained about. Empty at a test's end, unless the test says that it has to. */
  complaints: string[];
  play: Play;
}

export const test = base.extend<Own, { server: Play }>({
  server: [
    async ({}, use) => {
      const play = await Play.start(DIST);
      await use(play);
      await play.stop();
    },
    { scope: "worker" },
  ],
  play: [
    async ({ server }, use) => {
      server.reset();
      await use(server);
    },
    { auto: true },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  complaints: [
    async ({ page, server, play: _ }, use) => {
      const complaints: string[] = [];
      watch(page, server.url, complaints);
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

/** Errors in the console, and requests that leave the origin. Failed requests are the test's own doing. */
export function watch(page: Page, origin: string, complaints: string[]): void {
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:") && !url.startsWith("about:")) complaints.push(`request to ${url}`);
  });
}

export { expect };
