import { editDistance } from "../src/configuration";

/** At most three names within two edits of what was typed, nearest first. */
export const nearest = (typed: string, names: string[]): string[] =>
  names
    .map((name) => ({ name, edits: editDistance(typed, name) }))
    .filter(({ edits }) => edits <= 2)
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ name }) => name);

/** ``Unknown command `user:lst`. Did you mean `user:list`?`` (ops-data 2.1). */
export function unknownCommand(typed: string, names: string[]): string {
  const near = nearest(typed, names).map((name) => `\`${name}\``);
  return `Unknown command \`${typed}\`.${near.length ? ` Did you mean ${near.join(" or ")}?` : ""}`;
}
