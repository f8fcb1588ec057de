import type { Meta, Pipeline as PipelineFigures } from "../api/types";
import { Icon } from "../components/icons";
import { KeyFigure } from "../components/figure";
import { LiveNotices } from "../components/live-notices";
import { Loading, Notice } from "../components/notice";
import { View } from "../components/view";
import { clock, count, number } from "../logic/format";
import { useHealth } from "../state/health";
import { live } from "../state/live";
import { meta } from "../state/log-in";
import { useStore } from "../state/store";
import { Audit, Brokers, DeadLetters, Documents, Latency, Partitions, Services } from "./pipeline-cards";

/** Whether events flow, how late they are, and what is wrong. */
export function Pipeline() {
  const { pipeline } = useStore(live);
  const shop = useStore(meta);
  const operators = shop?.grafana_url ?? null;
  return (
    <View
      title="Pipeline"
      of="From the shop to the store"
      asOf={pipeline?.as_of}
      busy={pipeline === null}
      actions={operators === null ? undefined : <a class="button" href={operators} rel="noreferrer">More for operators (Grafana)</a>}
    >
      <LiveNotices asOf={pipeline?.as_of} />
      {pipeline === null ? <Loading /> : <Figures pipeline={pipeline} shop={shop} />}
    </View>
  );
}

function Figures({ pipeline, shop }: { pipeline: PipelineFigures; shop: Meta | null }) {
  const lags = pipeline.partitions.map((one) => one.lag_events).filter((lag) => lag !== null);
  const lag = lags.length === 0 ? null : lags.reduce((sum, one) => sum + one, 0);
  const dead = pipeline.dead_letters.reduce((sum, one) => sum + one.count, 0);
  return (
    <>
      <HealthNotice pipeline={pipeline} />
      <section aria-labelledby="flow">
        <h2 id="flow" class="group-title">Throughput</h2>
        <dl class="keys">
          <KeyFigure name="Produced" testid="produced-per-second" value={pipeline.produced_per_second} text={number(pipeline.produced_per_second, 1)}>
            <span class="quiet-text">events per second, by the simulator</span>
          </KeyFigure>
          <KeyFigure name="Counted" testid="aggregated-per-second" value={pipeline.aggregated_per_second} text={number(pipeline.aggregated_per_second, 1)}>
            <span class="quiet-text">events per second, by analytics</span>
          </KeyFigure>
          <KeyFigure name="Lag" testid="pipeline-lag" value={lag} text={count(lag)}>
            <span class="quiet-text">{lag === 0 ? "events wait: caught up" : "events wait to be counted"}</span>
          </KeyFigure>
          <KeyFigure name="Duplicates" testid="duplicates" value={pipeline.duplicates} text={count(pipeline.duplicates)}>
            <span class="quiet-text">came twice and counted once</span>
          </KeyFigure>
          <KeyFigure name="Dead letters" testid="dead-letters" value={dead} text={count(dead)}>
            <span class="quiet-text">messages that are no events</span>
          </KeyFigure>
          <KeyFigure name="Watermark" testid="watermark" value={pipeline.watermark} text={pipeline.watermark === null ? "–" : clock(pipeline.watermark).slice(0, 8)}>
            <span class="quiet-text">UTC; what closed before it is final</span>
          </KeyFigure>
        </dl>
      </section>
      <div class="pair">
        <Latency latency={pipeline.latency} />
        <Audit audit={pipeline.audit} />
      </div>
      <Partitions partitions={pipeline.partitions} />
      <div class="pair">
        <DeadLetters letters={pipeline.dead_letters} />
        <Documents pipeline={pipeline} shop={shop} />
      </div>
      <div class="pair">
        <Services services={pipeline.services} />
        <Brokers brokers={pipeline.brokers} />
      </div>
    </>
  );
}

function HealthNotice({ pipeline }: { pipeline: PipelineFigures }) {
  const { health, word, tone } = useHealth();
  if (health === "ok") {
    return (
      <p class="verdict good">
        <Icon name="good" size={20} />
        <span><b>{word}.</b> Every part answers, and events are counted as they come.</span>
      </p>
    );
  }
  return (
    <Notice tone={tone} kind={`health-${health}`} title={word} silent>
      {health === "unknown" ? (
        <p>No word of it for more than ten seconds. What is below is from {clock(pipeline.as_of)}.</p>
      ) : (
        <ul>
          {pipeline.reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
    </Notice>
  );
}
