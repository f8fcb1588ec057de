import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { CountryRow, Meta, World as WorldFigures } from "../api/types";
import { NothingHere } from "../components/empty";
import { Metered } from "../components/meter";
import { Loading, Problem } from "../components/notice";
import { changes, ofText } from "../components/of";
import { CsvLink, Table, type Column } from "../components/table";
import { Card, View } from "../components/view";
import type WorldMapComponent from "../components/world-map";
import { count, countryName, money, moneyExact, moneyShort, percent, plural } from "../logic/format";
import { step, thresholds } from "../logic/scale";
import { fieldOf, sorted } from "../logic/sort";
import { api } from "../logic/url";
import { meta } from "../state/log-in";
import { useResource } from "../state/resource";
import { setParameters, useLocation } from "../state/router";
import { useStore } from "../state/store";

const DEFAULT_SORT = "-revenue_minor";

/** Where the shop sells. */
export function World() {
  const { filters, search } = useLocation();
  const shop = useStore(meta);
  const { data, stale, error } = useResource<WorldFigures>(api.world(filters), { live: changes(filters, shop?.today) });
  const sort = new URLSearchParams(search).get("sort") ?? DEFAULT_SORT;
  return (
    <View
      title="World"
      of={data === null ? undefined : ofText(data, null)}
      asOf={data?.as_of}
      busy={error === null && (data === null || stale)}
      actions={<CsvLink href={api.world(filters, sort, true)} of="countries" />}
    >
      {error !== null && <Problem error={error} asOf={data?.as_of} />}
      {data === null || shop === null ? (
        error === null && <Loading />
      ) : data.countries.length === 0 ? (
        <NothingHere from={data.from} to={data.to} country={null} />
      ) : (
        <Figures world={data} shop={shop} sort={sort} selected={filters.country} />
      )}
    </View>
  );
}

/** Choosing the chosen country again shows all. */
function choose(code: string, selected: string | undefined): void {
  setParameters({ country: code === selected ? null : code });
}

function Figures({ world, shop, sort, selected }: { world: WorldFigures; shop: Meta; sort: string; selected: string | undefined }) {
  const rows = sorted(world.countries, sort, (row, field) => (field === "country" ? countryName(row.country) : ownField(row, field)));
  const chosen = selected === undefined ? undefined : world.countries.find((row) => row.country === selected);
  return (
    <>
      {selected !== undefined && (
        <p class="choice" role="status">
          <span>
            <b>{countryName(selected)}</b> is chosen: the other views show this country only.
            {chosen === undefined && " It has no event in these days."}
          </span>
          <button type="button" class="button" onClick={() => setParameters({ country: null })}>
            Choose all countries
          </button>
        </p>
      )}
      <MapCard world={world} shop={shop} selected={selected} />
      <Card title="Countries" note={`${plural(world.countries.length, "country", "countries")} with events. Choose one to see only it in all views.`}>
        <Table
          caption="Countries"
          rows={rows}
          columns={columns(shop, selected, Math.max(...world.countries.map((row) => row.revenue_minor)))}
          rowKey={(row) => row.country}
          rowTest={(row) => ({ testid: `country-row-${row.country}`, value: row.revenue_minor })}
          selected={(row) => row.country === selected}
          sort={sort}
          onSort={(next) => setParameters({ sort: next === DEFAULT_SORT ? null : next }, true)}
        />
      </Card>
    </>
  );
}

function ownField(row: CountryRow, field: string): number | string | null {
  return field === "sessions_count" ? row.sessions.sessions_count : fieldOf(row, field);
}

function columns(shop: Meta, selected: string | undefined, most: number): Column<CountryRow>[] {
  return [
    {
      field: "country", label: "Country", heads: true, value: (row) => row.country,
      cell: (row) => (
        <button type="button" class="plain-link" aria-pressed={row.country === selected} onClick={() => choose(row.country, selected)}>
          {countryName(row.country)} <span class="quiet-text">{row.country}</span>
        </button>
      ),
    },
    { field: "revenue_minor", label: "Revenue", numeric: true, value: (row) => row.revenue_minor, title: (row) => moneyExact(row.revenue_minor, shop), cell: (row) => <Metered value={row.revenue_minor} most={most}>{money(row.revenue_minor, shop)}</Metered> },
    { field: "revenue_share", label: "Share", hint: "Of the revenue of all countries", numeric: true, value: (row) => row.revenue_share, cell: (row) => percent(row.revenue_share) },
    { field: "purchase_count", label: "Orders", numeric: true, value: (row) => row.purchase_count, cell: (row) => count(row.purchase_count) },
    { field: "average_order_value_minor", label: "Average order", numeric: true, value: (row) => row.average_order_value_minor, cell: (row) => money(row.average_order_value_minor, shop) },
    { field: "conversion_rate", label: "Conversion", hint: "Orders for each product that was looked at", numeric: true, value: (row) => row.conversion_rate, cell: (row) => percent(row.conversion_rate, 2) },
    { field: "sessions_count", label: "Sessions", numeric: true, value: (row) => row.sessions.sessions_count, cell: (row) => count(row.sessions.sessions_count) },
    { field: "product_views_count", label: "Product views", numeric: true, value: (row) => row.product_views_count, cell: (row) => count(row.product_views_count) },
  ];
}

