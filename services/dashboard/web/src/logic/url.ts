/** The page's own addresses: which view, of which days and country. And the API's, made from them. */

export type View =
  | "now" | "world" | "products" | "product" | "funnel" | "sessions" | "session" | "pipeline" | "login" | "unknown";

export interface Route {
  view: View;
  /** Of a product or session. */
  id: string | null;
}

/** What stays when the view changes. As the address has it, unchecked: the server says what is wrong with it. */
export interface Filters {
  from?: string;
  to?: string;
  country?: string;
}

const PLAIN: Record<string, View> = {
  "/": "now", "/world": "world", "/products": "products", "/funnel": "funnel", "/sessions": "sessions",
  "/pipeline": "pipeline", "/login": "login",
};

export function parsePath(path: string): Route {
  const plain = PLAIN[path.length > 1 ? path.replace(/\/$/, "") : path];
  if (plain !== undefined) return { view: plain, id: null };
  const match = /^\/(products|sessions)\/([^/]+)$/.exec(path);
  if (match === null) return { view: "unknown", id: null };
  try {
    return { view: match[1] === "products" ? "product" : "session", id: decodeURIComponent(match[2] ?? "") };
  } catch {
    return { view: "unknown", id: null };
  }
}

/** The path of a view; the reverse of `parsePath`. */
export function pathOf(view: View, id: string | null = null): string {
  if (view === "product" || view === "session") return `/${view}s/${encodeURIComponent(id ?? "")}`;
  return view === "now" || view === "unknown" ? "/" : `/${view}`;
}

export function parseFilters(search: string): Filters {
  const query = new URLSearchParams(search);
  const filters: Filters = {};
  for (const name of ["from", "to", "country"] as const) {
    const value = query.get(name);
    if (value !== null && value !== "") filters[name] = value;
  }
  return filters;
}

type Parameters = Record<string, string | null | undefined>;

/** A query string with its question mark; what is empty is left out. */
export function query(parameters: Parameters): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") given.append(name, value);
  }
  const text = given.toString();
  return text === "" ? "" : `?${text}`;
}

/** The address of a view with these filters, and with what else that view alone knows. */
export function address(view: View, id: string | null, filters: Filters, own: Parameters = {}): string {
  return pathOf(view, id) + query({ from: filters.from, to: filters.to, country: filters.country, ...own });
}

/** The address with some of its parameters changed; an empty one goes away. */
export function changed(path: string, search: string, change: Parameters): string {
  const all: Parameters = Object.fromEntries(new URLSearchParams(search));
  return path + query({ ...all, ...change });
}

/** Where to go after logging in: only to the page's own views, and not to another origin. */
export function afterLogIn(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  if (!/^\/(?![/\\])/.test(next)) return "/";
  const route = parsePath(next.split(/[?#]/)[0] ?? "/");
  return route.view === "login" || route.view === "unknown" ? "/" : next;
}

/** Which filters mean something in a view. */
export function usesFilters(view: View): { days: boolean; country: boolean } {
  switch (view) {
    case "now": return { days: false, country: true };
    case "world": case "products": case "product": case "funnel": return { days: true, country: true };
    default: return { days: false, country: false };
  }
}

/** Paths of the API. */
export const api = {
  now: ({ country }: Filters) => `/api/now${query({ country })}`,
  stream: ({ country }: Filters) => `/api/stream${query({ country })}`,
  world: ({ from, to }: Filters, sort?: string, csv = false) => `/api/world${csv ? ".csv" : ""}${query({ from, to, sort })}`,
  products: ({ from, to, country }: Filters, own: { q?: string; sort?: string; limit?: string }, csv = false) =>
    `/api/products${csv ? ".csv" : ""}${query({ from, to, country, ...own })}`,
  product: (id: string, { from, to, country }: Filters) =>
    `/api/products/${encodeURIComponent(id)}${query({ from, to, country })}`,
  funnel: ({ from, to, country }: Filters, csv = false) => `/api/funnel${csv ? ".csv" : ""}${query({ from, to, country })}`,
  session: (id: string) => `/api/sessions/${encodeURIComponent(id)}`,
  pipeline: "/api/pipeline",
  meta: "/api/meta",
  logIn: "/api/login",
  logOut: "/api/logout",
  whoAmI: "/api/session",
};
