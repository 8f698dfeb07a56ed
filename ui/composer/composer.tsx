import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useSecondsLeft } from "../parts/countdown";
import { Icon } from "../parts/icons";
import { draftOf, setDraft } from "./drafts";
import { lengthOf } from "./limit";
import { matching, type SlashCommand } from "./slash";

interface Props {
  threadId: string | null;
  placeholder: string;
  /** Text may be typed; it may be sent. */
  typing: boolean;
  sending: boolean;
  running: boolean;
  stopping: boolean;
  /** Too many requests: nothing may be sent before this time. */
  limitedUntil: number | null;
  /** Earlier messages of this thread, newest first. */
  history: () => string[];
  commands: SlashCommand[];
  onSend: (text: string, how: "send" | "queue") => void;
  onStop: () => void;
  /** Pickers and the like, left; meters, right. */
  left?: ComponentChildren;
  right?: ComponentChildren;
}

const grows = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

/** Where one types (web-ui 7.2). The draft belongs to the thread and is kept until it is sent. */
export function Composer(props: Props) {
  const { threadId, typing, sending, running, stopping, limitedUntil, onSend, onStop } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const composing = useRef(false);
  const [recalled, setRecalled] = useState(-1);
  const [chosen, setChosen] = useState(0);
  const [menuClosed, closeMenu] = useState(false);
  const seconds = useSecondsLeft(limitedUntil);
  const text = draftOf(threadId).value;
  const { counter, error } = lengthOf(text);
  const empty = text.trim() === "";
  const slash = menuClosed ? [] : matching(text, props.commands);
  const can = typing && sending && !empty && error === null && seconds === 0;

  useLayoutEffect(() => {
    const element = area.current;
    if (!element || grows) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);
  useEffect(() => setRecalled(-1), [threadId]);

  const change = (value: string) => {
    setDraft(threadId, value);
    setChosen(0);
    closeMenu(false);
  };
  const submit = (how: "send" | "queue") => {
    if (!can) return;
    const value = text.trim();
    setDraft(threadId, "");
    setRecalled(-1);
    onSend(value, how);
    area.current?.focus();
  };
  const run = (command: SlashCommand | undefined) => {
    if (!command) return;
    setDraft(threadId, "");
    command.run();
    area.current?.focus();
  };
  const recall = (step: number): boolean => {
    const past = props.history();
    const next = recalled + step;
    if (next < -1 || next >= past.length) return false;
    setRecalled(next);
    setDraft(threadId, next < 0 ? "" : (past[next] ?? ""));
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that takes a candidate of an input method sends nothing.
    if (composing.current || event.isComposing || event.keyCode === 229) return;
    if (slash.length > 0) {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step !== 0) {
        event.preventDefault();
        setChosen((chosen + step + slash.length) % slash.length);
        return;
      }
      if (event.key === "Enter" || event.key === "Tab") {
        event.preventDefault();
        run(slash[chosen]);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        closeMenu(true);
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit("send");
    } else if (event.key === "Escape" && running) {
      event.preventDefault();
      onStop();
    } else if (event.key === "ArrowUp" && (empty || recalled >= 0) && area.current?.selectionStart === 0) {
      if (recall(1)) event.preventDefault();
    } else if (
      event.key === "ArrowUp" &&
      recalled >= 0 &&
      !text.slice(0, area.current?.selectionStart).includes("\n")
    ) {
      if (recall(1)) event.preventDefault();
    } else if (event.key === "ArrowDown" && recalled >= 0 && area.current?.selectionEnd === text.length) {
      if (recall(-1)) event.preventDefault();
    }
  };

  return (
    <form
      id="chat-input-form"
      class="composer"
      aria-label="Message"
      onSubmit={(event) => {
        event.preventDefault();
        submit("send");
      }}
    >
      {slash.length > 0 && <SlashMenu commands={slash} chosen={chosen} onPick={run} />}
      <div class="composer-box">
        <textarea
          ref={area}
          id="chat-input"
          data-first
          aria-label="Message input"
          aria-describedby={error || counter || seconds > 0 ? "chat-input-note" : undefined}
          aria-invalid={error ? true : undefined}
          aria-controls={slash.length > 0 ? "slash-menu" : undefined}
          aria-activedescendant={slash.length > 0 ? `slash-${slash[chosen]?.name}` : undefined}
          rows={1}
          autocomplete="off"
          placeholder={running ? "Message Codex, or steer this turn" : props.placeholder}
          disabled={!typing}
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
          onCompositionStart={() => {
            composing.current = true;
          }}
          onCompositionEnd={() => {
            composing.current = false;
          }}
          onKeyDown={onKeyDown}
        />
        <div class="composer-bar">
          {props.left}
          <span class="gap" />
          {props.right}
          {running && (
            <button
              type="button"
              class="send stop"
              aria-label={stopping ? "Stopping…" : "Stop"}
              title={stopping ? "Stopping…" : "Stop (Esc)"}
              aria-disabled={stopping}
              onClick={() => !stopping && onStop()}
            >
              <Icon name="stop" />
            </button>
          )}
          {running && !empty && (
            <button type="button" class="button small quiet" disabled={!can} onClick={() => submit("queue")}>
              Queue
            </button>
          )}
          {running && !empty && (
            <button type="submit" class="button small main" disabled={!can}>
              Send now
            </button>
          )}
          {!running && (
            <button type="submit" class="send" aria-label="Send message" title="Send message" disabled={!can}>
              <Icon name="send" />
            </button>
          )}
        </div>
      </div>
      {(error || counter || seconds > 0) && (
        <p
          id="chat-input-note"
          class={error || seconds > 0 ? "composer-note tone-bad" : "composer-note"}
          role={error ? "alert" : undefined}
        >
          {seconds > 0 ? `Too many requests. Try again in ${seconds}s.` : error}
          {counter && <span class="number">{counter}</span>}
        </p>
      )}
    </form>
  );
}

const SlashMenu = ({
  commands,
  chosen,
  onPick,
}: {
  commands: SlashCommand[];
  chosen: number;
  onPick: (command: SlashCommand) => void;
}) => (
  <div id="slash-menu" class="slash-menu" role="listbox" aria-label="Commands">
    {commands.map((command, n) => (
      // biome-ignore lint/a11y/useFocusableInteractive: the text field keeps the focus and names the active option
      // biome-ignore lint/a11y/useKeyWithClickEvents: the text field has the keys
      <div
        key={command.name}
        id={`slash-${command.name}`}
        role="option"
        aria-selected={n === chosen}
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => onPick(command)}
      >
        <code>/{command.name}</code>
        <span>{command.text}</span>
      </div>
    ))}
  </div>
);
