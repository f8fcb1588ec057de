import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { LogIn, Now, Pipeline } from "../../../src/api/types";
import * as answers from "./answers";
import { countryRows, NOW, nowOf, TODAY } from "./shop";

/** Exactly what the real server says. */
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
export const TOKEN = "a-token-of-the-played-server";

const PAGES = /^\/(?:world|products(?:\/[^/]+)?|funnel|sessions(?:\/[^/]+)?|pipeline|login)?$/;
const TYPES: Record<string, string> = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8" };

export interface Scenario {
  shop: "normal" | "empty" | "nothing-today";
  store: "ok" | "down" | "refused";
  health: Pipeline["health"];
  /** `refused`: nobody gets a stream; `silent`: it opens and says nothing. */
  stream: "open" | "refused" | "silent";
  logIn: LogIn["kind"];
}

const NORMAL: Scenario = { shop: "normal", store: "ok", health: "ok", stream: "open", logIn: "none" };

/** A server that plays the dashboard's: the real files and headers, and figures that a test chooses. */
export class Play {
  scenario: Scenario = { ...NORMAL };
  /** Paths that were asked for, with their queries. */
  asked: string[] = [];
  private tick = 0;
  private tries = 0;
  private readonly streams = new Map<ServerResponse, string | null>();
  private constructor(private readonly server: Server, private readonly dist: string) {}

  static async start(dist: string, port = 0): Promise<Play> {
    const server = createServer();
    const play = new Play(server, dist);
    server.on("request", (request, response) => play.answer(request, response));
    await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    return play;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.scenario = { ...NORMAL };
    this.asked = [];
    this.tick = 0;
    this.tries = 0;
    this.cut();
  }

  /** Ends all streams. Whether new ones open is the scenario's. */
  cut(): void {
    for (const response of this.streams.keys()) response.destroy();
    this.streams.clear();
  }

  /** A moment later: new figures for who follows. */
  advance(): void {
    this.tick++;
    for (const [response, country] of this.streams) this.say(response, country);
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  now(country: string | null): Now {
    const now = nowOf(country, this.tick);
    const nothing = { ...now, today: null, yesterday: null, yesterday_until_now: null, windows: [], minutes: now.minutes.map((one) => ({ ...one, events_count: 0, purchase_count: 0, revenue_minor: 0 })) };
    if (this.scenario.shop === "empty") return { ...nothing, watermark: null, active_sessions: 0, events_per_second: 0, lag_events: 0 };
    return this.scenario.shop === "nothing-today" || now.today?.started_sessions_count === 0 ? { ...nothing, yesterday: now.yesterday } : now;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    this.asked.push(url.pathname + url.search);
    response.setHeader("content-security-policy", CSP);
    response.setHeader("x-content-type-options", "nosniff");
    if (!url.pathname.startsWith("/api/")) return this.file(url.pathname, response);
    response.setHeader("cache-control", "no-store");
    try {
      this.api(url, request, response);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.retryAfter !== null) response.setHeader("retry-after", String(error.retryAfter));
      json(response, error.status, { error: { code: error.code, message: error.message, ...(error.parameter ? { parameter: error.parameter } : {}) } });
    }
  }

