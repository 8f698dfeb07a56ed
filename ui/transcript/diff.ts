/** A unified diff as something to show: files, hunks, numbered lines, the words that changed. */

export interface DiffLine {
  kind: "same" | "add" | "del";
  old: number | null;
  now: number | null;
  text: string;
}

export interface Hunk {
  header: string;
  lines: DiffLine[];
}

export interface FileDiff {
  path: string;
  from: string | null;
  change: "update" | "add" | "delete" | "rename";
  hunks: Hunk[];
  added: number;
  removed: number;
  binary: boolean;
  /** The text this was read from, for copying. */
  patch: string;
}

const hunkHeader = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)$/;

const cleanPath = (raw: string): string => {
  const path = raw.replace(/\t.*$/, "").trim();
  return path === "/dev/null" ? "" : path.replace(/^[ab]\//, "");
};

/** Reads a git or plain unified diff of any number of files. Lines it does not know are left out. */
export function parseDiff(text: string): FileDiff[] {
  const files: FileDiff[] = [];
  let file: FileDiff | null = null;
  let hunk: Hunk | null = null;
  let [old, now] = [0, 0];
  let [oldLeft, nowLeft] = [0, 0];
  let start = 0;
  let at = 0;
  const finish = (end: number) => {
    if (file) file.patch = text.slice(start, end);
  };
  const begin = (path: string): FileDiff => {
    finish(at);
    start = at;
    hunk = null;
    const next = newFile(path);
    files.push(next);
    return next;
  };
  for (const line of text.split("\n")) {
    const inHunk = hunk !== null && (oldLeft > 0 || nowLeft > 0);
    if (!inHunk && line.startsWith("diff --git ")) {
      const names = /^diff --git a\/(.*) b\/(.*)$/.exec(line);
      file = begin(names?.[2] ?? line.slice(11));
      file.from = names?.[1] ?? null;
    } else if (!inHunk && line.startsWith("--- ")) {
      if (!file || file.hunks.length > 0) file = begin("");
      file.from = cleanPath(line.slice(4)) || null;
      if (!file.from) file.change = "add";
    } else if (!inHunk && line.startsWith("+++ ")) {
      file ??= begin("");
      const path = cleanPath(line.slice(4));
      if (path) file.path = path;
      else {
        file.path = file.from ?? file.path;
        file.change = "delete";
      }
    } else if (!inHunk && file && line.startsWith("new file mode")) file.change = "add";
    else if (!inHunk && file && line.startsWith("deleted file mode")) file.change = "delete";
    else if (!inHunk && file && line.startsWith("rename from ")) {
      file.change = "rename";
      file.from = line.slice(12);
    } else if (!inHunk && file && line.startsWith("rename to ")) file.path = line.slice(10);
    else if (!inHunk && file && /^(Binary files|GIT binary patch)/.test(line)) file.binary = true;
    else if (hunkHeader.test(line) && !inHunk) {
      const found = hunkHeader.exec(line);
      file ??= begin("");
      [old, now] = [Number(found?.[1]), Number(found?.[2])];
      const sizes = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
      [oldLeft, nowLeft] = [Number(sizes?.[1] ?? 1), Number(sizes?.[2] ?? 1)];
      hunk = { header: (found?.[3] ?? "").trim(), lines: [] };
      file.hunks.push(hunk);
    } else if (file && hunk) {
      const sign = line[0];
      const content = line.slice(1);
      const into: Hunk = hunk;
      if (sign === "+") {
        into.lines.push({ kind: "add", old: null, now: now++, text: content });
        file.added += 1;
        nowLeft -= 1;
      } else if (sign === "-") {
        into.lines.push({ kind: "del", old: old++, now: null, text: content });
        file.removed += 1;
        oldLeft -= 1;
      } else if (sign === " " || (line === "" && inHunk && at < text.length)) {
        into.lines.push({ kind: "same", old: old++, now: now++, text: content });
        oldLeft -= 1;
        nowLeft -= 1;
      }
    }
    at += line.length + 1;
  }
  finish(text.length);
  for (const one of files) if (one.from === one.path) one.from = null;
  return files.filter((one) => one.path || one.hunks.length > 0);
}

const newFile = (path: string): FileDiff => ({
  path,
  from: null,
  change: "update",
  hunks: [],
  added: 0,
  removed: 0,
  binary: false,
  patch: "",
});

/** One entry of a `fileChange` item: its `diff` is a hunk list for updates and the bare content for new and deleted files. */
export function changeDiff(path: string, kind: string, movePath: string | null, diff: string): FileDiff {
  const [read] =
    hunkHeader.test(diff.split("\n", 1)[0] ?? "") || diff.startsWith("--- ") || diff.startsWith("diff ")
      ? parseDiff(diff)
      : [];
  const change = movePath ? "rename" : kind === "add" || kind === "delete" ? kind : "update";
  if (read) return { ...read, path: movePath ?? path, from: movePath ? path : null, change, patch: diff };
  const file = { ...newFile(movePath ?? path), from: movePath ? path : null, change, patch: diff } satisfies FileDiff;
  if (diff === "" || change === "update" || change === "rename") return file;
  const rows = diff.endsWith("\n") ? diff.slice(0, -1).split("\n") : diff.split("\n");
  const lines = rows.map<DiffLine>((text, n) =>
    change === "add" ? { kind: "add", old: null, now: n + 1, text } : { kind: "del", old: n + 1, now: null, text },
  );
  return {
    ...file,
    hunks: [{ header: "", lines }],
    added: change === "add" ? lines.length : 0,
    removed: change === "delete" ? lines.length : 0,
  };
}

/** The parts of a line: `hit` ones differ from the line it replaces or is replaced by. */
export type Mark = { text: string; hit: boolean };

/** Which words differ between a removed and an added line; null when they have too little in common to say. */
export function wordMarks(before: string, after: string): { before: Mark[]; after: Mark[] } | null {
  if (before.length > 1000 || after.length > 1000) return null;
  const [a, b] = [words(before), words(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  const same = [...a.slice(0, head), ...a.slice(a.length - tail)].join("").trim().length;
  if (same < Math.max(before.trim().length, after.trim().length) * 0.3) return null;
  const split = (parts: string[]): Mark[] =>
    [
      { text: parts.slice(0, head).join(""), hit: false },
      { text: parts.slice(head, parts.length - tail).join(""), hit: true },
      { text: parts.slice(parts.length - tail).join(""), hit: false },
    ].filter(({ text }) => text !== "");
  return { before: split(a), after: split(b) };
}

const words = (line: string): string[] => line.match(/\w+|\s+|[^\w\s]/g) ?? [];

/** Removed lines beside the added ones that replace them, as pairs for the split view and the word marks. */
export type Row = { left: DiffLine | null; right: DiffLine | null };

export function rows(lines: DiffLine[]): Row[] {
  const out: Row[] = [];
  for (let n = 0; n < lines.length; ) {
    const line = lines[n] as DiffLine;
    if (line.kind === "same") {
      out.push({ left: line, right: line });
      n += 1;
      continue;
    }
    const dels: DiffLine[] = [];
    const adds: DiffLine[] = [];
    for (; n < lines.length && lines[n]?.kind === "del"; n += 1) dels.push(lines[n] as DiffLine);
    for (; n < lines.length && lines[n]?.kind === "add"; n += 1) adds.push(lines[n] as DiffLine);
    for (let k = 0; k < Math.max(dels.length, adds.length); k += 1) {
      out.push({ left: dels[k] ?? null, right: adds[k] ?? null });
    }
  }
  return out;
}
