import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../parts/icons";
import { find } from "../../transcript/find";
import type { Conversation } from "./conversation";
import { reveal, revealed } from "./reveal";

export const findOpen = signal(false);

/** Opens the search and reads what is not here yet: it covers the whole thread (web-ui 16.2). */
export function openFind(talk: Conversation): void {
  findOpen.value = true;
  requestAnimationFrame(() => document.getElementById("find-in-thread")?.focus());
  void talk.everything();
}

/** Searches text, folded output and what is off screen alike; the hit in view is marked. */
export function FindBar({ talk }: { talk: Conversation }) {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const opener = useRef(document.activeElement);
  const loading = talk.head.value.before !== null;
  const hits = find(talk.transcript, query);
  const place = hits.length === 0 ? 0 : Math.min(at, hits.length - 1);

  useEffect(() => {
    setAt(0);
  }, [query]);
  useEffect(() => {
    const key = hits[place];
    if (!key || query.length < 2) {
      mark(null, "", 0);
      return;
    }
    const nth = place - hits.indexOf(key);
    let left = false;
    void reveal(key).then((row) => {
      if (!left) mark(row, query, nth);
    });
    return () => {
      left = true;
    };
  }, [query, place, hits.length]);
  useEffect(
    () => () => {
      mark(null, "", 0);
      revealed.value = null;
    },
    [],
  );

  const close = () => {
    findOpen.value = false;
    if (opener.current instanceof HTMLElement) opener.current.focus({ preventScroll: true });
  };
  const step = (by: number) => {
    if (hits.length > 0) setAt((place + by + hits.length) % hits.length);
  };
  return (
    <search class="find">
      <input
        id="find-in-thread"
        type="search"
        aria-label="Find in thread"
        placeholder="Find in thread"
        autocomplete="off"
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.preventDefault();
            close();
          } else if (event.key === "Enter") {
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }
        }}
      />
      <span class="number" role="status">
        {query.length === 0 ? "" : hits.length === 0 ? "No results" : `${place + 1} of ${hits.length}`}
        {loading && query.length > 0 ? "…" : ""}
      </span>
      <button type="button" class="icon-button small" aria-label="Previous result" onClick={() => step(-1)}>
        <Icon name="up" />
      </button>
      <button type="button" class="icon-button small" aria-label="Next result" onClick={() => step(1)}>
        <Icon name="down" />
      </button>
      <button type="button" class="icon-button small" aria-label="Close find" onClick={close}>
        <Icon name="cross" />
      </button>
    </search>
  );
}

/** Marks the hits of a row without touching its nodes; the n-th one is the one meant. */
function mark(row: HTMLElement | null, query: string, nth: number): void {
  if (typeof CSS === "undefined" || !("highlights" in CSS)) return;
  CSS.highlights.delete("found");
  CSS.highlights.delete("found-now");
  if (!row || !query) return;
  const wanted = query.toLowerCase();
  const ranges: Range[] = [];
  const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent?.toLowerCase() ?? "";
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
  const now = ranges[Math.min(nth, ranges.length - 1)];
  if (!now) return;
  CSS.highlights.set("found-now", new Highlight(now));
  now.startContainer.parentElement?.scrollIntoView({ block: "center" });
}
