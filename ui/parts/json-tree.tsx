import "./json-tree.css";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CopyButton } from "./copy";
import { Icon } from "./icons";
import { ancestors, findIn, LINE, pathOf, pointer, type Row, rowsOf } from "./json-rows";

const PAGE = 500;

const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? "null";

/** Large JSON as a tree that folds, with search, and copying of a path or of what stands there (web-ui 16.1). */
export function JsonTree({ value, label }: { value: unknown; label: string }) {
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [most, setMost] = useState(PAGE);
  const [selected, setSelected] = useState("");
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const tree = useRef<HTMLDivElement>(null);
  const { rows, more } = useMemo(() => rowsOf(value, chosen, most), [value, chosen, most]);
  const places = useMemo(() => findIn(value, query.trim()), [value, query]);
  const hits = useMemo(() => new Set(places.map(pointer)), [places]);
  const row = rows.find(({ id }) => id === selected) ?? (rows[0] as Row);

  const reveal = (n: number) => {
    const place = places[(n + places.length) % places.length];
    if (!place) return;
    setAt((n + places.length) % places.length);
    const open = new Map(chosen);
    for (const id of ancestors(place)) open.set(id, true);
    const id = pointer(place);
    // What is found may lie below the rows that are drawn.
    let wanted = most;
    while (!rowsOf(value, open, wanted).rows.some((one) => one.id === id)) wanted += PAGE;
    setMost(wanted);
    setChosen(open);
    setSelected(id);
  };
  useEffect(() => {
    if (places.length > 0) reveal(0);
  }, [places]);
  useEffect(() => {
    const box = tree.current;
    const line = box?.querySelector<HTMLElement>('[aria-selected="true"]');
    if (
      box &&
      line &&
      (line.offsetTop < box.scrollTop || line.offsetTop + line.offsetHeight > box.scrollTop + box.clientHeight)
    )
      box.scrollTop = line.offsetTop - box.clientHeight / 2;
  }, [selected, chosen]);

  const fold = (one: Row, open: boolean) => setChosen(new Map([...chosen, [one.id, open]]));
  const go = (one: Row | undefined) => {
    if (!one) return;
    setSelected(one.id);
    requestAnimationFrame(() => tree.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const n = rows.indexOf(row);
    const parent = rows.slice(0, n).findLast(({ steps }) => steps.length === row.steps.length - 1);
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(rows[n + 1]),
      ArrowUp: () => go(rows[n - 1]),
      Home: () => go(rows[0]),
      End: () => go(rows.at(-1)),
      ArrowRight: () => (row.folds && !row.open ? fold(row, true) : go(row.open ? rows[n + 1] : undefined)),
      ArrowLeft: () => (row.open ? fold(row, false) : go(parent)),
      Enter: () => row.folds && fold(row, !row.open),
      " ": () => row.folds && fold(row, !row.open),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  return (
    <div class="json-tree">
      <div class="json-find">
        <input
          type="text"
          aria-label={`Search in ${label}`}
          placeholder="Search"
          value={query}
          onInput={(event) => setQuery(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.isComposing) return;
            event.preventDefault();
            reveal(at + (event.shiftKey ? -1 : 1));
          }}
        />
        <span class="number" role="status">
          {query.trim() && (places.length > 0 ? `${at + 1} of ${places.length}` : "Nothing found")}
        </span>
      </div>
      <div class="json-rows" role="tree" aria-label={label} ref={tree} onKeyDown={onKeyDown}>
        {rows.map((one) => (
          <Line
            key={one.id}
            row={one}
            selected={one === row}
            hit={hits.has(one.id)}
            onSelect={() => {
              setSelected(one.id);
              if (one.folds) fold(one, !one.open);
            }}
          />
        ))}
      </div>
      {more && (
        <button type="button" class="link-button json-more" onClick={() => setMost(most + PAGE)}>
          Show {PAGE} more
        </button>
      )}
      <div class="json-place">
        <code>{pathOf(row.steps)}</code>
        <CopyButton text={pathOf(row.steps)} label="Copy path" words="Path" />
        <CopyButton
          text={() => (typeof row.value === "string" ? row.value : pretty(row.value))}
          label="Copy value"
          words="Value"
        />
      </div>
    </div>
  );
}

function Line({ row, selected, hit, onSelect }: { row: Row; selected: boolean; hit: boolean; onSelect: () => void }) {
  const name = row.steps.at(-1);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
    <div
      class={`json-row${hit ? " json-hit" : ""}`}
      role="treeitem"
      aria-level={row.steps.length + 1}
      aria-expanded={row.folds ? row.open : undefined}
      aria-selected={selected}
      tabIndex={selected ? 0 : -1}
      data-depth={Math.min(row.steps.length, 12)}
      onClick={onSelect}
    >
      {row.folds ? <Icon name={row.open ? "down" : "right"} /> : <i />}
      {name !== undefined && <b>{name}</b>}
      {row.kind === "text" && row.open ? (
        <pre>{row.value as string}</pre>
      ) : (
        <span class={`json-${row.kind}`}>{brief(row)}</span>
      )}
    </div>
  );
}

function brief({ kind, size, value, open }: Row): string {
  if (kind === "array") return open ? "[" : `[ ${size} ]`;
  if (kind === "object") return open ? "{" : `{ ${size} }`;
  if (kind !== "text") return String(value ?? null);
  const text = value as string;
  return JSON.stringify(text.length > LINE ? `${text.slice(0, LINE)}…` : text);
}
