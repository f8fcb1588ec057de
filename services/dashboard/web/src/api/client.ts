import type { ErrorBody } from "./types";

/** Why there is no answer. `network`: the dashboard's server was not reached at all. */
export type Code =
  | "bad_parameter" | "not_found" | "unauthorized" | "forbidden" | "too_many_requests" | "store_unavailable"
  | "store_refused" | "network" | "other";

const CODES: Record<number, Code> = {
  400: "bad_parameter", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "too_many_requests",
  500: "store_refused", 503: "store_unavailable",
};
const KNOWN = new Set<string>(Object.values(CODES));

export class ApiError extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly status: number,
    readonly parameter: string | null = null,
    /** When another attempt is welcome, in seconds. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }

  /** Whether the same question may have an answer later. */
  get passes(): boolean {
    return ["network", "store_unavailable", "too_many_requests", "other"].includes(this.code);
  }
}

/** Asks the API; throws an `ApiError`, or an `AbortError` if the caller lost interest. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await call(path, { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) });
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("network", "The answer broke off.", response.status);
  }
}

export async function postJson(path: string, body: unknown): Promise<void> {
  await call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function call(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("network", "The dashboard's server does not answer.", 0);
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function failure(response: Response): Promise<ApiError> {
  const retry = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(retry) ? retry : null;
  const byStatus = CODES[response.status] ?? "other";
  try {
    const { error } = (await response.json()) as ErrorBody;
    const code = KNOWN.has(error.code) ? (error.code as Code) : byStatus;
    return new ApiError(code, error.message, response.status, error.parameter ?? null, retryAfter);
  } catch {
    return new ApiError(byStatus, `The server answered ${response.status}.`, response.status, null, retryAfter);
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
