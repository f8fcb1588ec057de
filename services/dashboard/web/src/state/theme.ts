import { createStore } from "./store";

/** The reader's choice; `system` follows the system's. */
export type Theme = "system" | "light" | "dark";

const KEY = "storepulse-theme";

function remembered(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system"; // no storage: nothing is remembered
  }
}

export const theme = createStore<Theme>(remembered());

function apply(): void {
  const value = theme.get();
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
}

/** Whether the page is dark now, whoever chose it. */
export function isDark(value: Theme): boolean {
  return value === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : value === "dark";
}

export function toggleTheme(): void {
  const next: Theme = isDark(theme.get()) ? "light" : "dark";
  theme.set(next);
  apply();
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // it holds until the page is left
  }
}

apply();