  private file(path: string, response: ServerResponse): void {
    const file = join(this.dist, PAGES.test(path) ? "index.html" : path);
    if (!file.startsWith(this.dist) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
  }

  private api(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const { logIn, health } = this.scenario;
    const loggedIn = logIn === "none" || (request.headers.cookie ?? "").includes("played=1");
    if (url.pathname === "/api/session") return json(response, 200, { required: logIn !== "none", kind: logIn, user: loggedIn && logIn !== "none" ? "ada" : null });
    if (url.pathname === "/api/login") return this.logIn(request, response);
    if (url.pathname === "/api/logout") {
      response.writeHead(204, { "set-cookie": "played=; Max-Age=0" }).end();
      return;
    }
    if (!loggedIn) throw new Refusal(401, "unauthorized", "Log in first.");
    if (url.pathname === "/api/meta") {
      return json(response, 200, {
        version: "0.0.0", currency: "USD", currency_exponent: 2, now: new Date(NOW).toISOString(), today: TODAY, user: logIn === "none" ? null : "ada",
        grafana_url: null, reads_per_viewer_hour: 3600, reads_per_viewer_hour_bound: 20_000,
      });
    }
    if (url.pathname === "/api/pipeline") return json(response, 200, answers.pipeline(health, this.tick));
    const country = countryOf(url);
    if (url.pathname === "/api/stream") return this.stream(country, response);
    if (this.scenario.store === "down") throw new Refusal(503, "store_unavailable", "The store did not answer within 2 s.", null, 1);
    if (this.scenario.store === "refused") throw new Refusal(500, "store_refused", "The store answered: permission denied.");
    this.figures(url, country, response);
  }

  private figures(url: URL, country: string | null, response: ServerResponse): void {
    const path = url.pathname;
    const parameter = (name: string, otherwise: string) => url.searchParams.get(name) ?? otherwise;
    if (path === "/api/now") return json(response, 200, this.now(country));
    const asOf = new Date(NOW + this.tick * 1000).toISOString();
    if (path.startsWith("/api/sessions/")) {
      const session = answers.session(decodeURIComponent(path.slice("/api/sessions/".length)), asOf);
      if (session === null) throw new Refusal(404, "not_found", "There is no such session.");
      return json(response, 200, session);
    }
    const question = { ...rangeOf(url), country, asOf };
    const empty = this.scenario.shop === "empty";
    const list = () => answers.products(question, parameter("q", ""), parameter("sort", "-interest_score"), Number(parameter("limit", "100")), empty);
    switch (path) {
      case "/api/world": return json(response, 200, answers.world(question, empty));
      case "/api/products": return json(response, 200, list());
      case "/api/funnel": return json(response, 200, answers.funnel(question, empty));
      case "/api/world.csv": return csv(response, countryRows(question.from, question.to));
      case "/api/products.csv": return csv(response, list().products);
      case "/api/funnel.csv": return csv(response, answers.funnel(question, empty).by_day);
    }
    const product = path.startsWith("/api/products/") ? answers.product(question, decodeURIComponent(path.slice("/api/products/".length))) : null;
    if (product === null) throw new Refusal(404, "not_found", "There is no such thing.");
    json(response, 200, product);
  }

  private stream(country: string | null, response: ServerResponse): void {
    if (this.scenario.stream === "refused") {
      response.destroy();
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 2000\n\n");
    response.on("close", () => this.streams.delete(response));
    this.streams.set(response, country);
    this.say(response, country);
  }

  private say(response: ServerResponse, country: string | null): void {
    if (this.scenario.stream === "silent") return;
    const down = this.scenario.store === "down";
    const event = (name: string, data: unknown) => response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    event("store", { state: down ? "down" : "ok", since: new Date(NOW - 5000).toISOString(), message: down ? "connection refused" : "" });
    event("pipeline", answers.pipeline(this.scenario.health, this.tick));
    if (!down) event("now", this.now(country));
  }

  private logIn(request: IncomingMessage, response: ServerResponse): void {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const given = JSON.parse(text) as { token?: string; user?: string; password?: string };
      if (given.token === TOKEN || (given.user === "ada" && given.password === TOKEN)) {
        response.writeHead(204, { "set-cookie": "played=1; HttpOnly; SameSite=Strict" }).end();
      } else if (++this.tries > 5) {
        response.setHeader("retry-after", "60");
        json(response, 429, { error: { code: "too_many_requests", message: "Too many tries." } });
      } else {
        json(response, 401, { error: { code: "unauthorized", message: "This is wrong." } });
      }
    });
  }
}

class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly parameter: string | null = null, readonly retryAfter: number | null = null) {
    super(message);
  }
}

function countryOf(url: URL): string | null {
  const country = url.searchParams.get("country");
  if (country !== null && !/^[A-Z]{2}$/.test(country)) throw new Refusal(400, "bad_parameter", `country is "${country}": allowed is a code of two letters, such as DE`, "country");
  return country;
}

function rangeOf(url: URL): { from: string; to: string } {
  const to = url.searchParams.get("to") ?? TODAY;
  const from = url.searchParams.get("from") ?? TODAY;
  for (const [name, day] of [["from", from], ["to", to]] as const) {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(Date.parse(day))) throw new Refusal(400, "bad_parameter", `${name} is "${day}": allowed is a UTC day, YYYY-MM-DD`, name);
  }
  if (from > to) throw new Refusal(400, "bad_parameter", "The first day is after the last.", "from");
  return { from, to };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function csv(response: ServerResponse, rows: object[]): void {
  response.writeHead(200, { "content-type": "text/csv; charset=utf-8", "content-disposition": "attachment; filename=figures.csv" }).end(answers.csv(rows));
}
