import { useMemo, useState } from "preact/hooks";
import { CopyButton } from "../../parts/copy";
import { Icon } from "../../parts/icons";
import { workers } from "../../shell/machines";
import { type DiffLine, type FileDiff, type Hunk, type Mark, rows, wordMarks } from "../../transcript/diff";
import { shortPath } from "../../transcript/paths";
import type { Conversation } from "./conversation";
import { useRemembered } from "./memory";
import { revealed } from "./reveal";
import { Windowed } from "./windowed";

interface Props {
  talk: Conversation;
  /** Under which the person's folds and ticks are kept. */
  name: string;
  files: FileDiff[];
  /** `declined`, `failed`, … */
  note: string | null;
  /** Null: small diffs are open, large ones folded. */
  open: boolean | null;
}

/** Lines of all files together up to which they open by themselves. */
const SMALL = 60;

/** Files with their diffs (web-ui 16.2): one card each, a list above where there are several. */
export function DiffFiles({ talk, name, files, note, open }: Props) {
  const [view, setView] = useRemembered<"unified" | "split">(talk, "diff view", "unified");
  const size = files.reduce((sum, file) => sum + file.added + file.removed, 0);
  const atFirst = open ?? size <= SMALL;
  const root = rootOf(talk);
  return (
    <div class="diff-files">
      {files.length > 1 && (
        <nav class="diff-list" aria-label="Changed files">
          <span>
            {files.length} files <Counts added={sum(files, "added")} removed={sum(files, "removed")} />
          </span>
          {files.map((file) => (
            <button key={file.path} type="button" class="link-button" onClick={() => jump(name, file.path)}>
              {shortPath(file.path, root)}
            </button>
          ))}
        </nav>
      )}
      {files.map((file) => (
        <FileCard
          key={file.path}
          talk={talk}
          name={name}
          file={file}
          note={note}
          open={atFirst}
          view={view}
          setView={setView}
        />
      ))}
    </div>
  );
}

const rootOf = (talk: Conversation): string | null =>
  workers.value.find(({ worker_id }) => worker_id === talk.head.value.workerId)?.workspace_ref ?? null;

const sum = (files: FileDiff[], part: "added" | "removed") => files.reduce((all, file) => all + file[part], 0);

const domId = (name: string, path: string) => `${name} ${path}`;

function jump(name: string, path: string) {
  document
    .querySelector<HTMLElement>(`[data-file="${CSS.escape(domId(name, path))}"]`)
    ?.scrollIntoView({ block: "start" });
}

export const Counts = ({ added, removed }: { added: number; removed: number }) => (
  <span class="counts number">
    <span class="plus">+{added}</span> <span class="minus">−{removed}</span>
  </span>
);

interface FileProps extends Omit<Props, "files" | "open"> {
  file: FileDiff;
  open: boolean;
  view: "unified" | "split";
  setView: (view: "unified" | "split") => void;
}

const badges = { add: "added", delete: "deleted", rename: "renamed", update: null };

function FileCard({ talk, name, file, note, open: atFirst, view, setView }: FileProps) {
  const id = domId(name, file.path);
  const [chosen, setOpen] = useRemembered<boolean | null>(talk, `file ${id}`, null);
  const [viewed, setViewed] = useRemembered(talk, `viewed ${id}`, false);
  const shown = chosen ?? (atFirst || revealed.value?.key === name.replace(/^changes /, ""));
  const badge = badges[file.change];
  const root = rootOf(talk);
  return (
    <article class={viewed ? "card diff-card viewed" : "card diff-card"} data-file={id} aria-label={file.path}>
      <header>
        <button type="button" class="card-fold" aria-expanded={shown} onClick={() => setOpen(!shown)}>
          <Icon name="file" />
          <code class="path" title={file.from ? `${file.from} → ${file.path}` : file.path}>
            {file.from ? `${shortPath(file.from, root)} → ${shortPath(file.path, root)}` : shortPath(file.path, root)}
          </code>
          <span class="end">
            {badge && <span class="badge">{badge}</span>}
            {note && <span class="tone-bad">{note}</span>}
            <Counts added={file.added} removed={file.removed} />
            <Icon name={shown ? "up" : "down"} />
          </span>
        </button>
      </header>
      {shown && (
        <>
          <div class="diff-tools">
            <label class="check">
              <input
                type="checkbox"
                checked={viewed}
                onChange={(event) => {
                  setViewed(event.currentTarget.checked);
                  if (event.currentTarget.checked) setOpen(false);
                }}
              />
              Viewed
            </label>
            <span class="gap" />
            <button
              type="button"
              class="link-button hide-phone"
              onClick={() => setView(view === "split" ? "unified" : "split")}
            >
              {view === "split" ? "Unified" : "Split"}
            </button>
            <CopyButton text={file.patch} label="Copy patch" />
          </div>
          <DiffBody file={file} view={view} />
        </>
      )}
    </article>
  );
}

/** Lines that come and go together in a long diff, and the height of one in pixels. */
const BLOCK = 80;
const LINE_PX = 20;

