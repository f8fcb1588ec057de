import type { Pipeline } from "../api/types";

/** Whether live figures arrive. */
export type StreamState = "connecting" | "live" | "reconnecting" | "paused";
export type Health = Pipeline["health"] | "unknown";

export type Tone = "good" | "warn" | "bad" | "quiet";

/** After so long without a word nobody can say that the pipeline is healthy. */
export const STALE_MILLISECONDS = 10_000;

/** What may be said of the pipeline's health, given how old the last word of it is. */
export function healthNow(pipeline: Pipeline | null, ageMilliseconds: number | null): Health {
  if (pipeline === null || ageMilliseconds === null || ageMilliseconds > STALE_MILLISECONDS) return "unknown";
  return pipeline.health;
}

export const HEALTH_WORDS: Record<Health, { word: string; tone: Tone }> = {
  ok: { word: "Pipeline healthy", tone: "good" },
  degraded: { word: "Pipeline degraded", tone: "warn" },
  down: { word: "Pipeline down", tone: "bad" },
  unknown: { word: "Pipeline unknown", tone: "quiet" },
};

export const STREAM_WORDS: Record<StreamState, { word: string; tone: Tone }> = {
  connecting: { word: "Connecting", tone: "quiet" },
  live: { word: "Live", tone: "good" },
  reconnecting: { word: "Reconnecting", tone: "warn" },
  paused: { word: "Paused", tone: "quiet" },
};

const PARTS: Record<string, string> = {
  aggregate: "counting of events",
  materialise: "writing of documents",
  store: "store",
  brokers: "connection to Kafka",
};

/** What a part of a service does, in words. */
export function partName(part: string): string {
  return PARTS[part] ?? part;
}

const REASONS: Record<string, string> = {
  empty: "without content",
  too_large: "larger than 262,144 bytes",
  not_utf8: "bytes that are not UTF-8",
  not_json: "not JSON, or cut off",
  missing_field: "a required field is missing or there twice",
  wrong_type: "a field of another type",
  unknown_event_type: "an event type that does not exist",
  impossible_country: "a country that does not exist",
  impossible_amount: "an amount below zero, too large or finer than a cent",
  impossible_time: "a time that can't be read",
  impossible_value: "a value out of range",
  foreign_currency: "a price in another currency",
};

/** Why a message was no event, in words. */
export function deadLetterReason(reason: string): string {
  return REASONS[reason] ?? "";
}

const TIERS: Record<string, string> = {
  hot: "shop, countries, payments",
  warm: "products, categories, hours, visits",
  cold: "products by country, deliveries",
  session: "histories of sessions",
};

export function tierName(tier: string): string {
  return TIERS[tier] ?? "";
}

/** How long to wait before the next attempt: doubles up to half a minute, and a little apart from other viewers. */
export function backoff(attempt: number, random: number = Math.random()): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(attempt, 10)) * (0.8 + 0.4 * random);
}
