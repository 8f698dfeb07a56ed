import { useLayoutEffect, useRef } from "preact/hooks";
import { CopyButton } from "../../parts/copy";
import { Icon } from "../../parts/icons";
import { ansi, withoutAnsi } from "../../transcript/ansi";
import { commandLine, outputTail, summaryOf } from "../../transcript/command";
import { count, text } from "../../transcript/fields";
import { save } from "./export";
import type { ItemProps } from "./item";
import { useRemembered } from "./memory";
import { revealed } from "./reveal";
import { took } from "./took";

/** Lines in the page of a long output until all are asked for (web-ui 13, case 27); some 20 of them are in view. */
const TAIL = 200;

/** A command: what it does in a line, what it printed, how it ended. */
export function CommandCard({ talk, item }: ItemProps) {
  const { payload } = item;
  const command = commandLine(text(payload, "command") ?? "");
  const summary = summaryOf(payload);
  const exit = count(payload, "exitCode");
  const ms =
    count(payload, "durationMs") ??
    (item.completedAt !== null && item.startedAt !== null ? item.completedAt - item.startedAt : null);
  const running = item.status === "inProgress";
  const failed = item.status === "failed" || (exit !== null && exit !== 0);
  const awaiting = talk.head.value.pending.some((ask) => ask.itemId === item.id && ask.turnId === item.turnId);
  const [chosen, setOpen] = useRemembered<boolean | null>(talk, `command ${item.key}`, null);
  const open = chosen ?? ((running && !awaiting) || failed || revealed.value?.key === item.key);
  const cwd = text(payload, "cwd");
  return (
    <article class="card command-card">
      <header>
        <button type="button" class="card-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="terminal" />
          {summary ? <span class="card-name">{summary}</span> : <code>{command.split("\n", 1)[0]}</code>}
          <span class="end">
            {running && !awaiting && <span class="tone-busy">running</span>}
            {awaiting && <span class="tone-warn">waiting</span>}
            {item.status === "declined" && <span class="tone-bad">declined</span>}
            {item.status === "interrupted" && <span>stopped</span>}
            {exit !== null && exit !== 0 && <span class="tone-bad">exit {exit}</span>}
            {exit === null && item.status === "failed" && <span class="tone-bad">failed</span>}
            {!running && ms !== null && <span class="number">{took(ms)}</span>}
            <Icon name={open ? "up" : "down"} />
          </span>
        </button>
      </header>
      {open && (
        <div class="card-body">
          <div class="command-line">
            <pre>
              <span class="prompt" aria-hidden="true">
                ${" "}
              </span>
              {command}
            </pre>
            <CopyButton text={command} label="Copy command" />
          </div>
          {cwd && <p class="cwd">{cwd}</p>}
          <Output item={item} talk={talk} />
        </div>
      )}
    </article>
  );
}

function Output({ item, talk }: Pick<ItemProps, "item" | "talk">) {
  const [size, setSize] = useRemembered<"tail" | "all">(talk, `output ${item.key}`, "tail");
  const box = useRef<HTMLPreElement>(null);
  const running = item.status === "inProgress";
  const output = item.text;
  const all = size === "all" || revealed.value?.key === item.key;
  const most = all ? Number.POSITIVE_INFINITY : TAIL;
  const { lines, hidden } = outputTail(output, most);
  useLayoutEffect(() => {
    if (box.current && !all) box.current.scrollTop = box.current.scrollHeight;
  }, [output, all]);
  if (output === "" && item.stdin.length === 0) {
    return running ? null : <p class="no-output">No output</p>;
  }
  return (
    <>
      {hidden > 0 && (
        <div class="output-more">
          <button type="button" class="link-button" onClick={() => setSize("all")}>
            Show all
          </button>
          <span>{hidden.toLocaleString("en")} lines above</span>
        </div>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <pre ref={box} class={all ? "output tall" : "output"} tabIndex={0}>
        {ansi(lines).map(({ text, style }, n) =>
          style ? (
            <span key={n} class={style}>
              {text}
            </span>
          ) : (
            text
          ),
        )}
      </pre>
      {item.stdin.map((line, n) => (
        <p key={n} class="stdin">
          <span aria-hidden="true">&gt; </span>
          {line}
        </p>
      ))}
      <div class="output-foot">
        {size === "all" && (
          <button type="button" class="link-button" onClick={() => setSize("tail")}>
            Show less
          </button>
        )}
        <span class="gap" />
        <CopyButton text={() => withoutAnsi(output)} label="Copy output" />
        <button
          type="button"
          class="icon-button small"
          aria-label="Download output"
          title="Download output"
          onClick={() => save(`output-${item.id}.txt`, withoutAnsi(output), "text/plain")}
        >
          <Icon name="download" />
        </button>
      </div>
    </>
  );
}
