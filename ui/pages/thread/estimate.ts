import type { Item } from "../../transcript/transcript";
import type { Conversation } from "./conversation";

const GAP = 20;
const LINE = 22;
const LETTERS = 95;

/** About how high these rows will be, in pixels: keeps the scrollbar honest for what is not mounted. */
export function estimate(talk: Conversation, keys: string[]): number {
  let sum = 0;
  for (const key of keys) {
    const item = talk.transcript.items.get(key);
    if (item) sum += heightOf(item) + GAP;
  }
  return sum;
}

function heightOf(item: Item): number {
  switch (item.type) {
    case "userMessage":
      return 70 + Math.min(20, lines(item.text)) * LINE;
    case "agentMessage":
      return 30 + lines(item.text) * LINE;
    case "commandExecution":
      return item.status === "failed" ? 120 : 40;
    case "fileChange":
      return 40;
    default:
      return 26;
  }
}

const lines = (text: string): number => {
  let count = 0;
  for (const line of text.slice(0, 20_000).split("\n")) count += Math.max(1, Math.ceil(line.length / LETTERS));
  return count;
};
