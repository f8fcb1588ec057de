import type { CountryRow, Day, Funnel, Now, Products, ProductRow, QuarterHour, Trending } from "../../../src/api/types";

/** A played shop: the same figures each time, and they add up. */

export const TODAY = "2026-11-26";
export const NOW = Date.parse(`${TODAY}T19:42:30Z`);

const COUNTRIES: [string, number][] = [
  ["US", 34], ["DE", 17], ["GB", 14], ["FR", 11], ["JP", 9], ["CA", 8], ["AU", 6], ["BR", 6], ["IN", 5], ["ES", 5],
  ["IT", 5], ["NL", 4], ["PL", 4], ["SE", 3], ["MX", 3], ["KR", 3], ["CH", 2], ["AT", 2], ["SG", 2], ["ZA", 1], ["NZ", 1],
  ["NG", 1], ["KE", 1],
];
const NAMES = [
  "Nordic desk lamp", "Walnut bookshelf", "Alpine rain jacket", "Compact espresso maker", "Heritage leather belt",
  "Urban smart watch", "Coastal beach tent", "Copper tea set", "Everyday water bottle", "Classic crime novel",
  "Sage face cream", "Ivory jigsaw puzzle", "Nordic wool blanket", "Alpine trail shoes", "Compact webcam",
  "Walnut cutting board", "Urban denim jeans", "Heritage chef’s knife", "Coastal floor rug", "Classic board game",
  "Copper garden lantern", "Everyday storage box", "Sage shampoo bar", "Ivory summer dress", "Nordic action camera",
  "Alpine sleeping bag", "Compact portable speaker", "Walnut wall clock", "Urban sneakers", "Heritage travel guide",
];
const CATEGORIES: [string, string][] = [
  ["electronics", "Electronics"], ["home", "Home & Living"], ["fashion", "Fashion"], ["sports", "Sports & Outdoors"],
  ["kitchen", "Kitchen"], ["books", "Books"],
];

/** Numbers between 0 and 1 that look random and are the same each time. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function seedOf(text: string): number {
  let seed = 7;
  for (const letter of text) seed = Math.imul(seed, 31) + letter.charCodeAt(0);
  return seed >>> 0;
}

export function funnelOf(sessions: number, key: string): Funnel {
  const roll = dice(seedOf(key));
  const viewing = Math.round(sessions * (0.84 + roll() * 0.04));
  const carting = Math.round(viewing * (0.42 + roll() * 0.06));
  const buying = Math.round(carting * (0.5 + roll() * 0.1));
  const closed = Math.round(sessions * 0.96);
  const abandoned = Math.round((carting - buying) * 0.9);
  return {
    sessions_count: sessions, viewing_sessions_count: viewing, carting_sessions_count: carting,
    buying_sessions_count: buying, closed_sessions_count: closed,
    bounced_sessions_count: Math.round(closed * (0.14 + roll() * 0.05)), abandoned_carts_count: abandoned,
    abandoned_carts_minor: abandoned * 8_417 + Math.round(roll() * 90),
  };
}

export function dayOf(sessions: number, key: string): Day {
  const roll = dice(seedOf(`day ${key}`));
  const funnel = funnelOf(sessions, key);
  const purchases = funnel.buying_sessions_count;
  const revenue = Math.round(purchases * (24_000 + roll() * 9_000));
  const discount = Math.round(revenue * 0.043);
  const views = Math.round(sessions * 5.3);
  const pieces = Math.round(purchases * 2.4);
  return {
    started_sessions_count: sessions, ended_sessions_count: Math.round(sessions * 0.9), purchase_count: purchases,
    revenue_minor: revenue, discount_minor: discount, total_items_purchased: pieces, product_views_count: views,
    average_order_value_minor: purchases === 0 ? null : Math.round(revenue / purchases),
    items_per_order: purchases === 0 ? null : pieces / purchases,
    discount_share: revenue === 0 ? null : discount / (revenue + discount),
    conversion_rate: views === 0 ? null : purchases / views, sessions: funnel,
  };
}

/** How many sessions a country has in a day. */
export function sessionsOf(country: string | null, day: string): number {
  const weight = country === null ? 147 : (COUNTRIES.find(([code]) => code === country)?.[1] ?? 0);
  return day > TODAY || day < "2026-10-01" ? 0 : Math.round(weight * (30 + dice(seedOf(day))() * 8) * (day === TODAY ? 0.8 : 1));
}

export function countryRows(from: string, to: string): CountryRow[] {
  const rows = COUNTRIES.flatMap(([country]) => {
    const sessions = daysBetween(from, to).reduce((sum, day) => sum + sessionsOf(country, day), 0);
    return sessions === 0 ? [] : [{ country, revenue_share: null as number | null, ...dayOf(sessions, country) }];
  }).sort((one, other) => other.revenue_minor - one.revenue_minor);
  const all = rows.reduce((sum, row) => sum + row.revenue_minor, 0);
  return rows.map((row) => ({ ...row, revenue_share: all === 0 ? null : row.revenue_minor / all }));
}

