import { computed, signal } from "@preact/signals";
import type { IconName } from "../parts/icons";

/** One entry of the command palette. */
export interface Command {
  id: string;
  text: string;
  /** Further words to find it by. */
  words?: string;
  icon?: IconName;
  /** Shown at the right: a key, a kind. */
  hint?: string;
  run: () => void;
}

const sources = signal<(() => Command[])[]>([]);

/** Everything that can be run right now, read when the palette opens and while it is open. */
export const commands = computed(() => sources.value.flatMap((source) => source()));

/** Adds commands while a page or part is there; `source` may read signals. Returns its undo. */
export function offer(source: () => Command[]): () => void {
  sources.value = [...sources.value, source];
  return () => {
    sources.value = sources.value.filter((other) => other !== source);
  };
}
