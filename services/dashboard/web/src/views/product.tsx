import { useState } from "preact/hooks";
import type { Meta, ProductPage } from "../api/types";
import { AsTable, BarChart, Readout } from "../components/chart";
import { NothingHere } from "../components/empty";
import { Link } from "../components/link";
import { Loading, Notice, Problem } from "../components/notice";
import { changes, ofText } from "../components/of";
import { Table } from "../components/table";
import { Card, View } from "../components/view";
import { count, countShort, dayShort, dayText, hourText, money, moneyExact, moneyShort, percent, plural } from "../logic/format";
import { address, api } from "../logic/url";
import { meta } from "../state/log-in";
import { useResource } from "../state/resource";
import { useLocation } from "../state/router";
import { useStore } from "../state/store";
import { figureColumns } from "./product-columns";

/** One product over days and hours. */
export function Product({ id }: { id: string }) {
  const { filters } = useLocation();
  const shop = useStore(meta);
  const { data, stale, error } = useResource<ProductPage>(api.product(id, filters), { live: changes(filters, shop?.today) });
  const missing = error?.code === "not_found";
  return (
    <View title={data === null ? `Product ${id}` : data.name || data.id} of={data === null ? undefined : ofText(data, data.country)} asOf={data?.as_of} busy={error === null && (data === null || stale)}>
      <p class="back">
        <Link href={address("products", null, filters)}>All products</Link>
        {data !== null && <span class="quiet-text"> · id {data.id}</span>}
      </p>
      {missing && (
        <Notice tone="quiet" icon="empty" kind="no-such-product" title="There is no such product" large>
          <p>
            No event ever named a product with the id <code>{id}</code>
            {filters.country === undefined ? "" : " in this country"}. The <Link href={address("products", null, filters)}>table of products</Link> can be searched by name and id.
          </p>
        </Notice>
      )}
      {error !== null && !missing && <Problem error={error} asOf={data?.as_of} />}
      {data === null || shop === null ? error === null && <Loading /> : <Figures page={data} shop={shop} />}
    </View>
  );
}

function Figures({ page, shop }: { page: ProductPage; shop: Meta }) {
  return (
    <>
      {page.lifetime !== null && (
        <section aria-labelledby="lifetime">
          <h2 id="lifetime" class="group-title">Since the shop began</h2>
          <dl class="keys">
            <Key name="Revenue" value={page.lifetime.revenue_minor} field="revenue_minor" text={money(page.lifetime.revenue_minor, shop)} title={moneyExact(page.lifetime.revenue_minor, shop)} />
            <Key name="Pieces bought" value={page.lifetime.total_items_purchased} field="total_items_purchased" text={count(page.lifetime.total_items_purchased)} />
            <Key name="Orders" value={page.lifetime.purchase_count} field="purchase_count" text={count(page.lifetime.purchase_count)} />
            <Key name="Views" value={page.lifetime.views_count} field="views_count" text={count(page.lifetime.views_count)} />
            <Key name="Conversion" value={page.lifetime.conversion_rate} field="conversion_rate" text={percent(page.lifetime.conversion_rate, 2)} title="Orders for each view" />
            <Key name="Interest" value={page.lifetime.interest_score} field="interest_score" text={count(page.lifetime.interest_score)} />
          </dl>
        </section>
      )}
      {page.days.length === 0 ? (
        <NothingHere from={page.from} to={page.to} country={page.country} />
      ) : (
        <>
          <Over title="By day" keyLabel="Day (UTC)" shop={shop} rows={page.days.map((row) => ({ ...row, key: row.day, short: dayShort(row.day), long: dayText(row.day) }))} />
          {page.hours.length > 0 ? (
            <Over title="By hour" keyLabel="Hour (UTC)" note={`Of ${dayText(page.to)}. Paler bars can still change.`} shop={shop} rows={page.hours.map((row) => ({ ...row, key: row.hour, short: hourText(row.hour), long: hourText(row.hour) }))} />
          ) : (
            page.country !== null && <p class="note">Hours of a product exist for all countries together only.</p>
          )}
        </>
      )}
    </>
  );
}

function Key(props: { name: string; field: string; value: number | null; text: string; title?: string }) {
  return (
    <div class="key">
      <dt>{props.name}</dt>
      <dd>
        <strong data-testid={`lifetime-${props.field}`} data-value={String(props.value)} title={props.title}>{props.text}</strong>
      </dd>
    </div>
  );
}

type OverRow = Omit<ProductPage["days"][number], "day"> & { key: string; short: string; long: string; is_final?: boolean };

function Over({ title, keyLabel, note, rows, shop }: { title: string; keyLabel: string; note?: string; rows: OverRow[]; shop: Meta }) {
  const [active, onActive] = useState<number | null>(null);
  const at = active === null ? undefined : rows[active];
  const sum = (field: "revenue_minor" | "total_items_purchased" | "views_count") => at?.[field] ?? rows.reduce((total, row) => total + row[field], 0);
  const common = { labels: rows.map((row) => row.short), active, onActive, open: (index: number) => rows[index]?.is_final === false };
  return (
    <Card title={title} note={note}>
      <Readout>
        {at === undefined ? "Together: " : `${at.long}: `}
        <b>{money(sum("revenue_minor"), shop)}</b> for {plural(sum("total_items_purchased"), "piece")}, {plural(sum("views_count"), "view")}
      </Readout>
      <div class="strips">
        <h3>Revenue</h3>
        <BarChart {...common} height={110} xAxis={false} series={[{ name: "Revenue", color: "revenue", values: rows.map((row) => row.revenue_minor) }]} axis={(value) => moneyShort(value, shop)} summary={`Revenue of the product, ${title.toLowerCase()}.`} />
        <h3>Views</h3>
        <BarChart {...common} height={110} series={[{ name: "Views", color: "events", values: rows.map((row) => row.views_count) }]} axis={countShort} summary={`Views of the product, ${title.toLowerCase()}.`} />
      </div>
      <AsTable>
        {() => (
          <Table
            caption={title}
            rows={rows}
            rowKey={(row) => row.key}
            rowTest={(row) => ({ testid: `product-at-${row.key}`, value: row.interest_score })}
            columns={[{ field: "key", label: keyLabel, heads: true, cell: (row: OverRow) => row.long }, ...figureColumns<OverRow>(shop, Math.max(1, ...rows.map((row) => row.interest_score)))]}
          />
        )}
      </AsTable>
    </Card>
  );
}
