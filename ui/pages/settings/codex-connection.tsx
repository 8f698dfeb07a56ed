import { Command } from "../../parts/copy";
import { Pill, type Tone } from "../../parts/dot";
import { Icon } from "../../parts/icons";
import { Panel } from "../../parts/panel";
import { Ago } from "../../parts/time";
import { type CodexAccess, codexAccess } from "../../session";
import { type Machine, machines } from "../../shell/machines";

const STATES: Record<CodexAccess["status"], { tone: Tone; word: string }> = {
  ready: { tone: "ok", word: "Connected" },
  worker_offline: { tone: "off", word: "Offline" },
  not_linked: { tone: "warn", word: "Not linked" },
  no_worker: { tone: "off", word: "Not set up" },
};

const ACCOUNTS: Record<string, string> = { chatgpt: "ChatGPT", apiKey: "API key" };

/** How far the set-up is: what each step needs shows by itself. */
export function stepsDone({ status, chatgptLinked }: Pick<CodexAccess, "status" | "chatgptLinked">, live: boolean) {
  return { paired: status !== "no_worker", live, linked: status === "ready" || chatgptLinked };
}

/** Worker, account and heartbeat; the steps tick themselves as they are done (web-ui 16.3). */
export function CodexConnection() {
  const access = codexAccess.value;
  if (!access) return null;
  const machine = machines.value.find(({ id }) => id === access.workerId) ?? machines.value[0];
  const { tone, word } = STATES[access.status];
  const done = stepsDone(access, machine?.live ?? false);
  return (
    <Panel
      title="Codex connection"
      text="Codex runs on your own machine; a worker connects it."
      actions={<Pill tone={tone}>{word}</Pill>}
    >
      {machine && <Facts machine={machine} access={access} />}
      {!(done.paired && done.live && done.linked) && (
        <ol class="steps" aria-label="Set up Codex">
          <Step done={done.paired} text="Run a worker and allow it here">
            <Command text={`openagents worker --server ${location.origin}`} />
          </Step>
          <Step done={done.live} text="Keep the worker running">
            {done.paired && <Command text="openagents worker install" />}
          </Step>
          <Step done={done.linked} text="Sign in to Codex with ChatGPT on that machine">
            <Command text="codex login" />
          </Step>
        </ol>
      )}
    </Panel>
  );
}

const Facts = ({ machine, access: { account } }: { machine: Machine; access: CodexAccess }) => (
  <dl class="facts plain">
    <dt>Worker</dt>
    <dd title={machine.id}>{machine.name}</dd>
    <dt>Account</dt>
    <dd>{account ? (ACCOUNTS[account.type] ?? account.type) : "Not reported"}</dd>
    {account?.planType && (
      <>
        <dt>Plan</dt>
        <dd class="plan-name">{account.planType}</dd>
      </>
    )}
    <dt>Last heartbeat</dt>
    <dd>{machine.seenAt ? <Ago at={machine.seenAt} /> : "None yet"}</dd>
  </dl>
);

const Step = ({ done, text, children }: { done: boolean; text: string; children?: preact.ComponentChildren }) => (
  <li class={done ? "step-done" : ""}>
    <Icon name={done ? "check" : "ring"} />
    <div>
      <p>
        {text}
        <span class="sr-only">{done ? " (done)" : " (to do)"}</span>
      </p>
      {!done && children}
    </div>
  </li>
);
