import { defineConfig } from "vitest/config";
import { countries } from "./build/countries.ts";

/** The page is one HTML file and hashed files below `/assets/`; the server embeds them. */
export default defineConfig({
  plugins: [countries()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    assetsDir: "assets",
    // Nothing inline: the page's Content-Security-Policy allows files of its own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // These know `light-dark()` in CSS, which both themes are made of.
    target: ["chrome123", "edge123", "firefox120", "safari17.5"],
    reportCompressedSize: true,
  },
  test: { include: ["tests/unit/**/*.test.ts"], environment: "node" },
});
