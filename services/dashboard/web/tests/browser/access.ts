import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** No serious or critical violation of what axe knows. The 250 options of the countries are the browser's own. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).exclude("option").analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`)).toEqual([]);
}

/** The page itself does not scroll sideways; what is wider scrolls by itself. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { inner, wide } = await page.evaluate(() => ({ inner: document.documentElement.clientWidth, wide: document.documentElement.scrollWidth }));
  expect(wide).toBeLessThanOrEqual(inner);
}

/** One h1, and no heading that leaves out a level. */
export async function expectHeadingsInOrder(page: Page): Promise<void> {
  const levels = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName.slice(1))));
  expect(levels.filter((level) => level === 1)).toHaveLength(1);
  levels.forEach((level, index) => expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1));
}

/** Walks by Tab and returns what had the focus, each in words; every one of them shows it. */
export async function walk(page: Page, steps: number): Promise<string[]> {
  const seen: string[] = [];
  for (let step = 0; step < steps; step++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { name: element.getAttribute("aria-label") ?? element.textContent?.trim() ?? "", shown: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, tag: element.tagName };
    });
    if (at === null) continue;
    expect(at.shown, `focus is visible on ${at.tag} ${at.name.slice(0, 40)}`).toBe(true);
    seen.push(at.name);
  }
  return seen;
}
