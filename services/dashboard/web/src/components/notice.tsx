import type { ComponentChildren } from "preact";
import type { ApiError } from "../api/client";
import { clock } from "../logic/format";
import { afterName } from "../logic/faults";
import { setParameters } from "../state/router";
import { Icon, type IconName } from "./icons";

interface Props {
  tone: "good" | "warn" | "bad" | "quiet";
  title: string;
  icon?: IconName;
  /** A name for tests. */
  kind: string;
  /** It takes the place of figures instead of standing above them. */
  large?: boolean;
  /** It changes every second, or is said elsewhere: nobody wants to hear it each time. */
  silent?: boolean;
  children?: ComponentChildren;
}

/** Says in words what is odd, and what to do. */
export function Notice({ tone, title, icon = tone, kind, large = false, silent = false, children }: Props) {
  const role = silent ? undefined : tone === "bad" ? "alert" : "status";
  return (
    <div class={`notice ${tone} ${large ? "large" : ""}`} role={role} data-notice={kind}>
      <Icon name={icon} size={large ? 28 : 20} />
      <div>
        <p class="notice-title">{title}</p>
        {children}
      </div>
    </div>
  );
}

const PARAMETERS: Record<string, string> = {
  from: "first day", to: "last day", country: "country", sort: "order of the table", q: "search text", limit: "number of rows",
};

/** An error of the API. What a view knows better (no such product), it says itself before. */
export function Problem({ error, asOf }: { error: ApiError; asOf?: string | null | undefined }) {
  const large = !asOf;
  const figures = asOf ? `The figures below are as of ${clock(asOf)}.` : "There are no figures until it does.";
  switch (error.code) {
    case "store_unavailable":
      return (
        <Notice tone="bad" kind="store-down" title="The store does not answer" large={large}>
          <p>{figures} Trying again by itself. Events are not lost: they wait in Kafka.</p>
        </Notice>
      );
    case "store_refused":
      return (
        <Notice tone="bad" kind="store-refused" title="The store refuses to answer" large={large}>
          <p>
            {error.message} Trying again would not help: most likely the dashboard's permission or the store's address is
            wrong. Who runs storepulse has to look.
          </p>
        </Notice>
      );
    case "bad_parameter": {
      const name = error.parameter ?? "";
      return (
        <Notice tone="warn" kind="bad-parameter" title={`This address has a ${PARAMETERS[name] ?? "part"} that can't be used`} large>
          <p>
            {name && <code>{name}</code>}
            {afterName(name, error.message)}
          </p>
          {name && (
            <p>
              <button type="button" onClick={() => setParameters(name === "from" || name === "to" ? { from: null, to: null } : { [name]: null })}>
                Leave it out
              </button>
            </p>
          )}
        </Notice>
      );
    }
    case "too_many_requests":
      return (
        <Notice tone="warn" kind="too-many-requests" title="Too many requests" large={large}>
          <p>The server asks to wait{error.retryAfter === null ? "" : ` ${error.retryAfter} s`}. Trying again by itself.</p>
        </Notice>
      );
    case "forbidden":
      return (
        <Notice tone="bad" kind="forbidden" title="You may not see this" large icon="lock">
          <p>{error.message}</p>
        </Notice>
      );
    case "network":
      return (
        <Notice tone="bad" kind="unreachable" title="The dashboard's server does not answer" large={large}>
          <p>{asOf ? `The figures below are as of ${clock(asOf)}. ` : ""}Trying again by itself.</p>
        </Notice>
      );
    default:
      return (
        <Notice tone="bad" kind="failed" title="That went wrong" large={large}>
          <p>{error.message}</p>
        </Notice>
      );
  }
}

/** While nothing is known yet. */
export function Loading() {
  return (
    <p class="loading" role="status">
      Reading the figures…
    </p>
  );
}