export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** Busy in the evening, quiet at night. */
function rhythm(hour: number): number {
  return 0.55 + 0.45 * Math.sin(((hour - 9) / 24) * 2 * Math.PI);
}

export function nowOf(country: string | null, tick: number): Now {
  const start = new Date(NOW + tick * 1000);
  const share = country === null ? 1 : sessionsOf(country, TODAY) / sessionsOf(null, TODAY);
  const roll = dice(42);
  const minute = Math.floor(start.getTime() / 60_000) * 60_000;
  const minutes = Array.from({ length: 60 }, (_, index) => {
    const partial = index === 59 ? 0.5 : 1;
    const purchases = Math.round((3 + roll() * 5) * partial);
    return {
      start: new Date(minute - (59 - index) * 60_000).toISOString(), events_count: Math.round((1150 + roll() * 420) * partial),
      purchase_count: purchases, revenue_minor: Math.round(purchases * (22_000 + roll() * 12_000)),
    };
  });
  const quarter = Math.floor(start.getTime() / 900_000) * 900_000;
  const windows: QuarterHour[] = Array.from({ length: 96 }, (_, index) => {
    const at = new Date(quarter - (95 - index) * 900_000);
    const purchases = Math.round((40 + roll() * 30) * rhythm(at.getUTCHours() + at.getUTCMinutes() / 60) * share * (index === 95 ? 0.8 : 1));
    return {
      start: at.toISOString(), events_count: country === null ? purchases * 260 : 0, purchase_count: purchases,
      revenue_minor: Math.round(purchases * (24_000 + roll() * 6_000)), is_final: index < 94,
      events_after_close_count: index === 40 ? 3 : 0,
    };
  });
  const today = dayOf(sessionsOf(country, TODAY), country ?? "all");
  const yesterday = dayOf(sessionsOf(country, "2026-11-25"), `${country ?? "all"} yesterday`);
  return {
    as_of: start.toISOString(), day: TODAY, country,
    today: { ...today, revenue_minor: today.revenue_minor + tick * 101, purchase_count: today.purchase_count + tick }, yesterday,
    yesterday_until_now: { revenue_minor: Math.round(yesterday.revenue_minor * 0.74), purchase_count: Math.round(yesterday.purchase_count * 0.75) },
    minutes: country === null ? minutes : [], windows, watermark: new Date(start.getTime() - 2_000).toISOString(),
    active_sessions: 1_284 + tick, events_per_second: 2_387.4, lag_events: 312,
  };
}

export function productsOf(share: number, q: string, sort: string, limit: number): ProductRow[] {
  const roll = dice(99);
  const rows = NAMES.map((name, index) => row(`p-${String(1001 + index)}`, name, Math.round((2600 / (1 + index * 0.35)) * (0.8 + roll() * 0.4) * share), roll()));
  const field = (sort.startsWith("-") ? sort.slice(1) : sort) as keyof ProductRow;
  const found = rows.filter((one) => `${one.name} ${one.id}`.toLowerCase().includes(q.toLowerCase()));
  const order = (one: ProductRow, other: ProductRow) => {
    const [left, right] = [one[field] ?? 0, other[field] ?? 0];
    return left < right ? -1 : left > right ? 1 : 0;
  };
  found.sort((one, other) => (sort.startsWith("-") ? -order(one, other) : order(one, other)));
  return found.slice(0, limit);
}

export function row(id: string, name: string, views: number, luck: number): ProductRow {
  const added = Math.round(views * 0.19);
  const removed = Math.round(added * 0.21);
  const purchases = Math.round(views * (0.03 + luck * 0.05));
  const pieces = Math.round(purchases * 1.3);
  return {
    id, name, views_count: views, added_to_cart_quantity: added, removed_from_cart_quantity: removed, purchase_count: purchases,
    total_items_purchased: pieces, revenue_minor: pieces * (1_900 + Math.round(luck * 12_000)),
    conversion_rate: views === 0 ? null : purchases / views, interest_score: views + added * 3 - removed * 2 + pieces * 5,
  };
}

export function categoriesOf(share: number): Products["categories"] {
  const roll = dice(5);
  return CATEGORIES.map(([id, name]) => {
    const views = Math.round((3000 + roll() * 4000) * share);
    return { ...row(id, name, views, roll()), product_related_view_count: Math.round(views * 2.7) };
  });
}

export function trendingOf(): Trending {
  return {
    latest_window: `${TODAY}T19:30:00Z`,
    most_bought: NAMES.slice(0, 12).map((name, index) => ({ product: `p-${1001 + index}`, name, quantity: 48 - index * 3, revenue_minor: (48 - index * 3) * 4_990 })),
    rising: NAMES.slice(8, 18).map((name, index) => ({ product: `p-${1009 + index}`, name, interest_score: 900 - index * 40, previous_interest_score: 500, rise: 400 - index * 40 })),
    omitted_products_count: 0,
  };
}
