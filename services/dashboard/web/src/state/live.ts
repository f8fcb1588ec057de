import { ApiError, getJson } from "../api/client";
import type { Now, Pipeline, StoreState } from "../api/types";
import { backoff, type StreamState } from "../logic/health";
import { api } from "../logic/url";
import { isVisible, onVisibility } from "./clock";
import { askForLogIn } from "./log-in";
import { createStore } from "./store";

/** What the stream said last. Times are of this machine's clock, in milliseconds. */
export interface Live {
  stream: StreamState;
  now: Now | null;
  pipeline: Pipeline | null;
  pipelineAt: number | null;
  store: StoreState | null;
  /** Of the latest message; null: none yet. */
  lastAt: number | null;
  /** When the next attempt comes. */
  retryAt: number | null;
  /** Why there is no stream, if the API says it. */
  problem: ApiError | null;
}

const NOTHING: Live = {
  stream: "connecting", now: null, pipeline: null, pipelineAt: null, store: null, lastAt: null, retryAt: null,
  problem: null,
};
/** `pipeline` comes every 2 s: after so long without a message the stream is dead, whatever the browser thinks. */
const SILENCE_MILLISECONDS = 12_000;

export const live = createStore<Live>(NOTHING);

let source: EventSource | null = null;
let country: string | undefined;
let wanted = false;
let attempt = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;
let probe: AbortController | null = null;

/** Follows the shop, or one country of it. One stream at a time. */
export function follow(of: string | undefined): void {
  if (wanted && of === country) return;
  const { pipeline, pipelineAt, store } = live.get();
  country = of;
  wanted = true;
  attempt = 0;
  // The pipeline is of all countries: what is known of it stays.
  live.set({ ...NOTHING, pipeline, pipelineAt, store });
  probe?.abort();
  open();
}

/** Ends the stream, at log-out. */
export function unfollow(): void {
  wanted = false;
  probe?.abort();
  close();
  live.set(NOTHING);
}

onVisibility((visible) => {
  if (!wanted) return;
  if (visible) {
    attempt = 0;
    open();
  } else {
    probe?.abort();
    close();
    live.update({ stream: "paused", retryAt: null });
  }
});

function close(): void {
  source?.close();
  source = null;
  clearTimeout(retry);
  clearTimeout(silence);
}

function open(): void {
  close();
  if (!isVisible()) return live.update({ stream: "paused" });
  if (live.get().stream !== "reconnecting") live.update({ stream: "connecting" });
  const opened = new EventSource(api.stream(country === undefined ? {} : { country }));
  source = opened;
  listen<Now>("now", (now) => ({ now }));
  listen<Pipeline>("pipeline", (pipeline) => ({ pipeline, pipelineAt: Date.now() }));
  listen<StoreState>("store", (store) => ({ store }));
  opened.onerror = () => {
    if (source === opened) cut();
  };
  watchSilence();

  function listen<T>(event: string, change: (data: T) => Partial<Live>): void {
    opened.addEventListener(event, (message: MessageEvent<string>) => {
      if (source !== opened) return;
      let data: T;
      try {
        data = JSON.parse(message.data) as T;
      } catch {
        return cut();
      }
      attempt = 0;
      watchSilence();
      live.update({ ...change(data), stream: "live", lastAt: Date.now(), retryAt: null, problem: null });
    });
  }
}

function watchSilence(): void {
  clearTimeout(silence);
  silence = setTimeout(cut, SILENCE_MILLISECONDS);
}

/** The stream is gone: try again later, and meanwhile ask why, and for the figures themselves. */
function cut(): void {
  close();
  const wait = backoff(attempt++);
  retry = setTimeout(open, wait);
  live.update({ stream: "reconnecting", retryAt: Date.now() + wait });
  void ask();
}

/** The next attempt does not end this: the API may be slow. But once a stream says more, it knows better. */
async function ask(): Promise<void> {
  probe?.abort();
  const asked = new AbortController();
  probe = asked;
  const [now, pipeline] = await Promise.allSettled([
    getJson<Now>(api.now(country === undefined ? {} : { country }), asked.signal),
    getJson<Pipeline>(api.pipeline, asked.signal),
  ]);
  if (asked.signal.aborted || live.get().stream === "live") return;
  if (pipeline.status === "fulfilled") live.update({ pipeline: pipeline.value, pipelineAt: Date.now() });
  if (now.status === "fulfilled") return live.update({ now: now.value, lastAt: Date.now(), problem: null });
  if (!(now.reason instanceof ApiError)) return;
  if (now.reason.code === "unauthorized") {
    unfollow();
    askForLogIn();
  } else {
    live.update({ problem: now.reason });
  }
}
