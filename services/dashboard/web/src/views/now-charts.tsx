import { useState } from "preact/hooks";
import type { Meta, Minute, QuarterHour } from "../api/types";
import { AsTable, BarChart, Readout } from "../components/chart";
import { Table } from "../components/table";
import { count, countShort, hourMinute, money, moneyExact, moneyShort, plural } from "../logic/format";
import { fillQuarterHours } from "../logic/windows";

/** Revenue, orders and events of the last hour, above each other. */
export function Minutes({ minutes, shop }: { minutes: Minute[]; shop: Meta }) {
  const [active, onActive] = useState<number | null>(null);
  const labels = minutes.map((minute) => hourMinute(minute.start));
  const at = active === null ? undefined : minutes[active];
  const sums = {
    revenue: minutes.reduce((sum, minute) => sum + minute.revenue_minor, 0),
    orders: minutes.reduce((sum, minute) => sum + minute.purchase_count, 0),
    events: minutes.reduce((sum, minute) => sum + minute.events_count, 0),
  };
  const when = `${labels[0]} to ${labels.at(-1)} UTC`;
  const common = { labels, active, onActive };
  return (
    <>
      <Readout>{at === undefined ? `${when}, together:` : `${hourMinute(at.start)} UTC:`}</Readout>
      <div class="strips">
        <h3>
          Revenue <b>{money(at?.revenue_minor ?? sums.revenue, shop)}</b>
        </h3>
        <BarChart {...common} height={92} xAxis={false} series={[{ name: "Revenue", color: "revenue", values: minutes.map((minute) => minute.revenue_minor) }]} axis={(value) => moneyShort(value, shop)} summary={`Revenue by minute, ${when}: ${moneyExact(sums.revenue, shop)} together.`} />
        <h3>
          Orders <b>{count(at?.purchase_count ?? sums.orders)}</b>
        </h3>
        <BarChart {...common} height={72} xAxis={false} series={[{ name: "Orders", color: "orders", values: minutes.map((minute) => minute.purchase_count) }]} axis={countShort} summary={`Orders by minute, ${when}: ${plural(sums.orders, "order")} together.`} />
        <h3>
          Events <b>{count(at?.events_count ?? sums.events)}</b>
        </h3>
        <BarChart {...common} height={92} series={[{ name: "Events", color: "events", values: minutes.map((minute) => minute.events_count) }]} axis={countShort} summary={`Events by minute, ${when}: ${plural(sums.events, "event")} together.`} />
      </div>
      <AsTable>
        {() => (
          <Table
            caption="The last 60 minutes"
            rows={[...minutes].reverse()}
            rowKey={(row) => row.start}
            columns={[
              { field: "start", label: "Minute (UTC)", heads: true, cell: (row) => hourMinute(row.start) },
              { field: "revenue_minor", label: "Revenue", numeric: true, cell: (row) => money(row.revenue_minor, shop) },
              { field: "purchase_count", label: "Orders", numeric: true, cell: (row) => count(row.purchase_count) },
              { field: "events_count", label: "Events", numeric: true, cell: (row) => count(row.events_count) },
            ]}
          />
        )}
      </AsTable>
    </>
  );
}

/** Revenue of the last 24 hours. */
export function QuarterHours({ windows, asOf, shop }: { windows: QuarterHour[]; asOf: string; shop: Meta }) {
  const [active, onActive] = useState<number | null>(null);
  const all = fillQuarterHours(windows, asOf);
  const at = active === null ? undefined : all[active];
  const revenue = windows.reduce((sum, one) => sum + one.revenue_minor, 0);
  const orders = windows.reduce((sum, one) => sum + one.purchase_count, 0);
  const late = windows.reduce((sum, one) => sum + one.events_after_close_count, 0);
  return (
    <>
      <Readout>
        {at === undefined ? "Together: " : `${hourMinute(at.start)} UTC, ${at.is_final ? "final" : "not final"}: `}
        <b>{money(at?.revenue_minor ?? revenue, shop)}</b> in {plural(at?.purchase_count ?? orders, "order")}
      </Readout>
      <BarChart
        labels={all.map((one) => hourMinute(one.start))}
        series={[{ name: "Revenue", color: "revenue", values: all.map((one) => one.revenue_minor) }]}
        axis={(value) => moneyShort(value, shop)}
        open={(index) => all[index]?.is_final === false}
        summary={`Revenue by quarter-hour of the last 24 hours: ${moneyExact(revenue, shop)} together.`}
        active={active}
        onActive={onActive}
      />
      {late > 0 && <p class="note">{plural(late, "event")} came after its quarter-hour was final, and counted nevertheless.</p>}
      <AsTable>
        {() => (
          <Table
            caption="The last 24 hours by quarter-hour"
            rows={[...windows].reverse()}
            rowKey={(row) => row.start}
            columns={[
              { field: "start", label: "From (UTC)", heads: true, cell: (row) => hourMinute(row.start) },
              { field: "revenue_minor", label: "Revenue", numeric: true, cell: (row) => money(row.revenue_minor, shop) },
              { field: "purchase_count", label: "Orders", numeric: true, cell: (row) => count(row.purchase_count) },
              { field: "is_final", label: "Final", cell: (row) => (row.is_final ? "yes" : "not yet") },
              { field: "events_after_close_count", label: "Late events", numeric: true, cell: (row) => count(row.events_after_close_count) },
            ]}
          />
        )}
      </AsTable>
    </>
  );
}
