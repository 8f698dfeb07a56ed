import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

export interface Crumb {
  text: string;
  href?: string;
}
interface Top {
  crumbs: Crumb[];
  /** Chips and buttons of the page, left of the connection pill. */
  actions?: ComponentChildren;
}

/** What the page puts into the bar above it. */
export const top = signal<Top>({ crumbs: [] });

/** Fills the bar while the component is mounted: `useTop({ crumbs: [{ text: "Chats", href: "/" }, { text: title }] }, [title])`. */
export function useTop(content: Top, deps: unknown[]) {
  useEffect(() => {
    top.value = content;
  }, deps);
  useEffect(
    () => () => {
      top.value = { crumbs: [] };
    },
    [],
  );
}
