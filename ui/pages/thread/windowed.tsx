import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { revealed } from "./reveal";

/** So many rows come and go together. */
export const CHUNK = 16;

type Told = (near: boolean) => void;
const told = new WeakMap<Element, Told>();
let observer: IntersectionObserver | null = null;

function watch(element: Element, tell: Told): () => void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) told.get(target)?.(isIntersecting);
    },
    { root: document.getElementById("oa-main-shell"), rootMargin: "1500px 0px" },
  );
  told.set(element, tell);
  const own = observer;
  own.observe(element);
  return () => {
    told.delete(element);
    own.unobserve(element);
  };
}

/** The page's scroller is another one after the frame was built anew (tests). */
export function forgetObserver(): void {
  observer?.disconnect();
  observer = null;
}

interface Props {
  /** Rows inside, to open the part when one of them is revealed. */
  keys: string[];
  /** Height in pixels while it was never mounted. */
  estimate: number;
  /** Mounted at once: the end of the conversation. */
  open: boolean;
  children: () => ComponentChildren;
}

/** A stretch of the conversation that is in the page only while it is near the viewport (web-ui 16.2, long threads). */
export function Windowed({ keys, estimate, open, children }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(open);
  const height = useRef<number | null>(null);
  const wanted = revealed.value !== null && keys.includes(revealed.value.key);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    return watch(element, (now) => {
      if (!now) height.current = element.offsetHeight;
      setNear(now);
    });
  }, []);
  const shown = near || wanted;
  return (
    <div ref={ref} class="stretch" style={shown ? undefined : { height: `${height.current ?? estimate}px` }}>
      {shown && children()}
    </div>
  );
}
