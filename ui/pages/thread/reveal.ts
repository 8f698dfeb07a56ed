import { signal } from "@preact/signals";
import { reading } from "./bottom";

/** The item that is shown on purpose: a link, a search hit, the bar of a waiting approval. Its card unfolds. */
export const revealed = signal<{ key: string; n: number } | null>(null);
let n = 0;

export const anchorId = (itemId: string): string => `item-${itemId}`;

/** Brings a row into view, mounting it first where it is not; resolves with its element. */
export async function reveal(key: string, { focus = false } = {}): Promise<HTMLElement | null> {
  reading.value = true;
  revealed.value = { key, n: ++n };
  for (let tries = 0; tries < 12; tries += 1) {
    await new Promise((done) => requestAnimationFrame(() => done(null)));
    const element = document.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"]`);
    if (!element) continue;
    element.scrollIntoView({ block: "center" });
    if (tries < 2) continue; // what was mounted above may still move it
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), 1600);
    if (focus) element.focus({ preventScroll: true });
    return element;
  }
  return null;
}