function DiffBody({ file, view }: { file: FileDiff; view: "unified" | "split" }) {
  if (file.binary) return <p class="no-output">Binary file</p>;
  if (file.hunks.length === 0) return <p class="no-output">No lines changed</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard
    <section class={view === "split" ? "diff split" : "diff"} tabIndex={0} aria-label={`Diff of ${file.path}`}>
      <div class="diff-lines">
        {file.hunks.map((hunk, n) => (
          <HunkView key={n} hunk={hunk} view={view} first={n === 0} />
        ))}
      </div>
    </section>
  );
}

/** Context beyond this stays folded in the middle of a hunk. */
const CONTEXT = 6;

function HunkView({ hunk, view, first }: { hunk: Hunk; view: "unified" | "split"; first: boolean }) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const runs = useMemo(() => folded(hunk.lines, open), [hunk, open]);
  return (
    <>
      {hunk.header && (
        <div class="d-line d-head">
          <i />
          <i />
          <b />
          <span>@@ {hunk.header} @@</span>
        </div>
      )}
      {runs.map((run, n) =>
        run.kind === "fold" ? (
          <button
            key={`f${run.from}`}
            type="button"
            class="d-fold"
            onClick={() => setOpen(new Set([...open, run.from]))}
          >
            {run.count} unchanged lines
          </button>
        ) : (
          blocks(run.lines).map((lines, m) => (
            <Windowed
              key={`${n}.${m}`}
              keys={[]}
              within=".diff"
              open={first && n === 0 && m === 0}
              estimate={() => (view === "split" ? rows(lines).length : lines.length) * LINE_PX}
            >
              {() => <Lines lines={lines} view={view} />}
            </Windowed>
          ))
        ),
      )}
    </>
  );
}

/** Pieces of a run; one that replaces another stays with it. */
function blocks(lines: DiffLine[]): DiffLine[][] {
  if (lines.length <= BLOCK) return [lines];
  const out: DiffLine[][] = [];
  for (let n = 0; n < lines.length; ) {
    let end = Math.min(lines.length, n + BLOCK);
    while (end < lines.length && end - n < BLOCK * 2 && lines[end]?.kind === "add") end += 1;
    out.push(lines.slice(n, end));
    n = end;
  }
  return out;
}

function Lines({ lines, view }: { lines: DiffLine[]; view: "unified" | "split" }) {
  const marks = useMemo(() => marksOf(lines), [lines]);
  if (view === "unified")
    return (
      <>
        {lines.map((line, n) => (
          <Line key={n} line={line} marks={marks.get(line)} />
        ))}
      </>
    );
  return (
    <>
      {rows(lines).map(({ left, right }, n) => (
        <div key={n} class="d-pair">
          <Side line={left} side="old" marks={left ? marks.get(left) : undefined} />
          <Side line={right} side="now" marks={right ? marks.get(right) : undefined} />
        </div>
      ))}
    </>
  );
}

type Run = { kind: "lines"; lines: DiffLine[] } | { kind: "fold"; from: number; count: number };

function folded(lines: DiffLine[], open: ReadonlySet<number>): Run[] {
  const runs: Run[] = [];
  let kept: DiffLine[] = [];
  for (let n = 0; n < lines.length; ) {
    let end = n;
    while (end < lines.length && lines[end]?.kind === "same") end += 1;
    const length = end - n;
    if (length > CONTEXT * 2 + 2 && !open.has(n)) {
      const head = n === 0 ? 0 : CONTEXT;
      const tail = end === lines.length ? 0 : CONTEXT;
      kept.push(...lines.slice(n, n + head));
      if (kept.length) runs.push({ kind: "lines", lines: kept });
      runs.push({ kind: "fold", from: n, count: length - head - tail });
      kept = lines.slice(end - tail, end);
      n = end;
    } else if (length > 0) {
      kept.push(...lines.slice(n, end));
      n = end;
    } else {
      kept.push(lines[n] as DiffLine);
      n += 1;
    }
  }
  if (kept.length) runs.push({ kind: "lines", lines: kept });
  return runs;
}

function marksOf(lines: DiffLine[]): Map<DiffLine, Mark[]> {
  const marks = new Map<DiffLine, Mark[]>();
  for (const { left, right } of rows(lines)) {
    if (left?.kind !== "del" || right?.kind !== "add") continue;
    const found = wordMarks(left.text, right.text);
    if (!found) continue;
    marks.set(left, found.before);
    marks.set(right, found.after);
  }
  return marks;
}

const signs = { same: "", add: "+", del: "−" };

const Text = ({ line, marks }: { line: DiffLine; marks: Mark[] | undefined }) => (
  <span>{marks ? marks.map(({ text, hit }, n) => (hit ? <mark key={n}>{text}</mark> : text)) : line.text || " "}</span>
);

const Line = ({ line, marks }: { line: DiffLine; marks: Mark[] | undefined }) => (
  <div class={`d-line d-${line.kind}`}>
    <i>{line.old}</i>
    <i>{line.now}</i>
    <b>{signs[line.kind]}</b>
    <Text line={line} marks={marks} />
  </div>
);

const Side = ({ line, side, marks }: { line: DiffLine | null; side: "old" | "now"; marks: Mark[] | undefined }) =>
  line ? (
    <div class={`d-side d-${line.kind}`}>
      <i>{line[side]}</i>
      <b>{signs[line.kind]}</b>
      <Text line={line} marks={marks} />
    </div>
  ) : (
    <div class="d-side d-none" />
  );
