/** The answers of the dashboard's server, as docs/dashboard-api.md has them. */

export interface Meta {
  version: string; currency: string; currency_exponent: 2; now: string; today: string;
  user: string | null;            // who is logged in; null where no log-in is asked for
  grafana_url: string | null;     // where operators look further
  reads_per_viewer_hour: number | null;
  reads_per_viewer_hour_bound: number;
}

export interface Now {
  as_of: string;
  day: string;
  country: string | null;
  today: Day | null;              // null: no document, nothing happened yet
  yesterday: Day | null;          // all of yesterday
  yesterday_until_now: { revenue_minor: number; purchase_count: number } | null; // by this time of yesterday, from its windows
  minutes: Minute[];              // the last 60 UTC minutes, oldest first, gaps filled with zeros; empty with a country
  windows: QuarterHour[];              // the last 24 hours' windows that exist, oldest first
  watermark: string | null;
  active_sessions: number | null; // in memory of analytics, of all countries; null: its metrics are not reachable
  events_per_second: number | null;
  lag_events: number | null;
}
export interface Day {
  started_sessions_count: number; ended_sessions_count: number; purchase_count: number;
  revenue_minor: number; discount_minor: number; total_items_purchased: number; product_views_count: number;
  average_order_value_minor: number | null;   // rounded half to even
  items_per_order: number | null; discount_share: number | null; conversion_rate: number | null;
  sessions: Funnel;
}
export interface Funnel {
  sessions_count: number; viewing_sessions_count: number; carting_sessions_count: number; buying_sessions_count: number;
  closed_sessions_count: number; bounced_sessions_count: number;
  abandoned_carts_count: number; abandoned_carts_minor: number;
}
export interface Minute { start: string; events_count: number; purchase_count: number; revenue_minor: number; }
export interface QuarterHour extends Minute { is_final: boolean; events_after_close_count: number; } // events_count: of its minutes; 0 with a country

export interface World { as_of: string; from: string; to: string; countries: CountryRow[]; } // sorted by revenue, descending
export interface CountryRow extends Day { country: string; revenue_share: number | null; }

export interface Products {
  as_of: string; from: string; to: string; country: string | null;
  trending: Trending | null;      // null: no leaderboard yet
  products: ProductRow[];         // default sort: -interest_score
  is_complete: boolean;           // false: there are more than were looked at (the most interesting of each day)
  categories: CategoryRow[];
}
export interface Trending {
  latest_window: string;
  most_bought: { product: string; name: string; quantity: number; revenue_minor: number }[];
  rising: { product: string; name: string; interest_score: number; previous_interest_score: number; rise: number }[];
  omitted_products_count: number;
}
export interface ProductRow {
  id: string; name: string; views_count: number; added_to_cart_quantity: number; removed_from_cart_quantity: number;
  purchase_count: number; total_items_purchased: number; revenue_minor: number;
  conversion_rate: number | null; interest_score: number;
}
export interface CategoryRow extends ProductRow { product_related_view_count: number; }

export interface ProductPage {
  as_of: string; id: string; name: string; from: string; to: string; country: string | null;
  lifetime: ProductRow | null;
  days: ({ day: string } & ProductRow)[];     // oldest first, days without a document left out
  hours: ({ hour: string; is_final: boolean; events_after_close_count: number } & ProductRow)[]; // of the last day asked for; empty with a country
}

export interface FunnelPage {
  as_of: string; from: string; to: string; country: string | null;
  total: Funnel; rates: FunnelRates;
  by_day: ({ day: string; visits: Visits | null } & Funnel)[];
  by_hour: ({ hour: string } & Funnel)[];      // of the last day asked for
  by_country: ({ country: string } & Funnel)[]; // empty with a country
  visits: Visits | null;                        // of the last day asked for
}
export interface FunnelRates { viewing: number | null; carting: number | null; buying: number | null; bounce: number | null; abandonment: number | null; }
export interface Visits {
  unique_visitors_count: number; unique_visitors_standard_error: number; measured_sessions_count: number;
  p50_seconds: number | null; p90_seconds: number | null; p99_seconds: number | null; relative_error: number;
}

export interface Session {
  as_of: string; id: string; start_time: string | null; end_time: string | null; duration_seconds: number | null;
  user_id: string | null; agent: string | null;
  location: { country: string; state: string; city: string; latitude: number; longitude: number } | null;
  entries: SessionEntry[];        // by time
  omitted: { list: string; count: number }[];
}
export interface SessionEntry {
  time: string;
  kind: "started" | "category_viewed" | "product_viewed" | "added_to_cart" | "removed_from_cart" | "purchase" | "ended";
  category?: string; product?: string; quantity?: number; purchase?: {
    items: { product: string; quantity: number; subtotal_minor: number }[];
    total_minor: number; discount_minor: number; shipping_minor: number;
    payment_method: string; country: string; state: string; city: string; estimated_delivery: string;
  };
}

export interface Pipeline {
  as_of: string;
  health: "ok" | "degraded" | "down"; // down: no analytics answers; degraded: a part is not ready, or the lag grows over 10 s
  reasons: string[];                  // why it is not ok, in sentences
  services: { name: string; instance: string; reachable: boolean; ready: boolean; parts: { part: string; ready: boolean; state: string; detail: string }[] }[];
  produced_per_second: number | null; aggregated_per_second: number | null;
  partitions: { partition: number; lag_events: number | null; lag_seconds: number | null }[];
  latency: { tier: string; p50_seconds: number | null; p99_seconds: number | null }[]; // event to store, of the last minute
  duplicates: number | null;
  dead_letters: { reason: string; count: number }[];       // since the services began
  documents_per_event: number | null; documents_written: { tier: string; count: number }[];
  brokers: { broker: string; state: "connected" | "disconnected" }[];
  watermark: string | null;
  audit: { finished_at: string; messages: number; events: number; documents: number; differences: number; not_aggregated: number } | null;
}

/** The event `store` of the stream. */
export interface StoreState { state: "ok" | "down"; since: string; message: string; }
/** `/api/session`. */
export interface LogIn { required: boolean; kind: "none" | "token" | "users"; user: string | null; }
export interface ErrorBody { error: { code: string; message: string; parameter?: string }; }
