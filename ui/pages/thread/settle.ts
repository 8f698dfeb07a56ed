/** The end of a text that is still coming, without the marks whose other half has not come yet. */
export function settled(tail: string): string {
  const lines = tail.split("\n");
  const last = lines.at(-1) ?? "";
  if (openFence(lines)) return /^ {0,3}(?:`+|~+)$/.test(last) ? lines.slice(0, -1).join("\n") : tail; // or closes
  if (/^ {0,3}(?:`{1,2}$|`{3,}[^`]*$|~{3,}[^~]*$)/.test(last)) return lines.slice(0, -1).join("\n"); // a fence that opens
  const table = startsTable(lines);
  if (table !== null) return lines.slice(0, table).join("\n");
  if (/^\s*(?:[-*+]|\d+[.)]|#{1,6}|>|[-=_*]{1,})\s*$/.test(last)) return lines.slice(0, -1).join("\n");
  const from = tail.lastIndexOf("\n\n") + 1;
  return tail.slice(0, from) + closed(tail.slice(from));
}

/** Whether the last line stands inside fenced code, or ends it. */
function openFence(lines: string[]): boolean {
  let fence = "";
  for (const line of lines.slice(0, -1)) {
    const found = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (!found) continue;
    const mark = found[1] ?? "";
    if (!fence) fence = mark;
    else if (mark[0] === fence[0] && mark.length >= fence.length && !found[2]?.trim()) fence = "";
  }
  return fence !== "";
}

/** The line at which a table begins that has no complete delimiter row yet; until then it is not shown. */
function startsTable(lines: string[]): number | null {
  const last = lines.length - 1;
  if (/^\s*\|/.test(lines[last] ?? "") && (last === 0 || !/^\s*\|/.test(lines[last - 1] ?? ""))) return last;
  const head = last - 1;
  if (head < 0 || !/^\s*\|/.test(lines[head] ?? "") || (head > 0 && /^\s*\|/.test(lines[head - 1] ?? ""))) return null;
  return /^[\s|:-]*$/.test(lines[last] ?? "") ? head : null;
}

/** Closes what is open in the last paragraph: emphasis, code, a link. */
function closed(text: string): string {
  const withoutCode = text.replace(/(`+)[^`][\s\S]*?\1/g, (span) => "x".repeat(span.length));
  const tick = withoutCode.lastIndexOf("`");
  if (tick >= 0) {
    const inner = text.slice(tick + 1);
    return inner.trim() === "" ? text.slice(0, tick).replace(/`+$/, "") : `${text}\``;
  }
  const link = /\[([^\]\n]*)(?:\](?:\([^)\n]*)?)?$/.exec(withoutCode);
  if (link) {
    const start = text.length - link[0].length;
    const before = text.slice(0, start).replace(/!$/, "");
    return before + text.slice(start + 1, start + 1 + (link[1]?.length ?? 0));
  }
  let out = text;
  for (const mark of ["**", "__", "~~"]) {
    const count = withoutCode.split(mark).length - 1;
    if (count % 2 === 0) continue;
    const end = out.trimEnd();
    if (end.endsWith(mark)) out = end.slice(0, -mark.length);
    else out = (end.endsWith(mark[0] ?? "") ? end.slice(0, -1) : end) + mark; // half of the closing mark is here
  }
  const single = withoutCode.replaceAll("**", "  ").replace(/^\s*\*\s/gm, "   ");
  if ((single.split("*").length - 1) % 2 === 1) {
    const at = single.lastIndexOf("*");
    if (at === out.length - 1) out = out.slice(0, -1);
    else if (/\S/.test(single[at + 1] ?? "")) out = `${out.trimEnd()}*`;
  }
  return out;
}
