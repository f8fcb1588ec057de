import { Card, View } from "../components/view";
import { EmptyShop } from "../components/empty";
import { Change, KeyFigure } from "../components/figure";
import { LiveNotices } from "../components/live-notices";
import { Loading, Notice } from "../components/notice";
import type { Meta, Now as NowFigures } from "../api/types";
import { averageUntilNow, change, isEmptyShop, share } from "../logic/figures";
import { count, countryName, dayText, duration, money, moneyExact, number, percent, plural, signedPercent } from "../logic/format";
import { useHealth } from "../state/health";
import { live } from "../state/live";
import { meta } from "../state/log-in";
import { useLocation } from "../state/router";
import { useStore } from "../state/store";
import { Minutes, QuarterHours } from "./now-charts";

/** How the shop is doing at this moment. */
export function Now() {
  const state = useStore(live);
  const shop = useStore(meta);
  const { filters } = useLocation();
  const { now } = state;
  const of = now === null ? undefined : `${dayText(now.day)} (UTC), ${now.country === null ? "all countries" : countryName(now.country)}`;
  return (
    <View title="Now" of={of} asOf={now?.as_of} busy={now === null}>
      <LiveNotices asOf={now?.as_of} />
      {now === null || shop === null ? (
        state.problem === null && state.store?.state !== "down" && <Loading />
      ) : isEmptyShop(now) && filters.country === undefined ? (
        <EmptyShop />
      ) : (
        <Figures now={now} shop={shop} />
      )}
    </View>
  );
}

function Figures({ now, shop }: { now: NowFigures; shop: Meta }) {
  const today = now.today;
  const before = now.yesterday_until_now;
  const average = averageUntilNow(now);
  const inCountry = now.country === null ? "" : `in ${countryName(now.country)} `;
  return (
    <>
      <Summary now={now} shop={shop} />
      {today === null && (
        <Notice tone="quiet" icon="empty" kind="nothing-today" title={`Nothing happened ${inCountry}yet today`}>
          <p>The day began at 00:00 UTC. Yesterday’s figures are below where there are any.</p>
        </Notice>
      )}
      <section aria-labelledby="shop">
        <h2 id="shop" class="group-title">The shop today</h2>
        <dl class="keys">
          <KeyFigure large name="Revenue" testid="revenue-today" value={today?.revenue_minor ?? null} text={money(today?.revenue_minor ?? null, shop)} exact={moneyExact(today?.revenue_minor ?? null, shop)}>
            <Change share={change(today?.revenue_minor, before?.revenue_minor)} against="yesterday by this time" title={before === null ? "" : `Yesterday by this time: ${moneyExact(before.revenue_minor, shop)}`} />
            {now.yesterday !== null && <div class="quiet-text">{money(now.yesterday.revenue_minor, shop)} all of yesterday</div>}
          </KeyFigure>
          <KeyFigure name="Orders" testid="orders-today" value={today?.purchase_count ?? null} text={count(today?.purchase_count ?? null)} exact={plural(today?.purchase_count ?? 0, "order")}>
            <Change share={change(today?.purchase_count, before?.purchase_count)} against="yesterday by this time" title={before === null ? "" : `Yesterday by this time: ${count(before.purchase_count)}`} />
          </KeyFigure>
          <KeyFigure name="Average order" testid="average-order" value={today?.average_order_value_minor ?? null} text={money(today?.average_order_value_minor ?? null, shop)} exact={moneyExact(today?.average_order_value_minor ?? null, shop)}>
            <Change share={change(today?.average_order_value_minor, average)} against="yesterday by this time" title={average === null ? "" : `Yesterday by this time: ${moneyExact(Math.round(average), shop)}`} />
          </KeyFigure>
          <KeyFigure name="Conversion" testid="conversion" value={today?.conversion_rate ?? null} text={percent(today?.conversion_rate ?? null, 2)} exact="Orders for each product that was looked at">
            <span class="quiet-text">orders per product view; {percent(now.yesterday?.conversion_rate ?? null, 2)} yesterday</span>
          </KeyFigure>
        </dl>
      </section>
      <section aria-labelledby="flow">
        <h2 id="flow" class="group-title">
          At this moment{now.country !== null && <span class="quiet-text"> · of all countries</span>}
        </h2>
        <dl class="keys flow">
          <KeyFigure name="Active sessions" testid="active-sessions" value={now.active_sessions} text={count(now.active_sessions)}>
            <span class="quiet-text">shoppers in the shop</span>
          </KeyFigure>
          <KeyFigure name="Events per second" testid="events-per-second" value={now.events_per_second} text={number(now.events_per_second, 1)} exact={`${now.events_per_second ?? "no figure"}`}>
            <span class="quiet-text">counted by the pipeline</span>
          </KeyFigure>
          <KeyFigure name="Lag" testid="lag-events" value={now.lag_events} text={count(now.lag_events)}>
            <span class="quiet-text">{now.lag_events === 0 ? "events wait: caught up" : now.lag_events === null ? "no figure: analytics does not answer" : "events wait to be counted"}</span>
          </KeyFigure>
        </dl>
      </section>
      {now.minutes.length > 0 ? (
        <Card title="The last 60 minutes" note="Minute by minute, by the events’ own time (UTC)">
          <Minutes minutes={now.minutes} shop={shop} />
        </Card>
      ) : (
        <p class="note">Minute figures exist for all countries together only; quarter-hours are below.</p>
      )}
      <Card title="The last 24 hours" note="Revenue by quarter-hour (UTC). Paler bars can still change: late events count">
        <QuarterHours windows={now.windows} asOf={now.as_of} shop={shop} />
      </Card>
    </>
  );
}

/** The whole view in two sentences. */
function Summary({ now, shop }: { now: NowFigures; shop: Meta }) {
  const { pipeline } = useStore(live);
  const { health, word, reasons } = useHealth();
  const today = now.today;
  const difference = change(today?.revenue_minor, now.yesterday_until_now?.revenue_minor);
  const bought = today === null ? null : share(today.sessions.buying_sessions_count, today.sessions.sessions_count);
  const hot = pipeline?.latency.find((tier) => tier.tier === "hot")?.p99_seconds ?? null;
  return (
    <p class="summary">
      {today === null ? (
        "The shop has sold nothing yet today."
      ) : (
        <>
          The shop took <b>{money(today.revenue_minor, shop)}</b> today in <b>{plural(today.purchase_count, "order")}</b>
          {difference !== null && `, ${signedPercent(difference)} against yesterday by this time`}
          {bought !== null && `; ${percent(bought)} of all sessions bought something`}.
        </>
      )}{" "}
      {word}
      {health === "ok" ? hot !== null && `: almost every event is in these figures within ${duration(hot)}` : reasons && `: ${reasons.replace(/\.$/, "")}`}.
    </p>
  );
}
