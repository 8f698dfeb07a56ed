import { signal } from "@preact/signals";

/** Approvals whose card is in view: the bar above the composer is for the others. */
export const inView = signal<ReadonlySet<string>>(new Set());

/** Follows whether a card can be seen. Returns its undo. */
export function watchAsk(id: string, card: HTMLElement): () => void {
  const set = (seen: boolean) => {
    if (inView.peek().has(id) === seen) return;
    const next = new Set(inView.peek());
    if (seen) next.add(id);
    else next.delete(id);
    inView.value = next;
  };
  const observer = new IntersectionObserver(
    ([entry]) => set(Boolean(entry?.isIntersecting && entry.intersectionRatio > 0.4)),
    { root: document.getElementById("oa-main-shell"), threshold: [0, 0.4, 0.6] },
  );
  observer.observe(card);
  return () => {
    observer.disconnect();
    set(false);
  };
}
