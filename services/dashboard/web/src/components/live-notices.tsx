import { age, clock } from "../logic/format";
import { useTick } from "../state/clock";
import { live } from "../state/live";
import { useStore } from "../state/store";
import { Notice, Problem } from "./notice";

/** What is wrong with live figures: the store, the stream, the question. Nothing while all is well. */
export function LiveNotices({ asOf }: { asOf: string | null | undefined }) {
  const { stream, store, problem, lastAt, retryAt } = useStore(live);
  const now = useTick();
  if (store?.state === "down") {
    return (
      <Notice tone="bad" kind="store-down" title="The store does not answer" large={!asOf}>
        <p>
          {asOf ? `The figures below are as of ${clock(asOf)}.` : "There are no figures until it does."} It has been so since{" "}
          {clock(store.since)}; trying again by itself. Events are not lost: they wait in Kafka.
        </p>
        {store.message && <p class="detail">{store.message}</p>}
      </Notice>
    );
  }
  if (problem !== null && problem.code !== "network") return <Problem error={problem} asOf={asOf} />;
  if (stream !== "reconnecting") return null;
  const wait = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <Notice tone="warn" kind="stream-cut" icon="retry" silent title="The live stream was cut; reconnecting">
      <p>
        {lastAt === null ? "No figure has come yet. " : `The last update was ${age(now - lastAt)}. `}
        {wait > 0 ? `Next attempt in ${wait} s.` : "Trying now."}
        {problem !== null && " The dashboard’s server can’t be reached at the moment."}
      </p>
    </Notice>
  );
}
