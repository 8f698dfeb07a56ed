import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PairShown } from "../../src/identity/pairing-contract";
import { api, path } from "../api";
import type { Failure } from "../failure";
import { announce } from "../parts/announce";
import { useSecondsLeft } from "../parts/countdown";
import { Field } from "../parts/field";
import { Icon } from "../parts/icons";
import { Ago } from "../parts/time";
import { machines } from "../shell/machines";
import { readdress, search } from "../shell/router";
import { world } from "../world";
import { isCode, shownCode } from "./pair-code";

type Pairing = PairShown["data"];

type State =
  | { kind: "asking" }
  | { kind: "looking" }
  | { kind: "found"; pairing: Pairing; deciding: "allow" | "deny" | null; error: string }
  | { kind: "allowed"; pairing: Pairing; workerId: string }
  | { kind: "denied"; pairing: Pairing };

/** Lets a machine in (remote-control 2). A code in the address only fills the field and shows the machine; a person decides. */
export function PairPage() {
  const given = new URLSearchParams(search.peek()).get("code") ?? "";
  const typed = useSignal(shownCode(given));
  const state = useSignal<State>({ kind: isCode(given) ? "looking" : "asking" });
  const error = useSignal("");
  const until = useSignal<number | null>(null);
  const seconds = useSecondsLeft(until.value);
  const input = useRef<HTMLInputElement>(null);

  const fail = (failure: Failure) => {
    state.value = { kind: "asking" };
    if (failure.kind === "limited") until.value = world.now() + (failure.retryAfter ?? 60) * 1000;
    else error.value = failure.fields.user_code ?? failure.message;
    requestAnimationFrame(() => input.current?.focus());
  };

  const look = async () => {
    if (!isCode(typed.value)) {
      error.value = "Enter the eight letters that the machine shows.";
      return input.current?.focus();
    }
    error.value = "";
    state.value = { kind: "looking" };
    const { data, failure } = await api.get<PairShown>(path`/api/pair/${typed.value}`);
    if (failure) return fail(failure);
    readdress(`/pair?code=${encodeURIComponent(typed.value)}`);
    state.value = { kind: "found", pairing: data.data, deciding: null, error: "" };
    focusHeading();
  };

  useEffect(() => {
    if (state.peek().kind === "looking") void look();
  }, []);

  const decide = async (what: "allow" | "deny") => {
    const now = state.value;
    if (now.kind !== "found" || now.deciding) return;
    state.value = { ...now, deciding: what, error: "" };
    const url = what === "allow" ? path`/api/pair/${typed.value}/approve` : path`/api/pair/${typed.value}/deny`;
    const { data, failure } = await api.post<{ data: { worker_id?: string } }>(url, {});
    if (failure) {
      state.value = { ...now, deciding: null, error: failure.message };
      return;
    }
    state.value =
      what === "allow"
        ? { kind: "allowed", pairing: now.pairing, workerId: data.data.worker_id ?? now.pairing.worker_id ?? "" }
        : { kind: "denied", pairing: now.pairing };
    announce(what === "allow" ? "Machine allowed" : "Machine denied");
    focusHeading();
  };

  const again = () => {
    typed.value = "";
    state.value = { kind: "asking" };
    readdress("/pair");
    requestAnimationFrame(() => input.current?.focus());
  };

  const now = state.value;
  return (
    <div class="dotted">
      <section class="sheet narrow">
        {(now.kind === "asking" || now.kind === "looking") && (
          <>
            <h1 tabIndex={-1}>Pair a machine</h1>
            <p>
              Run <code>openagents worker</code> on the machine that has Codex, then enter the code it shows.
            </p>
            <form
              noValidate
              aria-busy={now.kind === "looking"}
              onSubmit={(event) => {
                event.preventDefault();
                if (now.kind === "asking" && seconds === 0) void look();
              }}
            >
              <Field
                id="code"
                label="Code"
                inputRef={input}
                inputClass="code-input"
                placeholder="XXXX-XXXX"
                autoComplete="off"
                value={typed.value}
                error={error.value || undefined}
                onInput={(value) => {
                  typed.value = shownCode(value);
                  error.value = "";
                  if (input.current) input.current.value = typed.value;
                }}
              />
              <button type="submit" class="button main large" disabled={now.kind === "looking" || seconds > 0}>
                {now.kind === "looking" ? "Looking..." : "Continue"}
              </button>
              {seconds > 0 && (
                <p class="field-error" role="status">
                  Too many requests. Try again in {seconds}s.
                </p>
              )}
            </form>
          </>
        )}
        {now.kind === "found" && (
          <>
            <h1 tabIndex={-1}>Allow this machine?</h1>
            <div class="code">{now.pairing.user_code}</div>
            <Facts pairing={now.pairing} />
            <p>Only allow a machine that you are setting up right now.</p>
            <div class="pair-row">
              <button
                type="button"
                class="button main large"
                disabled={now.deciding !== null}
                onClick={() => void decide("allow")}
              >
                {now.deciding === "allow" ? "Allowing..." : "Allow this machine"}
              </button>
              <button
                type="button"
                class="button large"
                disabled={now.deciding !== null}
                onClick={() => void decide("deny")}
              >
                {now.deciding === "deny" ? "Denying..." : "Deny"}
              </button>
            </div>
            {now.error && (
              <p class="field-error" role="alert">
                {now.error}
              </p>
            )}
          </>
        )}
        {now.kind === "allowed" && <Allowed pairing={now.pairing} workerId={now.workerId} />}
        {now.kind === "denied" && (
          <>
            <h1 tabIndex={-1}>Denied</h1>
            <p>{nameOf(now.pairing)} was not let in. Its code is void.</p>
            <button type="button" class="button large" onClick={again}>
              Enter another code
            </button>
          </>
        )}
      </section>
    </div>
  );
}

const focusHeading = () =>
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#oa-main-shell h1")?.focus({ preventScroll: true }));

const nameOf = ({ name, hostname }: Pairing): string => name || hostname || "The machine";

function Facts({ pairing }: { pairing: Pairing }) {
  const { platform, codex_version, hostname, ip_address, requested_at } = pairing;
  const system = [platform, codex_version && `codex ${codex_version.replace(/^codex(-cli)? /, "")}`]
    .filter(Boolean)
    .join(" · ");
  return (
    <dl class="facts">
      <dt>Machine</dt>
      <dd>{nameOf(pairing)}</dd>
      {hostname && hostname !== pairing.name && (
        <>
          <dt>Host</dt>
          <dd>{hostname}</dd>
        </>
      )}
      {system && (
        <>
          <dt>System</dt>
          <dd>{system}</dd>
        </>
      )}
      {ip_address && (
        <>
          <dt>Address</dt>
          <dd class="mono">{ip_address}</dd>
        </>
      )}
      <dt>Asked</dt>
      <dd>
        <Ago at={requested_at} />
      </dd>
    </dl>
  );
}

/** Waits, in view of the person, until the machine is really there. */
function Allowed({ pairing, workerId }: { pairing: Pairing; workerId: string }) {
  const live = machines.value.find(({ id }) => id === workerId)?.live ?? false;
  return (
    <>
      <h1 tabIndex={-1}>{live ? "Connected" : "Allowed"}</h1>
      <p class={`notice ${live ? "tone-ok" : "tone-busy"}`} role="status">
        <Icon name={live ? "check" : "machine"} />
        {live
          ? `${nameOf(pairing)} is connected.`
          : `Waiting for ${nameOf(pairing)} to connect. You may leave this page.`}
      </p>
      <a class="button main large" href="/">
        Start a chat
      </a>
    </>
  );
}
