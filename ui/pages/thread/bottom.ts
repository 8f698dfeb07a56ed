import { type Signal, signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Conversation } from "./conversation";

/** This near to the end counts as being there (web-ui 7.2). */
const NEAR = 48;

const scroller = (): HTMLElement | null => document.getElementById("oa-main-shell");

export interface Bottom {
  content: RefObject<HTMLDivElement | null>;
  dock: RefObject<HTMLDivElement | null>;
  /** The person reads further up. */
  away: Signal<boolean>;
  /** Something came since. */
  news: Signal<boolean>;
  toBottom: () => void;
  stick: () => void;
}

/** Set while something is shown on purpose (a link to an item, a search hit), so that the end does not pull back. */
export const reading = signal(false);

/** Keeps the end in view while the person is there, and leaves them alone when they are not. */
export function useBottom(talk: Conversation | null): Bottom {
  const content = useRef<HTMLDivElement>(null);
  const dock = useRef<HTMLDivElement>(null);
  const away = useSignal(false);
  const news = useSignal(false);
  const stuck = useRef(true);

  const api = useMemo(() => {
    const jump = () => {
      const main = scroller();
      if (main && stuck.current) main.scrollTop = main.scrollHeight;
    };
    const stick = () => {
      stuck.current = true;
      reading.value = false;
      away.value = false;
      news.value = false;
      jump();
    };
    return { jump, stick };
  }, []);

  useEffect(() => {
    const main = scroller();
    if (!main || !talk) return;
    stuck.current = location.hash.length < 2;
    let settling = true;
    let top = main.scrollTop;
    let touched = 0;
    const byHand = () => {
      touched = performance.now();
      settling = false;
    };
    const onScroll = () => {
      const left = main.scrollHeight - main.scrollTop - main.clientHeight;
      const up = main.scrollTop < top - 1;
      top = main.scrollTop;
      if (left <= NEAR && !reading.peek()) {
        stuck.current = true;
        away.value = false;
        news.value = false;
        return;
      }
      // Growing content moves the end away too; only a hand scrolls up.
      if (stuck.current && settling) return api.jump();
      if (stuck.current && up && performance.now() - touched < 1500) stuck.current = false;
      if (!stuck.current) away.value = left > NEAR;
    };
    const grown = new ResizeObserver(() => {
      if (stuck.current) api.jump();
      else {
        const left = main.scrollHeight - main.scrollTop - main.clientHeight;
        away.value = left > NEAR;
      }
    });
    for (const element of [main, content.current, dock.current]) if (element) grown.observe(element);
    main.addEventListener("scroll", onScroll, { passive: true });
    for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      main.addEventListener(name, byHand, { passive: true });
    }
    api.jump();
    const undo = reading.subscribe((on) => {
      if (on) stuck.current = false;
    });
    return () => {
      undo();
      grown.disconnect();
      main.removeEventListener("scroll", onScroll);
      for (const name of ["wheel", "touchmove", "pointerdown", "keydown"]) main.removeEventListener(name, byHand);
      reading.value = false;
    };
  }, [talk, talk?.phase.value.kind]);

  // Something new below while reading above. Watched aside: the page itself need not be drawn for it.
  useEffect(
    () =>
      talk?.revision.subscribe(() => {
        if (away.peek()) news.value = true;
      }),
    [talk],
  );

  return {
    content,
    dock,
    away,
    news,
    stick: api.stick,
    toBottom: () => {
      api.stick();
      document.getElementById("chat-input")?.focus();
    },
  };
}
