import { api, query } from "../logic/url";
import { getJson, postJson } from "../api/client";
import type { LogIn, Meta } from "../api/types";
import { createStore } from "./store";
import { currentLocation, navigate } from "./router";

/** Who looks at the page, and what of the shop never changes. `null`: not known yet. */
export const meta = createStore<Meta | null>(null);
export const logIn = createStore<LogIn | null>(null);

/** Asks who is logged in and how. */
export async function loadLogIn(): Promise<void> {
  logIn.set(await getJson<LogIn>(api.whoAmI));
}

export async function loadMeta(): Promise<void> {
  meta.set(await getJson<Meta>(api.meta));
}

/** Someone has to log in first; they come back to where they were. */
export function askForLogIn(): void {
  const { path, search, route } = currentLocation();
  meta.set(null);
  if (route.view !== "login") navigate(`/login${query({ next: path + search })}`, true);
}

export async function logOut(): Promise<void> {
  await postJson(api.logOut, {});
  askForLogIn();
}
