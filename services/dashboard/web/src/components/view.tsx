import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { clock, moment } from "../logic/format";

interface Props {
  title: string;
  /** What these figures are of: days and country. */
  of?: string | undefined;
  asOf?: string | null | undefined;
  /** Newer figures are awaited. */
  busy?: boolean;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** The frame of a view: its title, what its figures are of, and from when. */
export function View({ title, of, asOf, busy = false, actions, children }: Props) {
  useEffect(() => {
    document.title = title === "storepulse" ? title : `${title} · storepulse`;
  }, [title]);
  return (
    <div class="view" data-as-of={asOf ?? ""} aria-busy={busy}>
      <div class="view-head">
        <div>
          <h1>{title}</h1>
          <p class="view-of">
            {of}
            {asOf && (
              <span class="as-of" title={moment(asOf)}>
                {of ? " · " : ""}as of {clock(asOf)}
              </span>
            )}
          </p>
        </div>
        {actions && <div class="view-actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** A part of a view with a heading. */
export function Card(props: { title: string; note?: ComponentChildren; actions?: ComponentChildren; class?: string; children: ComponentChildren }) {
  return (
    <section class={`card ${props.class ?? ""}`}>
      <div class="card-head">
        <div>
          <h2>{props.title}</h2>
          {props.note && <p class="note">{props.note}</p>}
        </div>
        {props.actions}
      </div>
      {props.children}
    </section>
  );
}
