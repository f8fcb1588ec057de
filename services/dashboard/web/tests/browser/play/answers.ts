import type { FunnelPage, Pipeline, Products, ProductPage, Session, Visits, World } from "../../../src/api/types";
import { categoriesOf, countryRows, daysBetween, funnelOf, NOW, productsOf, row, sessionsOf, TODAY, trendingOf } from "./shop";

/** The played API's answers, but for Now. */

export interface Question {
  from: string;
  to: string;
  country: string | null;
  asOf: string;
}

export function world({ from, to, asOf }: Question, empty: boolean): World {
  return { as_of: asOf, from, to, countries: empty ? [] : countryRows(from, to) };
}

function share({ country, from, to }: Question): number {
  const days = daysBetween(from, to);
  const of = (who: string | null) => days.reduce((sum, day) => sum + sessionsOf(who, day), 0);
  return of(null) === 0 ? 0 : (of(country) / of(null)) * days.length;
}

export function products(question: Question, q: string, sort: string, limit: number, empty: boolean): Products {
  const part = empty ? 0 : share(question);
  return {
    as_of: question.asOf, from: question.from, to: question.to, country: question.country, trending: empty ? null : trendingOf(),
    products: part === 0 ? [] : productsOf(part, q, sort, limit), is_complete: true, categories: part === 0 ? [] : categoriesOf(part),
  };
}

export function product(question: Question, id: string): ProductPage | null {
  const known = productsOf(1, "", "id", 500).find((one) => one.id === id);
  if (known === undefined) return null;
  const hours = question.country === null ? 20 : 0;
  return {
    as_of: question.asOf, id, name: known.name, from: question.from, to: question.to, country: question.country,
    lifetime: row(id, known.name, known.views_count * 40, 0.5),
    days: daysBetween(question.from, question.to).filter((day) => sessionsOf(question.country, day) > 0)
      .map((day, index) => ({ day, ...row(id, known.name, Math.round(known.views_count * (0.7 + (index % 5) * 0.1)), 0.4) })),
    hours: Array.from({ length: hours }, (_, hour) => ({
      hour: `${question.to}T${String(hour).padStart(2, "0")}`, is_final: hour < hours - 1, events_after_close_count: 0,
      ...row(id, known.name, Math.round((known.views_count / 20) * (0.5 + (hour % 7) * 0.15)), 0.4),
    })),
  };
}

const VISITS: Visits = {
  unique_visitors_count: 3_912, unique_visitors_standard_error: 0.01625, measured_sessions_count: 3_840, p50_seconds: 184,
  p90_seconds: 611, p99_seconds: 1_502, relative_error: 0.01,
};

export function funnel(question: Question, empty: boolean): FunnelPage {
  const { from, to, country } = question;
  const days = empty ? [] : daysBetween(from, to).filter((day) => sessionsOf(country, day) > 0);
  const sessions = days.reduce((sum, day) => sum + sessionsOf(country, day), 0);
  const total = funnelOf(sessions, country ?? "all");
  const part = (count: number, of: number) => (of === 0 ? null : count / of);
  return {
    as_of: question.asOf, from, to, country, total,
    rates: {
      viewing: part(total.viewing_sessions_count, total.sessions_count), carting: part(total.carting_sessions_count, total.sessions_count),
      buying: part(total.buying_sessions_count, total.sessions_count), bounce: part(total.bounced_sessions_count, total.closed_sessions_count),
      abandonment: part(total.abandoned_carts_count, total.carting_sessions_count),
    },
    by_day: days.map((day) => ({ day, visits: VISITS, ...funnelOf(sessionsOf(country, day), day) })),
    by_hour: days.includes(to) ? Array.from({ length: to === TODAY ? 20 : 24 }, (_, hour) => ({
      hour: `${to}T${String(hour).padStart(2, "0")}`, ...funnelOf(Math.round((sessionsOf(country, to) / 22) * (0.5 + Math.abs(Math.sin(hour / 5)))), `${to}${hour}`),
    })) : [],
    by_country: country !== null || days.length === 0 ? [] : countryRows(from, to).map((one) => ({ country: one.country, ...one.sessions })),
    visits: days.includes(to) ? VISITS : null,
  };
}

export const SESSION = "5f0c2a4e-9d1b-4c7a-8b43-2f6f0f8a1c22";

