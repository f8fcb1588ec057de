import { HEALTH_WORDS, healthNow, type Health, type Tone } from "../logic/health";
import { useTick } from "./clock";
import { live } from "./live";
import { useStore } from "./store";

export interface HealthInWords {
  health: Health;
  word: string;
  tone: Tone;
  /** Why it is not well, in one text; empty if it is, or if nobody knows. */
  reasons: string;
}

/** The pipeline's health at this moment; it also changes by nobody saying anything. */
export function useHealth(): HealthInWords {
  const { pipeline, pipelineAt } = useStore(live);
  const now = useTick();
  const health = healthNow(pipeline, pipelineAt === null ? null : now - pipelineAt);
  const reasons = health === "unknown" || pipeline === null ? "" : pipeline.reasons.join(" ");
  return { health, ...HEALTH_WORDS[health], reasons };
}
