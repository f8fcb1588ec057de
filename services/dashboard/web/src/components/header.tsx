import { useEffect, useRef, useState } from "preact/hooks";
import { age } from "../logic/format";
import { STREAM_WORDS } from "../logic/health";
import { address, type View } from "../logic/url";
import { useTick } from "../state/clock";
import { useHealth } from "../state/health";
import { live } from "../state/live";
import { logIn, logOut, meta } from "../state/log-in";
import { useLocation } from "../state/router";
import { useStore } from "../state/store";
import { isDark, theme, toggleTheme } from "../state/theme";
import { Filters } from "./filters";
import { Icon, type IconName } from "./icons";
import { Link } from "./link";

const VIEWS: [View, string, View[]][] = [
  ["now", "Now", ["now"]],
  ["world", "World", ["world"]],
  ["products", "Products", ["products", "product"]],
  ["funnel", "Funnel", ["funnel"]],
  ["sessions", "Sessions", ["sessions", "session"]],
  ["pipeline", "Pipeline", ["pipeline"]],
];

export function Header() {
  const { route, filters } = useLocation();
  const loggedIn = useStore(logIn)?.required ?? false;
  const user = useStore(meta)?.user ?? null;
  const within = route.view !== "login";
  return (
    <header class="top">
      <div class="bar">
        <Link class="brand" href={address("now", null, filters)}>
          <span class="mark" aria-hidden="true">
            <svg viewBox="0 0 32 32" width="26" height="26">
              <rect width="32" height="32" rx="8" />
              <path d="M5 17h5l3-8 5 15 3.5-9 1.5 2h4" />
            </svg>
          </span>
          storepulse
        </Link>
        {within && (
          <nav aria-label="Views">
            <ul>
              {VIEWS.map(([view, name, shown]) => (
                <li key={view}>
                  <Link href={address(view, null, filters)} aria-current={shown.includes(route.view) ? "page" : undefined}>
                    {name}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
        )}
        <div class="bar-end">
          {within && <Status />}
          <ThemeToggle />
          {within && loggedIn && (
            <button type="button" class="button" onClick={() => void logOut()} title={user === null ? undefined : `Logged in as ${user}`}>
              Log out
            </button>
          )}
        </div>
      </div>
      {within && <Filters />}
    </header>
  );
}

function ThemeToggle() {
  const value = useStore(theme);
  const dark = isDark(value);
  return (
    <button type="button" class="button icon-only" aria-label={dark ? "Light colours" : "Dark colours"} title={dark ? "Light colours" : "Dark colours"} onClick={toggleTheme}>
      <Icon name={dark ? "sun" : "moon"} />
    </button>
  );
}

/** Health and stream: in words, with a picture and a colour. */
function Status() {
  const state = useStore(live);
  const now = useTick();
  const { health, word, tone, reasons } = useHealth();
  const stream = STREAM_WORDS[state.stream];
  const since = state.lastAt === null ? null : now - state.lastAt;
  const last = since === null ? "no update yet" : `updated ${age(since)}`;
  const icons: Record<string, IconName> = { live: "live", reconnecting: "retry", connecting: "retry", paused: "pause" };
  return (
    <div class="status">
      <Link class={`pill ${tone}`} href={address("pipeline", null, useLocation().filters)} data-testid="health" data-value={health} title={reasons || undefined}>
        <Icon name={tone} />
        {word}
      </Link>
      <span class={`pill plain ${stream.tone}`} data-testid="stream-state" data-value={state.stream} title={`Live figures: ${last}`}>
        <Icon name={icons[state.stream] ?? "quiet"} />
        {stream.word}
        {state.stream === "reconnecting" && <span class="pill-more"> · {last}</span>}
      </span>
      <Announcer health={health} text={`${word}. ${reasons}`} stream={state.stream} />
    </div>
  );
}

/** Tells who can't see it when the health changes; not at every figure. */
function Announcer({ health, text: words, stream }: { health: string; text: string; stream: string }) {
  const [text, setText] = useState("");
  const known = useRef(false);
  useEffect(() => {
    // The first word about it is not a change.
    if (stream === "connecting" || stream === "paused") return;
    if (known.current) setText(stream === "reconnecting" ? `The live stream was cut; reconnecting. ${words}` : words);
    known.current = true;
  }, [health, stream]);
  return (
    <span class="hidden" role="status" aria-live="polite">
      {text}
    </span>
  );
}
