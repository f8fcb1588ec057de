import { useEffect, useState } from "preact/hooks";

/** The time, anew every second: for ages. */
export function useTick(milliseconds = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return now;
}

/** Calls back when the tab is hidden or shown. */
export function onVisibility(callback: (visible: boolean) => void): () => void {
  const listener = () => callback(document.visibilityState === "visible");
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

export const isVisible = (): boolean => document.visibilityState === "visible";
