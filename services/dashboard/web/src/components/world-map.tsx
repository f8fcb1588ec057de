import map from "virtual:world-map";

interface Props {
  /** The colour step of each country, 0 to 5; countries without one are of the lightest. */
  steps: ReadonlyMap<string, number>;
  selected: string | undefined;
  summary: string;
  onPoint: (code: string | null) => void;
  onChoose: (code: string) => void;
}

/**
 * The world, with countries as dark as they have much. For the pointer; the table next to it has the same countries and
 * figures for everyone else.
 */
export default function WorldMap({ steps, selected, summary, onPoint, onChoose }: Props) {
  const of = (code: string | null, small: boolean) => {
    const step = code === null ? 0 : (steps.get(code) ?? 0);
    const known = code !== null && steps.has(code);
    return {
      class: `${small ? "dot" : "land"} step-${step} ${known ? "known" : ""} ${code !== null && code === selected ? "selected" : ""}`,
      "data-country": code ?? undefined,
      onPointerEnter: code === null ? undefined : () => onPoint(code),
      onPointerDown: code === null ? undefined : () => onPoint(code),
      onClick: known ? () => onChoose(code) : undefined,
    };
  };
  return (
    <svg class="world" viewBox={`0 0 ${map.width} ${map.height}`} role="img" aria-label={summary} onPointerLeave={() => onPoint(null)}>
      {map.shapes.map((shape, index) => (
        <path key={shape.code ?? index} d={shape.path} {...of(shape.code, false)} />
      ))}
      {map.dots
        .filter((dot) => steps.has(dot.code))
        .map((dot) => (
          <circle key={dot.code} cx={dot.x} cy={dot.y} r={4.5} {...of(dot.code, true)} />
        ))}
    </svg>
  );
}
