import { expect, type Page } from "@playwright/test";

/** Where a figure stands, and what the API says of it. */
export type Expected = [selector: string, value: unknown][];

interface Answer {
  as_of: string;
}

interface Shown {
  asOf: string;
  values: (string | null)[][];
}

/** What the page shows, all at one moment. A selector that is not there has no value. */
async function shown(page: Page, selectors: string[]): Promise<Shown> {
  return page.evaluate(
    (all) => ({
      asOf: document.querySelector<HTMLElement>(".view")?.dataset["asOf"] ?? "",
      values: all.map((selector) => [...document.querySelectorAll<HTMLElement>(selector)].map((one) => one.dataset["value"] ?? null)),
    }),
    selectors,
  );
}

/**
 * Waits until the page shows exactly what the API says, read at the same moment: figures of different moments may differ
 * while the shop is open. `event`: live views are compared with what the stream says, too.
 */
export async function expectAgreement<T extends Answer>(page: Page, path: string, expected: (answer: T) => Expected, event?: "now" | "pipeline"): Promise<T> {
  const answers = new Map<string, T[]>();
  if (event !== undefined) await listen(page, path, event);
  let difference = "the page never showed figures of a moment that the API told of";
  for (const end = Date.now() + 40_000; Date.now() < end; ) {
    const heard = await page.evaluate(
      async ({ path: question, live }) => {
        const own = (window as unknown as { heard?: unknown[] }).heard ?? [];
        return live ? [await (await fetch(question)).json(), ...own.splice(0)] : [await (await fetch(question)).json()];
      },
      { path, live: event !== undefined },
    );
    for (const answer of heard as T[]) answers.set(answer.as_of, [...(answers.get(answer.as_of) ?? []), answer]);
    const { asOf } = await shown(page, []);
    for (const answer of answers.get(asOf) ?? []) {
      const figures = expected(answer);
      const now = await shown(page, figures.map(([selector]) => selector));
      if (now.asOf !== asOf) break;
      const wrong = figures.flatMap(([selector, value], index) => {
        const values = now.values[index] ?? [];
        return values.length > 0 && values.every((one) => one === String(value)) ? [] : [`${selector}: page ${values.join(", ") || "nothing"}, API ${String(value)}`];
      });
      if (wrong.length === 0) {
        if (event !== undefined) await page.evaluate(() => (window as unknown as { hearing?: EventSource }).hearing?.close());
        return answer;
      }
      difference = `as of ${asOf}: ${wrong.slice(0, 5).join("; ")}`;
    }
    await page.waitForTimeout(150);
  }
  expect(difference, `the page and ${path}`).toBe("");
  throw new Error(difference);
}

/** Follows the same stream as the page. */
async function listen(page: Page, path: string, event: string): Promise<void> {
  await page.evaluate(
    ({ query, name }) => {
      const own = window as unknown as { heard: unknown[]; hearing: EventSource };
      own.heard = [];
      own.hearing = new EventSource(`/api/stream${query}`);
      own.hearing.addEventListener(name, (message) => own.heard.push(JSON.parse((message as MessageEvent<string>).data)));
    },
    { query: path.includes("?") ? path.slice(path.indexOf("?")) : "", name: event },
  );
}
