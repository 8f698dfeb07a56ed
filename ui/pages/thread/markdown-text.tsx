import { useLayoutEffect, useRef } from "preact/hooks";
import { MarkdownView } from "./markdown";

/** Text as markdown. While it grows only its end is rendered again. */
export function Markdown({ text, complete }: { text: string; complete: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<MarkdownView | null>(null);
  useLayoutEffect(() => {
    if (!box.current) return;
    view.current ??= new MarkdownView(box.current);
    view.current.update(text, complete);
  }, [text, complete]);
  return <div ref={box} class="prose" />;
}
