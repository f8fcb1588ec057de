import type { Session, SessionEntry } from "../api/types";
import { duration } from "./format";

const TITLES: Record<SessionEntry["kind"], string> = {
  started: "Came into the shop",
  category_viewed: "Looked at the category",
  product_viewed: "Looked at",
  added_to_cart: "Put into the cart",
  removed_from_cart: "Took out of the cart",
  purchase: "Bought",
  ended: "Left",
};

/** What happened, before the name of a category or product. */
export function entryTitle(kind: SessionEntry["kind"]): string {
  return TITLES[kind] ?? kind;
}

/** The time from the entry before, where it is worth a word. */
export function pause(entries: readonly SessionEntry[], index: number): string | null {
  const before = entries[index - 1];
  const entry = entries[index];
  if (before === undefined || entry === undefined) return null;
  const seconds = (Date.parse(entry.time) - Date.parse(before.time)) / 1000;
  return seconds >= 1 ? `${duration(Math.round(seconds))} later` : null;
}

/** A session in a sentence. */
export function outline(session: Session): string {
  const kinds = new Map<string, number>();
  for (const { kind } of session.entries) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const number = (kind: string) => kinds.get(kind) ?? 0;
  const views = number("category_viewed") + number("product_viewed");
  const parts = [`${views} ${views === 1 ? "page" : "pages"} looked at`];
  if (number("added_to_cart") > 0) parts.push(`${number("added_to_cart")} × into the cart`);
  if (number("removed_from_cart") > 0) parts.push(`${number("removed_from_cart")} × out again`);
  parts.push(number("purchase") === 0 ? "nothing bought" : number("purchase") === 1 ? "one order" : `${number("purchase")} orders`);
  return parts.join(", ");
}

const LISTS: Record<string, string> = {
  categories_viewed: "categories looked at",
  products_viewed: "products looked at",
  added_to_cart: "pieces put into the cart",
  removed_from_cart: "pieces taken out of the cart",
  purchase: "orders",
};

export function listName(list: string): string {
  return LISTS[list] ?? list;
}
