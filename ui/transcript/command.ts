import { type Fields, fields, list, text } from "./fields";

/** Codex wraps commands in a shell: what was meant is what a person reads. */
export function commandLine(command: string): string {
  const wrapped = /^(?:\/\S*\/)?(?:ba|z|da)?sh\s+-l?c\s+([\s\S]*)$/.exec(command.trim());
  if (!wrapped) return command;
  const inner = (wrapped[1] ?? "").trim();
  if (inner.startsWith("'") && inner.endsWith("'") && inner.length > 1)
    return inner.slice(1, -1).replaceAll(`'\\''`, "'");
  if (inner.startsWith('"') && inner.endsWith('"') && inner.length > 1)
    return inner.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
  return inner;
}

/** `Read src/a.ts`, `Searched "x"`: one line for what Codex says the command does; null when it does not say. */
export function summaryOf(payload: Fields): string | null {
  const actions = list(payload.commandActions).map(fields);
  const said = actions.map(say).filter((part) => part !== null);
  if (said.length === 0 || said.length < actions.length) return null;
  return [...new Set(said)].join(", ");
}

function say(action: Fields): string | null {
  const path = text(action, "path");
  switch (action.type) {
    case "read":
      return `Read ${text(action, "name") ?? path ?? "a file"}`;
    case "listFiles":
      return `Listed ${path ?? "files"}`;
    case "search": {
      const query = text(action, "query");
      return `Searched ${query ? `"${query}"` : "files"}${path ? ` in ${path}` : ""}`;
    }
    default:
      return null;
  }
}

/** The last lines of an output, and how many stand above them. Does not read what it does not show twice. */
export function outputTail(output: string, most: number): { lines: string; hidden: number } {
  const end = output.endsWith("\n") ? output.length - 1 : output.length;
  if (!Number.isFinite(most)) return { lines: output.slice(0, end), hidden: 0 };
  let at = end;
  for (let n = 0; n < most; n += 1) {
    const before = output.lastIndexOf("\n", at - 1);
    if (before < 0) return { lines: output.slice(0, end), hidden: 0 };
    at = before;
  }
  let hidden = 1;
  for (let n = output.indexOf("\n"); n >= 0 && n < at; n = output.indexOf("\n", n + 1)) hidden += 1;
  return { lines: output.slice(at + 1, end), hidden };
}
