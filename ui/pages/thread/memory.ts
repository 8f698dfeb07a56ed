import { useState } from "preact/hooks";
import type { Conversation } from "./conversation";

const memories = new WeakMap<Conversation, Map<string, unknown>>();

/** What the person folded, ticked or chose on a card; it outlives the card, which leaves the page when it is scrolled away. */
export function useRemembered<T>(talk: Conversation, name: string, initial: T): [T, (value: T) => void] {
  const memory = memories.get(talk) ?? new Map<string, unknown>();
  memories.set(talk, memory);
  const [value, set] = useState<T>(() => (memory.has(name) ? (memory.get(name) as T) : initial));
  return [
    value,
    (next) => {
      memory.set(name, next);
      set(next);
    },
  ];
}

/** Whether the person has said anything about it. */
export const remembered = (talk: Conversation, name: string): boolean => memories.get(talk)?.has(name) ?? false;
