import type { ComponentChildren } from "preact";
import type { Meta, Pipeline } from "../api/types";
import { Icon, type IconName } from "../components/icons";
import { Meter, Metered } from "../components/meter";
import { Table } from "../components/table";
import { Card } from "../components/view";
import { count, duration, moment, number, plural } from "../logic/format";
import { deadLetterReason, partName, tierName, type Tone } from "../logic/health";

/** A state in a word, with a picture and a colour. */
function State({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  const icon: IconName = tone;
  return (
    <span class={`state ${tone}`}>
      <Icon name={icon} size={14} />
      {children}
    </span>
  );
}

export function Latency({ latency }: { latency: Pipeline["latency"] }) {
  const most = Math.max(0, ...latency.map((one) => one.p99_seconds ?? 0));
  return (
    <Card title="From event to store" note="How long an event of the last minute took into the figures, by kind of document">
      <Table
        caption="End-to-end latency"
        rows={latency}
        rowKey={(row) => row.tier}
        rowTest={(row) => ({ testid: `latency-${row.tier}`, value: row.p99_seconds })}
        columns={[
          { field: "tier", label: "Tier", heads: true, cell: (row) => <>{row.tier} <span class="quiet-text tier-note">{tierName(row.tier)}</span></> },
          { field: "p50_seconds", label: "Half within", hint: "p50", numeric: true, value: (row) => row.p50_seconds, cell: (row) => duration(row.p50_seconds) },
          { field: "p99_seconds", label: "99 % within", hint: "p99", numeric: true, value: (row) => row.p99_seconds, cell: (row) => <Metered value={row.p99_seconds} most={most} color="events">{duration(row.p99_seconds)}</Metered> },
        ]}
        empty="No document was written in the last minute."
      />
    </Card>
  );
}

export function Audit({ audit }: { audit: Pipeline["audit"] }) {
  const note = "It computes every figure anew from Kafka, by other code, and compares";
  if (audit === null) {
    return (
      <Card title="Last audit" note={note}>
        <p data-testid="audit-result" data-value="null"><State tone="quiet">No audit yet</State></p>
        <p class="note">Run <code>storepulse-analytics audit</code> to have one.</p>
      </Card>
    );
  }
  const exact = audit.differences === 0;
  return (
    <Card title="Last audit" note={note}>
      <p class="audit" data-testid="audit-result" data-value={String(audit.differences)}>
        <State tone={exact ? "good" : "bad"}>{exact ? "Every document was exact" : plural(audit.differences, "difference")}</State>
      </p>
      <dl class="short">
        <div><dt>Finished</dt><dd>{moment(audit.finished_at)}</dd></div>
        <div><dt>Messages read</dt><dd>{count(audit.messages)}</dd></div>
        <div><dt>Events counted</dt><dd>{count(audit.events)}</dd></div>
        <div><dt>Documents compared</dt><dd>{count(audit.documents)}</dd></div>
        <div><dt>Not counted yet then</dt><dd>{count(audit.not_aggregated)}</dd></div>
      </dl>
    </Card>
  );
}

export function Partitions({ partitions }: { partitions: Pipeline["partitions"] }) {
  const most = Math.max(1, ...partitions.map((one) => one.lag_events ?? 0));
  return (
    <Card title="Lag by partition" note="Events in Kafka that no figure has yet, and how long the first of them may have waited">
      {partitions.length === 0 && <p class="none">No partition is known: analytics does not answer.</p>}
      <ul class="partitions">
        {partitions.map((one) => (
          <li key={one.partition} data-testid={`partition-${one.partition}`} data-value={String(one.lag_events)}>
            <span class="quiet-text">Partition {one.partition}</span>
            <strong>{one.lag_events === null ? "not known" : plural(one.lag_events, "event")}</strong>
            <Meter value={one.lag_events} most={most} color="orders" />
            <span class="quiet-text">{one.lag_seconds === null ? "age not known" : one.lag_seconds === 0 ? "caught up" : `waits ${duration(one.lag_seconds)}`}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function DeadLetters({ letters }: { letters: Pipeline["dead_letters"] }) {
  const known = letters.filter((one) => one.count > 0).sort((one, other) => other.count - one.count);
  return (
    <Card title="Dead letters" note="Messages that are no events, since the services began. They are kept for 30 days">
      {known.length === 0 ? (
        <p><State tone="good">None: every message was an event</State></p>
      ) : (
        <Table
          caption="Dead letters by reason"
          rows={known}
          rowKey={(row) => row.reason}
          rowTest={(row) => ({ testid: `dead-letter-${row.reason}`, value: row.count })}
          columns={[
            { field: "reason", label: "Reason", heads: true, cell: (row) => <><code>{row.reason}</code> <span class="quiet-text">{deadLetterReason(row.reason)}</span></> },
            { field: "count", label: "Messages", numeric: true, cell: (row) => <Metered value={row.count} most={known[0]?.count ?? 1} color="orders">{count(row.count)}</Metered> },
          ]}
        />
      )}
    </Card>
  );
}

export function Documents({ pipeline, shop }: { pipeline: Pipeline; shop: Meta | null }) {
  const most = Math.max(1, ...pipeline.documents_written.map((one) => one.count));
  return (
    <Card title="Documents written" note="Firestore bills each; an event causes far fewer than one">
      <p class="audit">
        <strong data-testid="documents-per-event" data-value={String(pipeline.documents_per_event)} title={String(pipeline.documents_per_event)}>
          {number(pipeline.documents_per_event, 4)}
        </strong>{" "}
        <span class="quiet-text">documents per event</span>
      </p>
      <Table
        caption="Documents written by tier"
        rows={pipeline.documents_written}
        rowKey={(row) => row.tier}
        columns={[
          { field: "tier", label: "Tier", heads: true, cell: (row) => <>{row.tier} <span class="quiet-text tier-note">{tierName(row.tier)}</span></> },
          { field: "count", label: "Documents", numeric: true, cell: (row) => <Metered value={row.count} most={most} color="revenue">{count(row.count)}</Metered> },
        ]}
        empty="None yet."
      />
      {shop !== null && (
        <p class="table-foot">
          This page itself reads {shop.reads_per_viewer_hour === null ? "a few documents" : `about ${plural(Math.round(shop.reads_per_viewer_hour), "document")}`} an
          hour for each viewer, at most {count(shop.reads_per_viewer_hour_bound)}.
        </p>
      )}
    </Card>
  );
}

export function Services({ services }: { services: Pipeline["services"] }) {
  return (
    <Card title="Services">
      {services.length === 0 && <p class="none">No service is known.</p>}
      <ul class="services">
        {services.map((service) => (
          <li key={`${service.name} ${service.instance}`}>
            <p class="service-name">
              <b>{service.name}</b> <span class="quiet-text">{service.instance}</span>
              <State tone={!service.reachable ? "bad" : service.ready ? "good" : "warn"}>
                {!service.reachable ? "does not answer" : service.ready ? "ready" : "not ready"}
              </State>
            </p>
            {service.parts.length > 0 && (
              <ul class="parts">
                {service.parts.map((part) => (
                  <li key={part.part}>
                    <State tone={part.ready ? "good" : "warn"}>{partName(part.part)}</State>{" "}
                    <span class="quiet-text">{[part.state, part.detail].filter(Boolean).join(": ")}</span>
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function Brokers({ brokers }: { brokers: Pipeline["brokers"] }) {
  return (
    <Card title="Kafka brokers" note="Connections are made as they are needed: not all need one">
      {brokers.length === 0 && <p class="none">No broker is known: analytics does not answer.</p>}
      <ul class="brokers">
        {brokers.map((broker) => (
          <li key={broker.broker} data-testid={`broker-${broker.broker}`} data-value={broker.state}>
            <b>{broker.broker}</b>
            <State tone={broker.state === "connected" ? "good" : "warn"}>{broker.state}</State>
          </li>
        ))}
      </ul>
    </Card>
  );
}
