import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Failure } from "../failure";
import { world } from "../world";
import { announce } from "./announce";
import { CopyButton } from "./copy";
import { useSecondsLeft } from "./countdown";

const FADES_MS = 2000;

export interface Action {
  pending: boolean;
  /** Seconds until the server takes another attempt; 0 when it does. */
  wait: number;
  failure: Failure | null;
  done: string;
  /** The place of its words; takes the focus when no field is to blame. */
  place: { current: HTMLElement | null };
  /** Does it once at a time. `said` is shown for two seconds after success. True when it went through. */
  run(request: () => Promise<Failure | null>, said?: string): Promise<boolean>;
  /** The message of a field the server refused. */
  field(name: string): string | undefined;
  forget(): void;
}

/** One thing a person can do on a page: never twice at once, with its outcome beside it (web-ui 5.1, 5.2). */
export function useAction(): Action {
  const pending = useSignal(false);
  const failure: Signal<Failure | null> = useSignal<Failure | null>(null);
  const done = useSignal("");
  const until = useSignal<number | null>(null);
  const wait = useSecondsLeft(until.value);
  const place = useRef<HTMLElement | null>(null);
  useEffect(() => {
    if (!done.value) return;
    const timer = setTimeout(() => {
      done.value = "";
    }, FADES_MS);
    return () => clearTimeout(timer);
  }, [done.value]);
  return {
    pending: pending.value,
    wait,
    failure: failure.value,
    done: done.value,
    place,
    async run(request, said = "") {
      if (pending.peek() || (until.peek() ?? 0) > world.now()) return false;
      pending.value = true;
      failure.value = null;
      done.value = "";
      const failed = await request();
      pending.value = false;
      if (!failed) {
        done.value = said;
        if (said) announce(said);
        return true;
      }
      if (failed.kind === "limited") until.value = world.now() + (failed.retryAfter ?? 60) * 1000;
      failure.value = failed;
      focusBlame(place.current);
      return false;
    },
    field: (name) => failure.value?.fields[name],
    forget() {
      failure.value = null;
    },
  };
}

/** To the first field that is wrong, else to the words that say why. */
export const focusBlame = (place: HTMLElement | null) =>
  requestAnimationFrame(() => {
    const around = place?.closest("form, dialog, section");
    (around?.querySelector<HTMLElement>("[aria-invalid]") ?? place)?.focus();
  });

/** What came of an action: a countdown, the reason it failed, or what was done. `fields` have their own message. */
export function Outcome({ action, fields = [] }: { action: Action; fields?: string[] }) {
  const { failure, wait, done, place } = action;
  const told = failure !== null && fields.some((name) => failure.fields[name]);
  const limited = failure?.kind === "limited";
  const other = failure && Object.entries(failure.fields).find(([name]) => !fields.includes(name))?.[1];
  return (
    <span class="outcome" ref={place as { current: HTMLSpanElement | null }} tabIndex={-1}>
      {limited && wait > 0 && (
        <span class="field-error" role="status">
          Too many requests. Try again in {wait}s.
        </span>
      )}
      {failure && !limited && !told && (
        <span class="field-error" role="alert">
          {other ?? failure.message}
          {failure.kind === "server" && failure.requestId && (
            <span class="reference">
              Reference: <code>{failure.requestId}</code>
              <CopyButton text={failure.requestId} label="Copy reference" />
            </span>
          )}
        </span>
      )}
      {done && <span class="done">{done}</span>}
    </span>
  );
}
