import { useEffect, useRef } from "preact/hooks";
import { CopyButton } from "./copy";

/** Something shown once, to be copied: selected as soon as it is there, its beginning in view. */
export function Secret({ text, label }: { text: string; label: string }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
  }, [text]);
  return (
    <div class="secret">
      <input
        ref={input}
        class="mono"
        type="text"
        readOnly
        aria-label={label}
        value={text}
        spellcheck={false}
        autocomplete="off"
        onFocus={({ currentTarget }) => {
          currentTarget.select();
          currentTarget.scrollLeft = 0;
        }}
      />
      <CopyButton text={text} label={`Copy ${label.toLowerCase()}`} words="Copy" />
    </div>
  );
}
