import { useEffect, useRef } from "preact/hooks";
import { announce } from "../../parts/announce";
import { Icon } from "../../parts/icons";
import { machines } from "../../shell/machines";
import { fields, list, text } from "../../transcript/fields";
import { type Risk, risksOf } from "../../transcript/risk";
import type { Ask } from "../../transcript/transcript";
import { answer, answerOf, type Choice, choicesOf, decisionWord } from "./answer";
import { commandOf, headline, Progress } from "./ask-line";
import { filesOf } from "./changes";
import type { Conversation } from "./conversation";
import { DiffFiles } from "./diff-files";
import { Questions } from "./questions";
import { watchAsk } from "./waiting";

/** What Codex asks, with the answers it takes. Settled cards stay, as one line. */
export function AskCard({ talk, id }: { talk: Conversation; id: string }) {
  const ask = talk.ask(id).value;
  if (!ask) return null;
  if (ask.method === "item/tool/requestUserInput" || ask.method === "mcpServer/elicitation/request") {
    return ask.status === "pending" ? <Questions talk={talk} ask={ask} /> : <Settled ask={ask} />;
  }
  return ask.status === "pending" ? <Approval talk={talk} ask={ask} /> : <Settled ask={ask} />;
}

function Approval({ talk, ask }: { talk: Conversation; ask: Ask }) {
  const card = useRef<HTMLElement>(null);
  const { params } = ask;
  const machine = machines.value.find(({ id }) => id === ask.workerId);
  const cwd = text(params, "cwd", "grantRoot");
  const command = commandOf(ask);
  const risks = command ? risksOf(command) : [];
  const item = ask.itemId && ask.turnId ? talk.item(`${ask.turnId}/${ask.itemId}`).value : null;
  const host = text(fields(params.networkApprovalContext), "host");
  const mine = answerOf(ask.id);
  const locked = mine.state === "sending" || ask.answerId !== null;
  const choices = choicesOf(ask);
  const danger = risks.some(({ level }) => level === "danger");

  useEffect(() => (card.current ? watchAsk(ask.id, card.current) : undefined), [ask.id]);
  useEffect(() => announce(`${headline(ask)} ${command ?? ""}`, "assertive"), [ask.id]);

  const give = (choice: Choice) => void answer(talk, ask, choice);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || locked || event.repeat) return;
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
    const wanted = event.key === "y" ? "yes" : event.key === "n" ? "no" : null;
    const choice = choices.find(({ key }) => key === wanted);
    if (!wanted || !choice) return;
    event.preventDefault();
    give(choice);
  };
  return (
    <article
      ref={card}
      class={danger ? "card ask danger" : "card ask"}
      data-row={`ask ${ask.id}`}
      data-ask={ask.id}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: y and n answer while the card has the focus (web-ui 9.2)
      tabIndex={0}
      aria-label={headline(ask)}
      onKeyDown={onKeyDown}
    >
      <header>
        <Icon name="shield" />
        <span class="card-name">{headline(ask)}</span>
        <span class="end" title={cwd ?? undefined}>
          {[machine?.name, cwd].filter(Boolean).join(" · ")}
        </span>
      </header>
      {command && (
        <pre class="ask-command">
          <Marked command={command} />
        </pre>
      )}
      {ask.method === "item/fileChange/requestApproval" && item && (
        <DiffFiles talk={talk} name={`ask ${ask.id}`} files={filesOf(item)} note={null} open={null} />
      )}
      <Permissions ask={ask} />
      <Hints risks={risks} host={host} />
      {text(params, "reason") && <p class="why">{text(params, "reason")}</p>}
      <div class="acts">
        {choices.map((choice) => (
          <button
            key={choice.label}
            type="button"
            class={
              choice.look === "main"
                ? "button small main"
                : choice.look === "quiet"
                  ? "button small quiet"
                  : "button small"
            }
            disabled={locked}
            title={choice.hint}
            onClick={() => give(choice)}
          >
            {choice.label}
            {choice.key && <kbd>{choice.key === "yes" ? "Y" : "N"}</kbd>}
          </button>
        ))}
        <Progress ask={ask} />
      </div>
      {mine.state === "failed" && (
        <p class="ask-error" role="alert">
          {mine.why}
        </p>
      )}
      {ask.failure && mine.state !== "failed" && (
        <p class="ask-error" role="alert">
          The machine did not take the answer: {ask.failure.message}
        </p>
      )}
    </article>
  );
}

/** How it was answered, and by whom as far as this page knows. */
function Settled({ ask }: { ask: Ask }) {
  const mine = answerOf(ask.id);
  const other = ask.answerId !== null && !mine.ids.has(ask.answerId);
  const elsewhere = ask.status === "resolved" && (other || mine.late);
  const what = commandOf(ask)?.split("\n", 1)[0] ?? headline(ask);
  const word = ask.status === "expired" ? "No longer asked" : decisionWord(ask);
  const no = /^(Declined|Stopped)/.test(word);
  return (
    <p class="step settled" data-row={`ask ${ask.id}`} role="status">
      <Icon name={ask.status === "expired" ? "cross" : no ? "cross" : "check"} />
      <span>
        {word}: <code>{what}</code>
        {elsewhere && <b> Answered on another device</b>}
      </span>
    </p>
  );
}

const Hints = ({ risks, host }: { risks: Risk[]; host: string | null }) =>
  risks.length === 0 && !host ? null : (
    <ul class="hints" aria-label="Before you approve">
      {risks.map(({ why, level }) => (
        <li key={why} class={level === "danger" ? "tone-bad" : "tone-warn"}>
          <Icon name="alert" />
          {why}
        </li>
      ))}
      {host && (
        <li class="tone-warn">
          <Icon name="globe" />
          Reaches {host}
        </li>
      )}
    </ul>
  );

const grave =
  /\brm\s+-\S*[rf]\S*|\bgit\s+push\b[^|;&\n]*(?:--force\S*|\s-f\b)|\bsudo\b|\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|\bgit\s+reset\s+--hard|\b(?:mkfs\S*|dd)\b/g;

/** The command with its destructive parts marked. */
function Marked({ command }: { command: string }) {
  const parts: (string | { hit: string })[] = [];
  let at = 0;
  for (const found of command.matchAll(grave)) {
    parts.push(command.slice(at, found.index), { hit: found[0] });
    at = found.index + found[0].length;
  }
  parts.push(command.slice(at));
  return <>{parts.map((part, n) => (typeof part === "string" ? part : <mark key={n}>{part.hit}</mark>))}</>;
}

function Permissions({ ask }: { ask: Ask }) {
  if (ask.method !== "item/permissions/requestApproval") return null;
  const wanted = fields(ask.params.permissions);
  const network = fields(wanted.network);
  const files = fields(wanted.fileSystem);
  const paths = [
    ...list(files.read).map((path) => ["Read", path]),
    ...list(files.write).map((path) => ["Write", path]),
  ];
  return (
    <ul class="permissions">
      {network.enabled === true && <li>Use the network</li>}
      {paths.map(([verb, path]) => (
        <li key={`${verb}${path}`}>
          {verb} <code>{String(path)}</code>
        </li>
      ))}
      {paths.length === 0 && network.enabled !== true && <li>{JSON.stringify(wanted)}</li>}
    </ul>
  );
}
