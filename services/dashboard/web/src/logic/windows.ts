import type { QuarterHour } from "../api/types";

const STEP = 15 * 60_000;
const DAY_STEPS = 96;

/** The last 24 hours without gaps: where nothing happened there is no document, and the chart shows nothing. */
export function fillQuarterHours(windows: readonly QuarterHour[], asOf: string): QuarterHour[] {
  const known = new Map(windows.map((one) => [Date.parse(one.start), one]));
  const latest = Math.max(Math.floor(Date.parse(asOf) / STEP) * STEP, ...known.keys());
  const all: QuarterHour[] = [];
  for (let index = DAY_STEPS - 1; index >= 0; index--) {
    const at = latest - index * STEP;
    all.push(
      known.get(at) ?? {
        start: new Date(at).toISOString(), events_count: 0, purchase_count: 0, revenue_minor: 0, is_final: true,
        events_after_close_count: 0,
      },
    );
  }
  return all;
}
