import type { ComponentChildren } from "preact";
import { ariaSort, nextSort } from "../logic/sort";
import { Icon } from "./icons";

export interface Column<Row> {
  /** The API's name of the field; also what it is sorted by. */
  field: string;
  label: string;
  /** Explains the label, for who points at it. */
  hint?: string;
  /** Numbers stand at the right and begin with the most. */
  numeric?: boolean;
  /** The cell that names the row. */
  heads?: boolean;
  sortable?: boolean;
  cell: (row: Row) => ComponentChildren;
  /** The raw value, for tests and programs. */
  value?: (row: Row) => number | string | null;
  title?: (row: Row) => string | undefined;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  rowTest?: (row: Row) => { testid: string; value: number | string | null };
  selected?: (row: Row) => boolean;
  /** Without it nothing can be sorted. */
  sort?: string;
  onSort?: (sort: string) => void;
  /** Said instead of rows. */
  empty?: string;
}

/** A table that is sorted by its headers, and scrolls by itself where it is wider than the page. */
export function Table<Row>({ caption, columns, rows, rowKey, rowTest, selected, sort, onSort, empty }: Props<Row>) {
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Header key={column.field} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.length === 0 && (
            <tr>
              <td colSpan={columns.length} class="none">
                {empty ?? "Nothing."}
              </td>
            </tr>
          )}
          {rows.map((row) => {
            const test = rowTest?.(row);
            return (
              <tr
                key={rowKey(row)}
                class={selected?.(row) ? "selected" : undefined}
                data-testid={test?.testid}
                data-value={test === undefined ? undefined : String(test.value)}
              >
                {columns.map((column) => (
                  <Cell key={column.field} column={column} row={row} />
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Header<Row>(props: { column: Column<Row>; sort: string | undefined; onSort: ((sort: string) => void) | undefined }) {
  const { column, sort, onSort } = props;
  const align = column.numeric ? "num" : undefined;
  if (sort === undefined || onSort === undefined || column.sortable === false) {
    return (
      <th scope="col" class={align} title={column.hint}>
        {column.label}
      </th>
    );
  }
  const order = ariaSort(sort, column.field);
  return (
    <th scope="col" class={align} aria-sort={order}>
      <button type="button" class="sorter" title={column.hint} onClick={() => onSort(nextSort(sort, column.field, column.numeric ?? false))}>
        {column.label}
        <span class={order === "none" ? "arrow none-yet" : "arrow"}>
          <Icon name={order === "ascending" ? "up" : "down"} size={11} />
        </span>
      </button>
    </th>
  );
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }) {
  const raw = column.value?.(row);
  const common = {
    "data-field": column.field,
    "data-value": raw === undefined ? undefined : String(raw),
    title: column.title?.(row),
  };
  if (column.heads) {
    return (
      <th scope="row" {...common}>
        {column.cell(row)}
      </th>
    );
  }
  return (
    <td class={column.numeric ? "num" : undefined} {...common}>
      {column.cell(row)}
    </td>
  );
}

/** A link to the same figures as a file. */
export function CsvLink({ href, of }: { href: string; of: string }) {
  return (
    <a class="button" href={href} download="">
      <Icon name="download" size={14} />
      CSV<span class="hidden"> of {of}</span>
    </a>
  );
}
