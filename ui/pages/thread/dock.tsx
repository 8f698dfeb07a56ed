import { useSignal } from "@preact/signals";
import { Icon } from "../../parts/icons";
import type { Ask } from "../../transcript/transcript";
import { answer, answerOf, choicesOf } from "./answer";
import { commandOf, headline, Progress } from "./ask-line";
import type { LogProps } from "./chat";
import type { Conversation } from "./conversation";
import { PlanList } from "./plan";
import { reveal } from "./reveal";
import { inView } from "./waiting";

/** What stays above the composer: an approval that is out of view, and the plan of the running turn. */
export function Dock({ talk }: LogProps) {
  const { running, pending } = talk.head.value;
  const away = pending.filter((ask) => !inView.value.has(ask.id));
  const plan = running?.plan ?? null;
  return (
    <>
      {plan && plan.length > 0 && <PinnedPlan steps={plan} />}
      {away.length > 0 && away[0] && <WaitingBar talk={talk} first={away[0]} count={away.length} />}
    </>
  );
}

function PinnedPlan({ steps }: { steps: NonNullable<NonNullable<Conversation["head"]["value"]["running"]>["plan"]> }) {
  const open = useSignal(false);
  const done = steps.filter(({ status }) => status === "completed").length;
  const now = steps.find(({ status }) => status === "inProgress") ?? steps.find(({ status }) => status === "pending");
  return (
    <section class="pinned" aria-label="Plan">
      <button
        type="button"
        class="pinned-fold"
        aria-expanded={open.value}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <Icon name={done === steps.length ? "check" : "ring"} />
        <span class="pinned-now">{open.value || !now ? "Plan" : now.step}</span>
        <span class="number">
          {done} of {steps.length}
        </span>
        <Icon name={open.value ? "down" : "up"} />
      </button>
      {open.value && <PlanList steps={steps} />}
    </section>
  );
}

/** In reach of a thumb: what waits further up, with the two plain answers. */
function WaitingBar({ talk, first, count }: { talk: Conversation; first: Ask; count: number }) {
  const choices = choicesOf(first).filter(({ key }) => key);
  const approval = first.method.endsWith("requestApproval") || first.method.endsWith("Approval");
  const locked = first.answerId !== null || answerOf(first.id).state === "sending";
  return (
    <section class="waiting" aria-label={`${count} ${count === 1 ? "approval" : "approvals"} waiting`}>
      <button type="button" class="waiting-text" onClick={() => void reveal(`ask ${first.id}`, { focus: true })}>
        <Icon name="shield" />
        <span>
          {count === 1 ? "1 approval waiting" : `${count} approvals waiting`}
          <code>{commandOf(first)?.split("\n", 1)[0] ?? headline(first)}</code>
        </span>
      </button>
      {approval && !locked && (
        <span class="waiting-acts">
          {choices.map((choice) => (
            <button
              key={choice.label}
              type="button"
              class={choice.key === "yes" ? "button small main" : "button small"}
              onClick={() => void answer(talk, first, choice)}
            >
              {choice.label}
            </button>
          ))}
        </span>
      )}
      {locked && <Progress ask={first} />}
    </section>
  );
}
