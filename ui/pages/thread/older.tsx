import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Before } from "../../transcript/transcript";
import type { Conversation } from "./conversation";

/** Reads what came before `before` ahead of the reader. */
export function Older({ talk, before }: { talk: Conversation; before: Before }) {
  const ref = useRef<HTMLDivElement>(null);
  const busy = talk.loadingOlder.value;
  const place = `${before.turn} ${before.item}`;
  const height = useRef(0);
  useEffect(() => {
    const element = ref.current;
    const main = document.getElementById("oa-main-shell");
    if (!element || !main) return;
    const observer = new IntersectionObserver(
      ([seen]) => {
        if (!seen?.isIntersecting) return;
        // The browser keeps the place of what is read, except at the very top.
        if (main.scrollTop === 0) main.scrollTop = 1;
        height.current = main.scrollHeight;
        void talk.older();
      },
      { root: main, rootMargin: "1200px 0px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [place]);
  useLayoutEffect(() => {
    const main = document.getElementById("oa-main-shell");
    if (!main || height.current === 0 || CSS.supports("overflow-anchor", "auto")) return;
    main.scrollTop += main.scrollHeight - height.current;
    height.current = 0;
  }, [place]);
  return (
    <div ref={ref} class="log-older" role="status">
      {busy ? (
        "Loading earlier messages…"
      ) : (
        <button type="button" class="button small quiet" onClick={() => void talk.older()}>
          Load earlier messages
        </button>
      )}
    </div>
  );
}
