import { includesToday } from "../logic/days";
import { countryName } from "../logic/format";
import type { Filters } from "../logic/url";
import { rangeText } from "./filters";

/** What figures are of, in words: "20 Nov 2026 – 26 Nov 2026 (UTC), Germany". */
export function ofText({ from, to }: { from: string; to: string }, country: string | null | undefined): string {
  return `${rangeText(from, to)} (UTC), ${country ? countryName(country) : "all countries"}`;
}

/** Whether these figures still change. While today is not known they may. */
export function changes(filters: Filters, today: string | undefined): boolean {
  return today === undefined || includesToday(filters, today);
}
