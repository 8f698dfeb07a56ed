import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icons";
import { commands } from "./commands";
import { rank } from "./fuzzy";
import { overlay, SHORTCUTS } from "./keys";

const MOST = 50;

function Palette() {
  const query = useSignal("");
  const at = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  const found = rank(query.value, commands.value).slice(0, MOST);
  const chosen = Math.min(at.value, Math.max(0, found.length - 1));

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen, query.value]);

  const run = (n: number) => {
    const item = found[n]?.item;
    if (!item) return;
    overlay.value = "none";
    // after the dialog has given the focus back, so that the command may move it
    requestAnimationFrame(() => item.run());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowDown: chosen + 1,
      ArrowUp: chosen - 1,
      Home: 0,
      End: found.length - 1,
    };
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      run(chosen);
    } else if (event.key in moves && found.length > 0 && (event.key.startsWith("Arrow") || query.value === "")) {
      event.preventDefault();
      at.value = ((moves[event.key] ?? 0) + found.length) % found.length;
    }
  };
  return (
    <>
      <input
        type="text"
        role="combobox"
        aria-label="Search commands and chats"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length > 0 ? `palette-${chosen}` : undefined}
        aria-autocomplete="list"
        placeholder="Search commands and chats"
        autocomplete="off"
        spellcheck={false}
        value={query.value}
        onInput={(event) => {
          query.value = event.currentTarget.value;
          at.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <div id="palette-list" role="listbox" aria-label="Results" ref={list}>
        {found.map(({ item, hits }, n) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox has the keys
          <div
            key={item.id}
            id={`palette-${n}`}
            role="option"
            aria-selected={n === chosen}
            tabIndex={-1}
            onClick={() => run(n)}
            onPointerMove={() => {
              at.value = n;
            }}
          >
            {item.icon && <Icon name={item.icon} />}
            <span>{marked(item.text, hits)}</span>
            {item.hint && <small>{item.hint}</small>}
          </div>
        ))}
      </div>
      {found.length === 0 && (
        <p class="empty" role="status">
          Nothing found.
        </p>
      )}
      <p class="palette-foot" aria-hidden="true">
        <span>
          <kbd>↑</kbd> <kbd>↓</kbd> choose
        </span>
        <span>
          <kbd>Enter</kbd> run
        </span>
        <span>
          <kbd>Esc</kbd> close
        </span>
      </p>
    </>
  );
}

const marked = (text: string, hits: number[]) =>
  hits.length === 0 ? text : [...text].map((char, n) => (hits.includes(n) ? <mark key={n}>{char}</mark> : char));

const Sheet = () => (
  <div class="keys">
    {SHORTCUTS.map(({ group, keys }) => (
      <section key={group} aria-label={group}>
        <h3>{group}</h3>
        <dl>
          {keys.map(({ keys, text }) => (
            <>
              <dt>{text}</dt>
              <dd>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dd>
            </>
          ))}
        </dl>
      </section>
    ))}
  </div>
);

const close = () => {
  overlay.value = "none";
};

export const Overlays = () => (
  <>
    <Dialog class="palette" open={overlay.value === "palette"} onClose={close} title="Command palette" quiet>
      <Palette />
    </Dialog>
    <Dialog open={overlay.value === "shortcuts"} onClose={close} title="Keyboard shortcuts">
      <Sheet />
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </Dialog>
  </>
);
