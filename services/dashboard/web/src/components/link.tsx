import type { ComponentChildren } from "preact";
import { navigate } from "../state/router";

interface Props {
  href: string;
  children: ComponentChildren;
  class?: string | undefined;
  title?: string | undefined;
  "aria-current"?: "page" | "true" | undefined;
  "data-testid"?: string;
  "data-value"?: string;
}

/** A link within the page: a real one, but without loading everything anew. */
export function Link({ href, children, ...rest }: Props) {
  const onClick = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a href={href} {...rest} onClick={onClick}>
      {children}
    </a>
  );
}
