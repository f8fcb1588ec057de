import { countryName } from "../logic/format";
import { address } from "../logic/url";
import { setParameters, useLocation } from "../state/router";
import { rangeText } from "./filters";
import { Link } from "./link";
import { Notice } from "./notice";

/** The shop is new: nothing ever happened. */
export function EmptyShop() {
  const { filters } = useLocation();
  return (
    <Notice tone="quiet" icon="empty" kind="empty-shop" title="Nothing has happened in this shop yet" large>
      <p>
        Figures appear here by themselves, a second or so after the first shopper comes. Start the simulator to send some:{" "}
        <code>make run</code> does it with all the rest, <code>make compose-dev-up</code> in containers.
      </p>
      <p>
        If shoppers should be here by now, <Link href={address("pipeline", null, filters)}>the pipeline</Link> shows where
        their events stay.
      </p>
    </Notice>
  );
}

/** The shop may be busy, but not on these days or in this country. */
export function NothingHere({ from, to, country }: { from: string; to: string; country: string | null }) {
  return (
    <Notice tone="quiet" icon="empty" kind="nothing-here" title="Nothing for this choice" large>
      <p>
        No event of {rangeText(from, to)} (UTC){country ? ` in ${countryName(country)}` : ""} was counted.
      </p>
      <p class="actions">
        <button type="button" class="button" onClick={() => setParameters({ from: null, to: null })}>
          Today
        </button>
        {country && (
          <button type="button" class="button" onClick={() => setParameters({ country: null })}>
            All countries
          </button>
        )}
      </p>
    </Notice>
  );
}
