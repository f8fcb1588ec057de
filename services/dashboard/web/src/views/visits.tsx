import type { Visits } from "../api/types";
import { count, duration, percent, plural } from "../logic/format";
import { interval } from "../logic/estimates";

/** Unique visitors and session lengths, with the error that each is known with. */
export function VisitFigures({ visits }: { visits: Visits | null }) {
  if (visits === null) return <p class="none">No visit was measured on this day.</p>;
  const around = interval(visits.unique_visitors_count, visits.unique_visitors_standard_error);
  const lengths: [string, string, number | null][] = [
    ["Half of all sessions", "p50", visits.p50_seconds],
    ["Nine of ten", "p90", visits.p90_seconds],
    ["99 of 100", "p99", visits.p99_seconds],
  ];
  return (
    <dl class="facts across">
      <div>
        <dt>Unique visitors</dt>
        <dd>
          <strong data-testid="unique-visitors" data-value={String(visits.unique_visitors_count)}>{count(visits.unique_visitors_count)}</strong>
          <p>
            ± {percent(visits.unique_visitors_standard_error, 2)} standard error: in two cases of three between {count(around.low)} and {count(around.high)}
          </p>
        </dd>
      </div>
      {lengths.map(([name, key, seconds]) => (
        <div key={key}>
          <dt>
            {name} last at most <span class="quiet-text">{key}</span>
          </dt>
          <dd>
            <strong data-testid={`session-length-${key}`} data-value={String(seconds)} title={seconds === null ? undefined : `${seconds} s`}>{duration(seconds)}</strong>
            <p>± {percent(visits.relative_error, 0)} at most; of {plural(visits.measured_sessions_count, "closed session")}</p>
          </dd>
        </div>
      ))}
    </dl>
  );
}
