import { useState } from "preact/hooks";
import type { Funnel, Meta, Visits } from "../api/types";
import { AsTable, BarChart, Legend, Readout } from "../components/chart";
import { Table, type Column } from "../components/table";
import { share } from "../logic/figures";
import { count, countryName, countShort, dayShort, dayText, duration, hourText, money, percent } from "../logic/format";
import { fieldOf, sorted } from "../logic/sort";

type Kind = "day" | "hour" | "country";
type Row = Funnel & { key: string; visits?: Visits | null };

const SERIES = [
  { name: "Came", color: "f1", field: "sessions_count" },
  { name: "Looked at something", color: "f2", field: "viewing_sessions_count" },
  { name: "Filled a cart", color: "f3", field: "carting_sessions_count" },
  { name: "Bought", color: "f4", field: "buying_sessions_count" },
] as const;

const LABELS: Record<Kind, string> = { day: "Day (UTC)", hour: "Hour (UTC)", country: "Country" };

function nameOf(kind: Kind, key: string): string {
  return kind === "day" ? dayText(key) : kind === "hour" ? hourText(key) : countryName(key);
}

/** The funnel over days or hours: each step is a part of the one behind it. */
export function FunnelOverTime({ rows, kind, shop }: { rows: Row[]; kind: Kind; shop: Meta }) {
  const [active, onActive] = useState<number | null>(null);
  if (rows.length === 0) return <p class="none">No session began then.</p>;
  const at = active === null ? undefined : rows[active];
  const sum = (field: (typeof SERIES)[number]["field"]) => rows.reduce((total, row) => total + row[field], 0);
  return (
    <>
      <Readout>
        {at === undefined ? (
          "Point at a bar to see its figures."
        ) : (
          <>
            {nameOf(kind, at.key)}: <b>{count(at.sessions_count)}</b> came, {count(at.viewing_sessions_count)} looked, {count(at.carting_sessions_count)} filled a cart, <b>{count(at.buying_sessions_count)}</b> bought ({percent(share(at.buying_sessions_count, at.sessions_count))})
          </>
        )}
      </Readout>
      <Legend items={SERIES.map(({ name, color }) => ({ name, color }))} />
      <BarChart
        labels={rows.map((row) => (kind === "day" ? dayShort(row.key) : hourText(row.key)))}
        series={SERIES.map(({ name, color, field }) => ({ name, color, values: rows.map((row) => row[field]) }))}
        axis={countShort}
        summary={`Sessions by ${kind}: ${count(sum("sessions_count"))} came and ${count(sum("buying_sessions_count"))} bought, together.`}
        active={active}
        onActive={onActive}
        height={170}
      />
      <AsTable>{() => <FunnelTable rows={rows} kind={kind} shop={shop} />}</AsTable>
    </>
  );
}

/** All steps and rates, a row for each day, hour or country. */
export function FunnelTable({ rows, kind, shop }: { rows: Row[]; kind: Kind; shop: Meta }) {
  const [sort, setSort] = useState(kind === "country" ? "-sessions_count" : "key");
  const key = (row: Row, field: string) => {
    if (field === "key") return kind === "country" ? countryName(row.key) : row.key;
    const rate = RATES[field];
    return rate === undefined ? fieldOf(row, field) : rate(row);
  };
  const all = kind === "day" ? [...columns(kind, shop), ...visitColumns] : columns(kind, shop);
  return (
    <Table
      caption={`Funnel by ${kind}`}
      rows={sorted(rows, sort, key)}
      columns={all}
      rowKey={(row) => row.key}
      rowTest={(row) => ({ testid: `funnel-row-${row.key}`, value: row.sessions_count })}
      sort={sort}
      onSort={setSort}
    />
  );
}

const RATES: Record<string, (row: Row) => number | null> = {
  viewing: (row) => share(row.viewing_sessions_count, row.sessions_count),
  carting: (row) => share(row.carting_sessions_count, row.sessions_count),
  buying: (row) => share(row.buying_sessions_count, row.sessions_count),
  bounce: (row) => share(row.bounced_sessions_count, row.closed_sessions_count),
  abandonment: (row) => share(row.abandoned_carts_count, row.carting_sessions_count),
  visitors: (row) => row.visits?.unique_visitors_count ?? null,
  p50: (row) => row.visits?.p50_seconds ?? null,
};

function columns(kind: Kind, shop: Meta): Column<Row>[] {
  const counted = (field: keyof Funnel, label: string, rate?: string): Column<Row> => ({
    field, label, numeric: true, value: (row) => row[field],
    cell: (row) => (
      <>
        {count(row[field])}
        {rate !== undefined && <span class="beside">{percent(RATES[rate]?.(row) ?? null)}</span>}
      </>
    ),
  });
  const rated = (field: string, label: string, hint: string): Column<Row> => ({
    field, label, hint, numeric: true, cell: (row) => percent(RATES[field]?.(row) ?? null),
  });
  return [
    { field: "key", label: LABELS[kind], heads: true, value: (row) => row.key, cell: (row) => nameOf(kind, row.key) },
    counted("sessions_count", "Came"),
    counted("viewing_sessions_count", "Looked", "viewing"),
    counted("carting_sessions_count", "Cart", "carting"),
    counted("buying_sessions_count", "Bought", "buying"),
    rated("bounce", "Bounced", "Of closed sessions"),
    rated("abandonment", "Abandoned", "Carts, of sessions that filled one"),
    { field: "abandoned_carts_minor", label: "Left in carts", numeric: true, value: (row) => row.abandoned_carts_minor, cell: (row) => money(row.abandoned_carts_minor, shop) },
  ];
}

const visitColumns: Column<Row>[] = [
  { field: "visitors", label: "Visitors", hint: "Unique visitors, estimated", numeric: true, cell: (row) => (row.visits ? `≈ ${count(row.visits.unique_visitors_count)}` : "–") },
  { field: "p50", label: "Median length", hint: "Half of all closed sessions last at most this long", numeric: true, cell: (row) => duration(row.visits?.p50_seconds ?? null) },
];
