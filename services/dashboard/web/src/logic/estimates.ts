/** Where an estimate lies with its relative standard error, in whole units. */
export function interval(estimate: number, relativeError: number): { low: number; high: number } {
  return {
    low: Math.max(0, Math.floor(estimate * (1 - relativeError))),
    high: Math.ceil(estimate * (1 + relativeError)),
  };
}