export function session(id: string, asOf: string): Session | null {
  if (id !== SESSION) return null;
  const at = (seconds: number) => new Date(Date.parse(`${TODAY}T18:59:00Z`) + seconds * 1000).toISOString();
  return {
    as_of: asOf, id, start_time: at(0), end_time: at(402), duration_seconds: 402, user_id: "user-20817",
    agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    location: { country: "DE", state: "Bavaria", city: "Munich", latitude: 48.137, longitude: 11.575 },
    entries: [
      { time: at(0), kind: "started" }, { time: at(9), kind: "category_viewed", category: "kitchen" },
      { time: at(31), kind: "product_viewed", product: "p-1004", category: "kitchen" }, { time: at(95), kind: "added_to_cart", product: "p-1004", quantity: 2 },
      { time: at(140), kind: "product_viewed", product: "p-1008" }, { time: at(188), kind: "added_to_cart", product: "p-1008", quantity: 1 },
      { time: at(230), kind: "removed_from_cart", product: "p-1004", quantity: 1 },
      {
        time: at(371), kind: "purchase", purchase: {
          items: [{ product: "p-1004", quantity: 1, subtotal_minor: 12_900 }, { product: "p-1008", quantity: 1, subtotal_minor: 4_550 }],
          total_minor: 16_205, discount_minor: 1_745, shipping_minor: 500, payment_method: "credit_card", country: "DE", state: "Bavaria",
          city: "Munich", estimated_delivery: "2026-11-29T12:00:00Z",
        },
      },
      { time: at(402), kind: "ended" },
    ],
    omitted: [{ list: "products_viewed", count: 3 }],
  };
}

export function pipeline(health: Pipeline["health"], tick: number): Pipeline {
  const ok = health === "ok";
  const parts = ["aggregate", "materialise", "store", "brokers"].map((part) => ({
    part, ready: ok || part !== "store", state: ok || part !== "store" ? "working" : "waiting", detail: ok || part !== "store" ? "" : "the store refused the last 3 attempts",
  }));
  return {
    as_of: new Date(NOW + tick * 1000).toISOString(), health,
    reasons: ok ? [] : health === "down" ? ["No analytics answers."] : ["The store is not ready.", "The lag has grown for 10 seconds."],
    services: [
      { name: "simulator", instance: "127.0.0.1:9101", reachable: true, ready: true, parts: [] },
      { name: "analytics", instance: "127.0.0.1:9102", reachable: health !== "down", ready: ok, parts: health === "down" ? [] : parts },
    ],
    produced_per_second: 2_391.2, aggregated_per_second: health === "down" ? null : 2_387.4,
    partitions: health === "down" ? [] : Array.from({ length: 12 }, (_, partition) => ({ partition, lag_events: partition === 7 ? 96 : 10 + partition * 2, lag_seconds: partition === 7 ? 0.41 : 0.12 })),
    latency: [
      { tier: "hot", p50_seconds: 0.177, p99_seconds: 0.96 }, { tier: "warm", p50_seconds: 0.71, p99_seconds: 1.9 },
      { tier: "cold", p50_seconds: 2.1, p99_seconds: 4.4 }, { tier: "session", p50_seconds: null, p99_seconds: null },
    ],
    duplicates: 214, dead_letters: [{ reason: "not_json", count: 41 }, { reason: "missing_field", count: 17 }, { reason: "impossible_time", count: 6 }],
    documents_per_event: 0.0514, documents_written: [{ tier: "hot", count: 48_212 }, { tier: "warm", count: 121_977 }, { tier: "cold", count: 233_019 }, { tier: "session", count: 91_204 }],
    brokers: [{ broker: "localhost:19092", state: "connected" }, { broker: "localhost:19094", state: "connected" }, { broker: "localhost:19096", state: ok ? "connected" : "disconnected" }],
    watermark: new Date(NOW - 2_000).toISOString(),
    audit: { finished_at: `${TODAY}T18:00:12Z`, messages: 1_204_113, events: 1_203_822, documents: 41_694, differences: 0, not_aggregated: 0 },
  };
}

export function csv(rows: object[]): string {
  const names = Object.keys(rows[0] ?? {});
  return [names.join(","), ...rows.map((one) => names.map((name) => String((one as Record<string, unknown>)[name])).join(","))].join("\r\n");
}

