import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson } from "../api/client";
import { backoff } from "../logic/health";
import { isVisible, onVisibility } from "./clock";
import { askForLogIn } from "./log-in";

export const REFETCH_MILLISECONDS = 5000;

/** An answer of the API that is asked for again and again. */
export interface Resource<T> {
  /** The last answer, also while a newer one is awaited or failed. */
  data: T | null;
  /** Whether `data` answers an earlier question: the address has changed meanwhile. */
  stale: boolean;
  /** Why the last attempt had no answer. */
  error: ApiError | null;
}

interface Options {
  /** Whether the answer can change: then it is asked for every few seconds while the tab is visible. */
  live: boolean;
  /** Whether `not_found` may pass. */
  retryNotFound?: boolean;
}

interface State<T> {
  path: string | null;
  data: T | null;
  error: ApiError | null;
  failedPath: string | null;
}

/** Follows a path of the API. With `null` nothing is asked for. */
export function useResource<T>(path: string | null, { live, retryNotFound = false }: Options): Resource<T> {
  const [state, setState] = useState<State<T>>({ path: null, data: null, error: null, failedPath: null });
  const liveNow = useRef(live);
  liveNow.current = live;

  useEffect(() => {
    if (path === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let attempt = 0;
    let ended = false;
    let running: AbortController | null = null;

    const later = (milliseconds: number) => {
      clearTimeout(timer);
      if (!ended && isVisible()) timer = setTimeout(() => void load(), milliseconds);
    };
    const load = async () => {
      clearTimeout(timer);
      running?.abort();
      const own = new AbortController();
      running = own;
      try {
        const data = await getJson<T>(path, own.signal);
        attempt = 0;
        setState({ path, data, error: null, failedPath: null });
        if (liveNow.current) later(REFETCH_MILLISECONDS);
      } catch (error) {
        if (!(error instanceof ApiError) || ended) return;
        if (error.code === "unauthorized") return askForLogIn();
        setState((before) => ({ ...before, error, failedPath: path }));
        if (error.passes || (retryNotFound && error.code === "not_found")) {
          later(Math.max((error.retryAfter ?? 0) * 1000, backoff(1 + attempt++)));
        }
      }
    };
    const stopWatching = onVisibility((visible) => {
      if (!visible) clearTimeout(timer);
      else if (liveNow.current || attempt > 0) void load();
    });

    void load();
    return () => {
      ended = true;
      clearTimeout(timer);
      running?.abort();
      stopWatching();
    };
  }, [path, live, retryNotFound]);

  const error = state.failedPath === path ? state.error : null;
  // What was found at another path is no answer once this one has failed for good.
  const useless = error !== null && state.path !== path;
  return { data: useless ? null : state.data, stale: state.path !== path, error };
}