const METRICS = {
  revenue_minor: { name: "Revenue", of: (row: CountryRow) => row.revenue_minor, write: (value: number, shop: Meta) => moneyShort(value, shop) },
  purchase_count: { name: "Orders", of: (row: CountryRow) => row.purchase_count, write: (value: number) => count(value) },
  sessions_count: { name: "Sessions", of: (row: CountryRow) => row.sessions.sessions_count, write: (value: number) => count(value) },
  conversion_rate: { name: "Conversion", of: (row: CountryRow) => row.conversion_rate, write: (value: number) => percent(value, 2) },
};
type Metric = keyof typeof METRICS;

function MapCard({ world, shop, selected }: { world: WorldFigures; shop: Meta; selected: string | undefined }) {
  const [metric, setMetric] = useState<Metric>("revenue_minor");
  const [at, setAt] = useState<string | null>(null);
  const [WorldMap, setMap] = useState<FunctionComponent<Parameters<typeof WorldMapComponent>[0]> | null>(null);
  useEffect(() => {
    // The map is most of the page's weight: it comes when it is needed.
    import("../components/world-map").then(
      (module) => setMap(() => module.default),
      () => setLost(true), // a newer version of the page has it under another name
    );
  }, []);
  const [lost, setLost] = useState(false);
  const { name, of, write } = METRICS[metric];
  const bounds = thresholds(world.countries.map((row) => of(row) ?? 0));
  const steps = new Map(world.countries.map((row) => [row.country, step(of(row), bounds)]));
  const best = [...world.countries].sort((one, other) => (of(other) ?? 0) - (of(one) ?? 0)).slice(0, 3);
  const shown = world.countries.find((row) => row.country === (at ?? selected));
  const code = at ?? selected;
  return (
    <Card
      title="Map"
      note="The stronger the colour, the more"
      actions={
        <label class="inline">
          Colour by
          <select value={metric} onChange={(event) => setMetric(event.currentTarget.value as Metric)}>
            {Object.entries(METRICS).map(([key, { name: label }]) => (
              <option key={key} value={key}>{label}</option>
            ))}
          </select>
        </label>
      }
    >
      <div class="map">
        {lost && <p class="none">The map could not be loaded; the table below has all of it. Loading the page again may help.</p>}
        {WorldMap !== null && (
          <WorldMap
            steps={steps}
            selected={selected}
            onPoint={setAt}
            onChoose={(one) => choose(one, selected)}
            summary={`Map of the world by ${name.toLowerCase()}; the most: ${best.map((row) => `${countryName(row.country)} ${write(of(row) ?? 0, shop)}`).join(", ")}. The table below has all countries.`}
          />
        )}
      </div>
      <div class="map-foot">
        <p class="readout" aria-hidden="true">
          {shown !== undefined ? (
            <><b>{countryName(shown.country)}</b>: {money(shown.revenue_minor, shop)} in {plural(shown.purchase_count, "order")}, {plural(shown.sessions.sessions_count, "session")}</>
          ) : code !== undefined ? (
            `${countryName(code)}: no event`
          ) : (
            "Point at a country to see its figures, click it to choose it."
          )}
        </p>
        <ul class="steps" aria-label={`Colours of ${name.toLowerCase()}`}>
          <li><span class="swatch step-0" />none</li>
          {[...bounds, Number.POSITIVE_INFINITY].map((bound, index) => (
            <li key={bound}>
              <span class={`swatch step-${5 - (bounds.length - index)}`} />
              {Number.isFinite(bound) ? `to ${write(bound, shop)}` : bounds.length === 0 ? "some" : "more"}
            </li>
          ))}
        </ul>
      </div>
    </Card>
  );
}
