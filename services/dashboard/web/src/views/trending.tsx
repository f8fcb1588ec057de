import type { Meta, Trending } from "../api/types";
import { Link } from "../components/link";
import { Meter } from "../components/meter";
import { Card } from "../components/view";
import { count, countryName, hourMinute, money, plural } from "../logic/format";
import { address } from "../logic/url";
import { useLocation } from "../state/router";

const SHOWN = 8;

/** What is in demand at the moment, whatever days are chosen. */
export function TrendingCards(props: { trending: Trending | null; country: string | null; asOf: string; shop: Meta }) {
  const { trending, country, asOf, shop } = props;
  const { filters } = useLocation();
  if (trending === null) {
    return (
      <Card title="Trending">
        <p class="none">Nothing is trending yet{country ? ` in ${countryName(country)}` : ""}: it takes a few events of the last hours.</p>
      </Card>
    );
  }
  const end = Date.parse(trending.latest_window) + 15 * 60_000;
  const until = new Date(Math.min(end, Date.parse(asOf))).toISOString();
  const bought = trending.most_bought.slice(0, SHOWN);
  const rising = trending.rising.slice(0, SHOWN);
  const omitted = trending.omitted_products_count > 0
    ? ` ${plural(trending.omitted_products_count, "product")} with little interest ${trending.omitted_products_count === 1 ? "was" : "were"} left out of the comparison.` : "";
  const note = `The last hours up to ${hourMinute(until)} UTC, whatever days are chosen.${omitted}`;
  return (
    <div class="pair">
      <Card title="Most bought" note={note}>
        <ol class="ranks">
          {bought.map((one) => (
            <li key={one.product}>
              <Link class="plain-link" href={address("product", one.product, filters)}>{one.name || one.product}</Link>
              <span class="num" title={plural(one.quantity, "piece")}>{plural(one.quantity, "piece")}</span>
              <span class="num quiet-text">{money(one.revenue_minor, shop)}</span>
              <Meter value={one.quantity} most={bought[0]?.quantity ?? 1} color="orders" />
            </li>
          ))}
        </ol>
        {bought.length === 0 && <p class="none">Nothing was bought in these hours.</p>}
      </Card>
      <Card title="Fastest rising" note="Interest of these hours, less that of as many hours before.">
        <ol class="ranks">
          {rising.map((one) => (
            <li key={one.product}>
              <Link class="plain-link" href={address("product", one.product, filters)}>{one.name || one.product}</Link>
              <span class="num change more">+{count(one.rise)}</span>
              <span class="num quiet-text">{count(one.previous_interest_score)} → {count(one.interest_score)}</span>
              <Meter value={one.rise} most={rising[0]?.rise ?? 1} color="events" />
            </li>
          ))}
        </ol>
        {rising.length === 0 && <p class="none">Nothing rises in these hours.</p>}
      </Card>
    </div>
  );
}
