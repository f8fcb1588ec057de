import type { ComponentChildren } from "preact";

/** A bar next to a figure: how much it is of the most. It says nothing that the figure does not. */
export function Meter({ value, most, color = "revenue" }: { value: number | null; most: number; color?: string }) {
  const width = value === null || most <= 0 ? 0 : Math.max(0, Math.min(1, value / most)) * 100;
  return (
    <span class="meter" aria-hidden="true">
      <span class={color} style={{ width: `${width}%` }} />
    </span>
  );
}

/** A figure in a table with its bar: bars stand below each other, and so do figures. */
export function Metered(props: { value: number | null; most: number; color?: string; children: ComponentChildren }) {
  return (
    <span class="metered">
      <Meter {...props} />
      <span>{props.children}</span>
    </span>
  );
}
