import type { FunnelPage, Meta } from "../api/types";
import { NothingHere } from "../components/empty";
import { Loading, Problem } from "../components/notice";
import { changes, ofText } from "../components/of";
import { CsvLink } from "../components/table";
import { Card, View } from "../components/view";
import { funnelSteps } from "../logic/figures";
import { count, dayText, money, moneyExact, percent, plural } from "../logic/format";
import { api } from "../logic/url";
import { meta } from "../state/log-in";
import { useResource } from "../state/resource";
import { useLocation } from "../state/router";
import { useStore } from "../state/store";
import { FunnelOverTime, FunnelTable } from "./funnel-tables";
import { VisitFigures } from "./visits";

/** How many who come also buy, and where the others leave. */
export function Funnel() {
  const { filters } = useLocation();
  const shop = useStore(meta);
  const { data, stale, error } = useResource<FunnelPage>(api.funnel(filters), { live: changes(filters, shop?.today) });
  return (
    <View
      title="Funnel"
      of={data === null ? undefined : ofText(data, data.country)}
      asOf={data?.as_of}
      busy={error === null && (data === null || stale)}
      actions={<CsvLink href={api.funnel(filters, true)} of="the funnel" />}
    >
      {error !== null && <Problem error={error} asOf={data?.as_of} />}
      {data === null || shop === null ? (
        error === null && <Loading />
      ) : data.total.sessions_count === 0 ? (
        <NothingHere from={data.from} to={data.to} country={data.country} />
      ) : (
        <Figures page={data} shop={shop} />
      )}
    </View>
  );
}

function Figures({ page, shop }: { page: FunnelPage; shop: Meta }) {
  return (
    <>
      <div class="pair wide-left">
        <Card title="From coming to buying" note="Sessions by where they began; each counts once a step">
          <Steps page={page} />
        </Card>
        <Card title="Who left" note="Of sessions that are over">
          <Left page={page} shop={shop} />
        </Card>
      </div>
      <Card title="Visits" note={`Of ${dayText(page.to)} (UTC). Both are estimates, each with its error`}>
        <VisitFigures visits={page.visits} />
      </Card>
      {page.by_day.length > 1 && (
        <Card title="By day">
          <FunnelOverTime rows={page.by_day.map((row) => ({ ...row, key: row.day }))} kind="day" shop={shop} />
        </Card>
      )}
      <Card title="By hour" note={`Of ${dayText(page.to)} (UTC)`}>
        <FunnelOverTime rows={page.by_hour.map((row) => ({ ...row, key: row.hour }))} kind="hour" shop={shop} />
      </Card>
      {page.country === null && (
        <Card title="By country">
          <FunnelTable rows={page.by_country.map((row) => ({ ...row, key: row.country }))} kind="country" shop={shop} />
        </Card>
      )}
    </>
  );
}

function Steps({ page }: { page: FunnelPage }) {
  const steps = funnelSteps(page.total);
  return (
    <ol class="funnel">
      {steps.map((step, index) => (
        <li key={step.key}>
          <div class="step">
            <span class="step-name">{step.name}</span>
            <strong class="step-count" data-testid={`funnel-${step.key}`} data-value={String(step.count)}>
              {count(step.count)}
            </strong>
            <span class="step-share">{index === 0 ? "all sessions" : `${percent(step.ofAll)} of all`}</span>
          </div>
          <div class="step-track" aria-hidden="true">
            <span class={`step-bar f${index + 1}`} style={{ width: `${Math.max(0.4, (step.ofAll ?? 0) * 100)}%` }} />
          </div>
          {step.goOn !== null && <p class="went-on">{percent(step.goOn)} of them went on</p>}
        </li>
      ))}
    </ol>
  );
}

function Left({ page, shop }: { page: FunnelPage; shop: Meta }) {
  const { total, rates } = page;
  return (
    <dl class="facts">
      <div>
        <dt>Bounced</dt>
        <dd>
          <strong data-testid="bounce" data-value={String(rates.bounce)}>{percent(rates.bounce)}</strong>
          <p>{count(total.bounced_sessions_count)} of {plural(total.closed_sessions_count, "closed session")} did at most one thing</p>
        </dd>
      </div>
      <div>
        <dt>Abandoned carts</dt>
        <dd>
          <strong data-testid="abandonment" data-value={String(rates.abandonment)}>{percent(rates.abandonment)}</strong>
          <p>{plural(total.abandoned_carts_count, "cart")} of {plural(total.carting_sessions_count, "session")} that filled one</p>
        </dd>
      </div>
      <div>
        <dt>Left in them</dt>
        <dd>
          <strong data-testid="abandoned-value" data-value={String(total.abandoned_carts_minor)} title={moneyExact(total.abandoned_carts_minor, shop)}>
            {money(total.abandoned_carts_minor, shop)}
          </strong>
          <p>what was in abandoned carts was worth</p>
        </dd>
      </div>
      <div>
        <dt>Still in the shop</dt>
        <dd>
          <strong data-testid="open-sessions" data-value={String(total.sessions_count - total.closed_sessions_count)}>
            {count(total.sessions_count - total.closed_sessions_count)}
          </strong>
          <p>sessions not closed yet; they count in no rate of this card</p>
        </dd>
      </div>
    </dl>
  );
}
