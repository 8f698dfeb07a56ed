import { Icon } from "../../parts/icons";
import type { PlanStep } from "../../transcript/transcript";

const words = { completed: "done", inProgress: "in progress", pending: "to do" };

/** The steps Codex has set itself, with ticks. */
export const PlanList = ({ steps }: { steps: PlanStep[] }) => (
  <ul class="plan">
    {steps.map(({ step, status }, n) => (
      <li key={n} class={`plan-${status}`}>
        <Icon name={status === "completed" ? "check" : "ring"} />
        <span>
          {step}
          <span class="sr-only"> ({words[status]})</span>
        </span>
      </li>
    ))}
  </ul>
);
