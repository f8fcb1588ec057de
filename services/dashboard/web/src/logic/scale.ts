/** Steps of colour and of axes. */

export const STEPS = 5;

/** The upper bounds of the colour steps but the last: quantiles of what is above zero, without repeats. */
export function thresholds(values: readonly number[], steps = STEPS): number[] {
  const positive = values.filter((value) => value > 0).sort((left, right) => left - right);
  const bounds: number[] = [];
  for (let step = 1; step < steps; step++) {
    const bound = positive[Math.ceil((positive.length * step) / steps) - 1];
    if (bound !== undefined && bound < (positive.at(-1) ?? 0) && bound > (bounds.at(-1) ?? 0)) bounds.push(bound);
  }
  return bounds;
}

/** The step of a value: 0 is nothing, `STEPS` the most. With few values the steps are far apart. */
export function step(value: number | null | undefined, bounds: readonly number[], steps = STEPS): number {
  if (value === null || value === undefined || value <= 0) return 0;
  const index = bounds.filter((bound) => value > bound).length;
  return steps - (bounds.length - index);
}

const MINUTE_STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720];

/** Which labels of an axis are written: as many as fit. Times of a day stand at round times, all else evenly. */
export function ticksOf(labels: readonly string[], width: number): number[] {
  const labelWidth = 20 + 7 * Math.max(0, ...labels.map((label) => label.length));
  const all = labels.map((_, index) => index);
  const fit = Math.max(1, Math.floor(width / labelWidth));
  const minutes = labels.map(minuteOfDay);
  if (minutes.includes(null)) {
    const apart = Math.max(1, Math.ceil(labels.length / fit));
    return all.filter((index) => index % apart === 0);
  }
  for (const step of MINUTE_STEPS) {
    const round = all.filter((index) => (minutes[index] ?? 0) % step === 0);
    if (round.length <= fit) return round;
  }
  return all.slice(0, 1);
}

function minuteOfDay(label: string): number | null {
  const match = /^(\d{2}):(\d{2})$/.exec(label);
  return match === null ? null : Number(match[1]) * 60 + Number(match[2]);
}
