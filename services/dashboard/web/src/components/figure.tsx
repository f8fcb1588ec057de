import type { ComponentChildren } from "preact";
import { signedPercent } from "../logic/format";
import { Icon } from "./icons";

interface Props {
  name: string;
  /** As people read it. */
  text: string;
  /** Exactly, for who points at it. */
  exact?: string;
  testid: string;
  /** As the API has it. */
  value: number | string | null;
  children?: ComponentChildren;
  large?: boolean;
}

/** One key figure. */
export function KeyFigure({ name, text, exact, testid, value, children, large = false }: Props) {
  return (
    <div class={`key ${large ? "large" : ""}`}>
      <dt>{name}</dt>
      <dd>
        <strong data-testid={testid} data-value={String(value)} title={exact}>
          {text}
        </strong>
        {children && <div class="key-more">{children}</div>}
      </dd>
    </div>
  );
}

/** A change against something, in words, with a sign, an arrow and a colour. */
export function Change({ share, against, title }: { share: number | null; against: string; title?: string }) {
  if (share === null) return <span class="quiet-text">nothing to compare with</span>;
  const tone = Math.abs(share) < 0.0005 ? "same" : share > 0 ? "more" : "less";
  return (
    <span title={title}>
      <span class={`change ${tone}`}>
        {tone !== "same" && <Icon name={tone === "more" ? "up" : "down"} size={12} />}
        {tone === "same" ? "the same" : signedPercent(share)}
      </span>{" "}
      {tone === "same" ? "as" : "against"} {against}
    </span>
  );
}
