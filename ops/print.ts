/** How results are shown to people. */

/** RFC 3339 UTC with whole seconds. */
export const time = (at: Date | null | undefined): string | null => (at ? `${at.toISOString().slice(0, 19)}Z` : null);

const shown = (value: unknown): string => {
  if (value === null || value === undefined || value === "") return "–";
  if (value === true) return "yes";
  if (value === false) return "no";
  return String(value).replace(/\p{Cc}+/gu, " ");
};

const width = (text: string): number => Bun.stringWidth(text);

/** Rows under their headings, numbers to the right; the last column may be cut at the terminal's edge. */
export function table(heads: string[], rows: unknown[][], columns: number): string {
  const cells = rows.map((row) => row.map(shown));
  const widths = heads.map((head, i) => Math.max(width(head), ...cells.map((row) => width(row[i] ?? ""))));
  const right = heads.map(
    (_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number" || row[i] === null),
  );
  const line = (row: string[]) => {
    const parts = row.map((cell, i) => {
      const pad = " ".repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
      return right[i] ? pad + cell : cell + pad;
    });
    const text = parts.join("  ").trimEnd();
    return text.length > columns ? `${text.slice(0, Math.max(1, columns - 1))}…` : text;
  };
  return `${[heads, ...cells].map(line).join("\n")}\n`;
}

/** `name  value` lines, names as wide as the longest. */
export function facts(pairs: [string, unknown][]): string {
  const longest = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(longest)}  ${shown(value)}\n`).join("");
}

/** Breaks text at blanks, never within a word. */
export function wrap(text: string, columns: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && indent.length + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line].join(`\n${indent}`);
}
