import { changed, parseFilters, parsePath, type Filters, type Route } from "../logic/url";
import { createStore, useStore } from "./store";

/** Where the page is: the address is the only place where views and filters are kept. */
export interface Location {
  path: string;
  search: string;
  route: Route;
  filters: Filters;
}

function read(): Location {
  const { pathname: path, search } = window.location;
  return { path, search, route: parsePath(path), filters: parseFilters(search) };
}

const location = createStore(read());
window.addEventListener("popstate", () => location.set(read()));

export function useLocation(): Location {
  return useStore(location);
}

export function currentLocation(): Location {
  return location.get();
}

/** Goes to an address of the page. `replace`: back shall not lead here. */
export function navigate(to: string, replace = false): void {
  const before = window.location.pathname;
  if (to !== window.location.pathname + window.location.search) {
    window.history[replace ? "replaceState" : "pushState"](null, "", to);
  }
  location.set(read());
  if (window.location.pathname !== before) arrive();
}

/** Changes parameters of the address and stays in the view. */
export function setParameters(change: Record<string, string | null | undefined>, replace = false): void {
  const { path, search } = location.get();
  navigate(changed(path, search, change), replace);
}

/** A new view is read from its top, also by who hears it. */
function arrive(): void {
  window.scrollTo(0, 0);
  requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
}
