import { setCookie } from "../../cookies";
import { Command } from "../../parts/copy";
import { Loading } from "../../parts/states";
import { Ago } from "../../parts/time";
import { session } from "../../session";
import { machines } from "../../shell/machines";
import { navigate } from "../../shell/router";
import { RETURN_COOKIE } from "../../shell/routes";
import { track } from "../../telemetry/track";
import { accessOf, keepPrompt, quickPrompts } from "./access";

/** The middle of the home page, for each state of 7.1. Has the page's h1. */
export function HomeCentre() {
  switch (accessOf(session.value)) {
    case "guest":
      return (
        <section class="mid">
          <h1 tabIndex={-1}>Sign in to chat.</h1>
          <div class="acts">
            <a class="button main" href="/login">
              Sign in
            </a>
          </div>
          <p class="fine">Codex access requires a ChatGPT-linked account.</p>
        </section>
      );
    case "no_worker":
      return (
        <section class="mid">
          <h1 tabIndex={-1}>Connect Codex</h1>
          <p>Run this on the machine that has Codex. It shows a code; you allow it here.</p>
          <Command text="openagents worker" />
          <p class="fine">
            Have a code already? <a href="/pair">Pair a machine</a>
          </p>
        </section>
      );
    case "not_linked":
      return (
        <section class="mid">
          <h1 tabIndex={-1}>Link your ChatGPT account</h1>
          <p>Sign in to Codex with ChatGPT on the machine that runs your worker, then come back.</p>
          <Command text="codex login" />
        </section>
      );
    case "worker_offline":
      return (
        <section class="mid">
          <h1 tabIndex={-1}>Your worker is offline.</h1>
          <LastSeen />
        </section>
      );
    case "ready":
      return (
        <section class="mid">
          <h1 tabIndex={-1}>Autopilot online.</h1>
          <p>Send a message to start</p>
        </section>
      );
    default:
      return (
        <section class="mid">
          <h1 class="sr-only" tabIndex={-1}>
            Home
          </h1>
          <Loading rows={2} />
        </section>
      );
  }
}

function LastSeen() {
  const seenAt = machines.value.map((machine) => machine.seenAt).find((at) => at !== null);
  const name = machines.value.find((machine) => machine.seenAt === seenAt)?.name;
  return (
    <>
      <p>
        {seenAt ? (
          <>
            {name} was last seen <Ago at={seenAt} />.
          </>
        ) : (
          "It has not been seen yet."
        )}
      </p>
      <Command text="openagents worker" />
    </>
  );
}

/** Quick prompts above the composer; a guest's choice waits for the sign-in, anybody else's goes to `onPick`. */
export function QuickPrompts({ onPick }: { onPick: (text: string) => void }) {
  const access = accessOf(session.value);
  const { texts, enabled } = quickPrompts(access);
  if (texts.length === 0) return null;
  const pick = (text: string) => {
    track("home_chat.suggestion_clicked", { conversationId: null, suggestion: text });
    if (access !== "guest") return onPick(text);
    keepPrompt(text);
    setCookie(RETURN_COOKIE, "/", 600);
    navigate("/login");
  };
  return (
    <fieldset class="asks" aria-label="Quick prompts">
      {texts.map((text) => (
        <button key={text} type="button" disabled={!enabled} onClick={() => pick(text)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
