/** Days are `YYYY-MM-DD`, in UTC. */

export const MOST_DAYS = 31;
const DAY_MILLISECONDS = 86_400_000;

/** Whether this is a day that exists. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MILLISECONDS).toISOString().slice(0, 10);
}

/** How many days these are, both included. */
export function daysIn(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MILLISECONDS) + 1;
}

export interface Range {
  from?: string | undefined;
  to?: string | undefined;
}

/** What is wrong with a range that someone typed, in words; null: nothing. */
export function rangeFault(from: string, to: string): string | null {
  if (!isDay(from)) return "Choose the first day.";
  if (!isDay(to)) return "Choose the last day.";
  if (from > to) return "The first day is after the last.";
  if (daysIn(from, to) > MOST_DAYS) return `At most ${MOST_DAYS} days; these are ${daysIn(from, to)}.`;
  return null;
}

/** Whether figures of this range can still change from one moment to the next. */
export function includesToday(range: Range, today: string): boolean {
  return (range.from ?? today) <= today && (range.to ?? today) >= today;
}

export interface Preset {
  name: string;
  range: Range;
}

/** The ranges that have a button. Today is the default, so it is no parameter. */
export function presets(today: string): Preset[] {
  const yesterday = addDays(today, -1);
  return [
    { name: "Today", range: {} },
    { name: "Yesterday", range: { from: yesterday, to: yesterday } },
    { name: "7 days", range: { from: addDays(today, -6), to: today } },
    { name: `${MOST_DAYS} days`, range: { from: addDays(today, 1 - MOST_DAYS), to: today } },
  ];
}

/** Whether two ranges are the same days. */
export function sameRange(one: Range, other: Range, today: string): boolean {
  return (one.from ?? today) === (other.from ?? today) && (one.to ?? today) === (other.to ?? today);
}
