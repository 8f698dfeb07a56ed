import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { revealed } from "./reveal";

/** So many rows come and go together. */
export const CHUNK = 6;

type Told = (near: boolean) => void;
const told = new WeakMap<Element, Told>();
const observers = new WeakMap<Element, IntersectionObserver>();

/** One observer a scroller, for all parts in it. */
function watch(element: Element, scroller: Element, tell: Told): () => void {
  const known = observers.get(scroller);
  const observer =
    known ??
    new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) told.get(target)?.(isIntersecting);
      },
      { root: scroller, rootMargin: "1000px 0px" },
    );
  if (!known) observers.set(scroller, observer);
  told.set(element, tell);
  observer.observe(element);
  return () => {
    told.delete(element);
    observer.unobserve(element);
  };
}

const queue: (() => void)[] = [];
let running = false;

/** One stretch a frame: a fast scroll meets blank stretches rather than a page that stands still. */
function inTurn(run: () => void): void {
  queue.push(run);
  if (running) return;
  running = true;
  const next = () => {
    queue.shift()?.();
    if (queue.length > 0) requestAnimationFrame(next);
    else running = false;
  };
  requestAnimationFrame(next);
}

interface Props {
  /** Rows inside, to open the part when one of them is revealed. */
  keys: string[];
  /** Height in pixels while it was never mounted. */
  estimate: () => number;
  /** Mounted at once: the end of the conversation. */
  open: boolean;
  /** CSS selector of the ancestor that scrolls; the page when absent. */
  within?: string;
  children: () => ComponentChildren;
}

/** A stretch of the conversation that is in the page only while it is near the viewport (web-ui 16.2, long threads). */
export function Windowed({ keys, estimate, open, within = "#oa-main-shell", children }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(open);
  const height = useRef<number | null>(null);
  const wanted = useRef(open);
  const asked = revealed.value !== null && keys.includes(revealed.value.key);
  useLayoutEffect(() => {
    const element = ref.current;
    const scroller = element?.closest(within);
    if (!element || !scroller) return;
    return watch(element, scroller, (now) => {
      wanted.current = now;
      inTurn(() => {
        if (wanted.current !== now || !element.isConnected) return;
        if (!now) height.current = element.offsetHeight;
        setNear(now);
      });
    });
  }, []);
  const shown = near || asked;
  if (!shown) height.current ??= estimate();
  return (
    <div ref={ref} class="stretch" style={shown ? undefined : { height: `${height.current}px` }}>
      {shown && children()}
    </div>
  );
}
