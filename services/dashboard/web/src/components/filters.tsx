import codes from "virtual:country-codes";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { presets, rangeFault, sameRange } from "../logic/days";
import { countryName, dayText } from "../logic/format";
import { changed, usesFilters } from "../logic/url";
import { meta } from "../state/log-in";
import { setParameters, useLocation } from "../state/router";
import { useStore } from "../state/store";
import { Link } from "./link";

/** Which days and which country. The address keeps both, so that a view can be shared. */
export function Filters() {
  const { route, filters } = useLocation();
  const uses = usesFilters(route.view);
  if (route.view === "unknown") return null;
  return (
    <section class="filters" aria-label="Filters">
      {uses.days ? <Days /> : <p class="filter-note">{route.view === "now" ? "Today (UTC)" : ofNoFilter(route.view)}</p>}
      {uses.country && <Country />}
      {uses.country && filters.country !== undefined && (
        <button type="button" class="button" onClick={() => setParameters({ country: null })}>
          All countries
        </button>
      )}
    </section>
  );
}

function ofNoFilter(view: string): string {
  return view === "pipeline" ? "The whole pipeline at this moment: days and country don’t matter here" : "Of all days and countries";
}

function Days() {
  const { path, search, filters } = useLocation();
  const today = useStore(meta)?.today;
  if (today === undefined) return <p class="filter-note">Days (UTC)</p>;
  const all = presets(today);
  const known = all.some((preset) => sameRange(preset.range, filters, today));
  return (
    <div class="days">
      <ul class="segments" aria-label="Days">
        {all.map(({ name, range }) => (
          <li key={name}>
            <Link
              href={changed(path, search, { from: range.from ?? null, to: range.to ?? null })}
              aria-current={sameRange(range, filters, today) ? "true" : undefined}
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
      <OtherDays key={`${filters.from} ${filters.to}`} from={filters.from ?? today} to={filters.to ?? today} today={today} chosen={!known} />
    </div>
  );
}

function OtherDays({ from, to, today, chosen }: { from: string; to: string; today: string; chosen: boolean }) {
  const [first, setFirst] = useState(from);
  const [last, setLast] = useState(to);
  const [fault, setFault] = useState<string | null>(null);
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const element = box.current;
      if (element === null || !element.open) return;
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !element.contains(event.target as Node)) {
        element.open = false;
        if (event instanceof KeyboardEvent) element.querySelector("summary")?.focus();
      }
    };
    document.addEventListener("keydown", close);
    document.addEventListener("pointerdown", close);
    return () => {
      document.removeEventListener("keydown", close);
      document.removeEventListener("pointerdown", close);
    };
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const wrong = rangeFault(first, last);
    setFault(wrong);
    if (wrong === null) setParameters({ from: first, to: last });
  };
  return (
    <details class="other-days" ref={box}>
      <summary class={`button ${chosen ? "chosen" : ""}`}>{chosen ? rangeText(from, to) : "Other days"}</summary>
      <form class="popover" onSubmit={submit} noValidate>
        <label>
          First day (UTC)
          <input type="date" name="from" value={first} max={today} onInput={(event) => setFirst(event.currentTarget.value)} />
        </label>
        <label>
          Last day (UTC)
          <input type="date" name="to" value={last} max={today} onInput={(event) => setLast(event.currentTarget.value)} />
        </label>
        {fault !== null && (
          <p class="fault" role="alert">
            {fault}
          </p>
        )}
        <button type="submit" class="button primary">
          Show these days
        </button>
      </form>
    </details>
  );
}

/** "26 Nov 2026", or "20 Nov 2026 – 26 Nov 2026". */
export function rangeText(from: string, to: string): string {
  return from === to ? dayText(from) : `${dayText(from)} – ${dayText(to)}`;
}

function Country() {
  const { filters } = useLocation();
  const names = useMemo(
    () =>
      (codes.match(/../g) ?? [])
        .map((code) => ({ code, name: countryName(code) }))
        .sort((one, other) => one.name.localeCompare(other.name, "en")),
    [],
  );
  const value = filters.country ?? "";
  return (
    <label class="country">
      <span class="hidden">Country</span>
      <select name="country" value={value} onChange={(event) => setParameters({ country: event.currentTarget.value })}>
        <option value="">All countries</option>
        {value !== "" && !names.some(({ code }) => code === value) && <option value={value}>{value}</option>}
        {names.map(({ code, name }) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
