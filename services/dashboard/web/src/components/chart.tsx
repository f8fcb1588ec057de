import { scaleBand, scaleLinear } from "d3-scale";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ticksOf } from "../logic/scale";

export interface Series {
  name: string;
  /** One of the colours: `revenue`, `orders`, `events`, or `f1` to `f4`, of the funnel. */
  color: string;
  values: readonly number[];
}

interface Props {
  /** Below the bars. */
  labels: readonly string[];
  /** The first is behind, the following in front of it: each is a part of the one before. */
  series: readonly Series[];
  axis: (value: number) => string;
  /** What the chart shows, for who can't see it; the figures are in a table next to it. */
  summary: string;
  height?: number;
  /** Bars that can still change are paler. */
  open?: (index: number) => boolean;
  active: number | null;
  onActive: (index: number | null) => void;
  xAxis?: boolean;
}

const LEFT = 52;
const BOTTOM = 20;
const TOP = 8;

/** Bars over time. */
export function BarChart({ labels, series, axis, summary, height = 140, open, active, onActive, xAxis = true }: Props) {
  const [ref, width] = useWidth();
  const bottom = xAxis ? BOTTOM : 4;
  const most = Math.max(0, ...series.flatMap((one) => one.values));
  const y = scaleLinear([0, most > 0 ? most : 1], [height - bottom, TOP]).nice(3);
  const x = scaleBand(labels.map((_, index) => index), [LEFT, Math.max(LEFT + 1, width)]).paddingInner(0.22);
  const ticks = most > 0 ? y.ticks(height > 110 ? 3 : 2) : [0];
  const shown = ticksOf(labels, width - LEFT);
  const band = Math.max(0.5, x.bandwidth());

  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const index = Math.floor((event.clientX - box.left - LEFT) / x.step());
    onActive(index >= 0 && index < labels.length ? index : null);
  };
  return (
    <div class="chart" ref={ref}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={summary} onPointerMove={point} onPointerDown={point} onPointerLeave={() => onActive(null)}>
          {ticks.map((tick) => (
            <g key={tick}>
              <line class={tick === 0 ? "base" : "grid"} x1={LEFT} x2={width} y1={Math.round(y(tick)) + 0.5} y2={Math.round(y(tick)) + 0.5} />
              <text class="tick" x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
                {axis(tick)}
              </text>
            </g>
          ))}
          {active !== null && <rect class="cursor" x={(x(active) ?? 0) - 1} y={TOP} width={band + 2} height={height - bottom - TOP} />}
          {series.map((one) => (
            <g key={one.name} class={`bars ${one.color}`}>
              {one.values.map((value, index) =>
                value > 0 ? (
                  <rect
                    key={index}
                    class={open?.(index) ? "open" : undefined}
                    x={x(index)}
                    width={band}
                    y={Math.min(y(value), y(0) - 1)}
                    height={Math.max(1, y(0) - y(value))}
                    rx={Math.min(2, band / 4)}
                  />
                ) : null,
              )}
            </g>
          ))}
          {xAxis &&
            shown.map((index) => {
              const middle = (x(index) ?? 0) + band / 2;
              const atEnd = middle > width - 20 && band < 40;
              return (
                <text key={index} class="tick" x={atEnd ? width : middle} y={height - 5} text-anchor={atEnd ? "end" : "middle"}>
                  {labels[index]}
                </text>
              );
            })}
        </svg>
      )}
    </div>
  );
}

/** The width of an element, as it changes. */
export function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = () => setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

/** The figures of a chart, for everyone. They are drawn only once they are asked for. */
export function AsTable({ children }: { children: () => ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && children()}
    </details>
  );
}

/** What the pointer is at, above a chart; its place is kept while it is empty. */
export function Readout({ children }: { children: ComponentChildren }) {
  return (
    <p class="readout" aria-hidden="true">
      {children}
    </p>
  );
}

export function Legend({ items }: { items: { name: string; color: string }[] }) {
  return (
    <ul class="legend">
      {items.map((item) => (
        <li key={item.name}>
          <span class={`swatch ${item.color}`} />
          {item.name}
        </li>
      ))}
    </ul>
  );
}
