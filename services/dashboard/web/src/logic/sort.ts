/** Sorting as the API has it: `field` ascends, `-field` descends. */

export interface Sort {
  field: string;
  descending: boolean;
}

export function parseSort(text: string): Sort {
  return text.startsWith("-") ? { field: text.slice(1), descending: true } : { field: text, descending: false };
}

/** What a click on a column's header asks for: the other direction, or a new column with its natural direction. */
export function nextSort(current: string, field: string, numeric: boolean): string {
  const { field: sorted, descending } = parseSort(current);
  if (sorted === field) return descending ? field : `-${field}`;
  return numeric ? `-${field}` : field;
}

export function ariaSort(current: string, field: string): "ascending" | "descending" | "none" {
  const { field: sorted, descending } = parseSort(current);
  if (sorted !== field) return "none";
  return descending ? "descending" : "ascending";
}

type Key = number | string | null;

/** A sorted copy. What has no figure comes last either way; equals stay in their order. */
export function sorted<Row>(rows: readonly Row[], sort: string, key: (row: Row, field: string) => Key): Row[] {
  const { field, descending } = parseSort(sort);
  return [...rows].sort((left, right) => {
    const one = key(left, field);
    const other = key(right, field);
    if (one === other) return 0;
    if (one === null) return 1;
    if (other === null) return -1;
    const order = typeof one === "string" || typeof other === "string"
      ? String(one).localeCompare(String(other), "en") : one - other;
    return descending ? -order : order;
  });
}

/** The field of a row, if it is something to sort by. */
export function fieldOf(row: object, field: string): Key {
  const value = (row as Record<string, unknown>)[field];
  return typeof value === "number" || typeof value === "string" ? value : null;
}
