import type { Funnel, Now } from "../api/types";

/** The change from one figure to another as a share of the first; null: there is nothing to compare with. */
export function change(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now === null || now === undefined || before === null || before === undefined || before === 0) return null;
  return now / before - 1;
}

export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

/** Whether nothing ever reached the shop, as far as Now can tell. */
export function isEmptyShop(now: Now): boolean {
  return now.today === null && now.yesterday === null && now.windows.length === 0
    && now.minutes.every((minute) => minute.events_count === 0);
}

/** Yesterday's order value by this time, from what is known of it. */
export function averageUntilNow(now: Now): number | null {
  const before = now.yesterday_until_now;
  return before === null ? null : share(before.revenue_minor, before.purchase_count);
}

export interface FunnelStep {
  key: "sessions" | "viewing" | "carting" | "buying";
  name: string;
  count: number;
  /** Of all sessions. */
  ofAll: number | null;
  /** What of this step took the next; null for the last. */
  goOn: number | null;
}

export function funnelSteps(funnel: Funnel): FunnelStep[] {
  const steps: [FunnelStep["key"], string, number][] = [
    ["sessions", "Came", funnel.sessions_count],
    ["viewing", "Looked at something", funnel.viewing_sessions_count],
    ["carting", "Filled a cart", funnel.carting_sessions_count],
    ["buying", "Bought", funnel.buying_sessions_count],
  ];
  return steps.map(([key, name, count], index) => ({
    key,
    name,
    count,
    ofAll: share(count, funnel.sessions_count),
    goOn: index === steps.length - 1 ? null : share(steps[index + 1]?.[2] ?? 0, count),
  }));
}

