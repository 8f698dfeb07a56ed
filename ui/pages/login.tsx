import { batch, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api } from "../api";
import type { Failure } from "../failure";
import { Command } from "../parts/copy";
import { useSecondsLeft } from "../parts/countdown";
import { Field } from "../parts/field";
import { Icon } from "../parts/icons";
import { signedIn } from "../session";
import { track } from "../telemetry/track";
import { world } from "../world";
import { flashText, takeFlash } from "./flash";
import { emailProblem, isWhole, PENDING_KEY, type Pending, RESEND_MS, readCode, readPending } from "./login-form";

const EXPIRED = "Your sign-in code expired. Request a new code.";

const keep = (pending: Pending | null) => {
  try {
    if (pending) sessionStorage.setItem(PENDING_KEY, JSON.stringify(pending));
    else sessionStorage.removeItem(PENDING_KEY);
  } catch {
    // storage is off: a reload starts again with the address
  }
};
const kept = (): Pending | null => {
  try {
    return readPending(sessionStorage.getItem(PENDING_KEY), world.now());
  } catch {
    return null;
  }
};

/** Sign-in by e-mail code, in two steps on one page (web-ui 7.3, 16.3). */
export function LoginPage() {
  const flash = useRef(takeFlash()).current;
  const pending = useSignal<Pending | null>(kept());
  const email = useSignal(pending.peek()?.email ?? "");
  const error = useSignal(flash?.errors.email ?? flash?.errors.code ?? "");
  const notice = useSignal(flash?.status ? flashText(flash.status) : (flash?.errors.link ?? ""));
  const blockedUntil = useSignal<number | null>(null);
  /** The server sends no mail; only an operator's link leads in. */
  const unavailable = useSignal<string | null>(null);

  useEffect(() => {
    track("login.page_opened", {
      hasPendingCode: pending.peek() !== null,
      hasStatusCodeSent: flash?.status === "code-sent",
    });
  }, []);

  const send = async (): Promise<boolean> => {
    track("login.code_send_submitted", { emailLength: email.peek().trim().length });
    error.value = "";
    notice.value = "";
    const { failure } = await api.post("/api/auth/email", { email: email.value.trim() }, { guest: true });
    if (failure) {
      if (failure.status === 503 && failure.code === "service_unavailable") unavailable.value = failure.message;
      else if (failure.kind === "limited") blockedUntil.value = world.now() + (failure.retryAfter ?? 60) * 1000;
      else error.value = failure.fields.email ?? failure.message;
      return false;
    }
    batch(() => {
      pending.value = { email: email.value.trim(), sentAt: world.now() };
      keep(pending.value);
    });
    return true;
  };

  const restart = (message = "") => {
    keep(null);
    batch(() => {
      pending.value = null;
      error.value = message;
    });
  };

  if (unavailable.value) return <NoMail text={unavailable.value} />;
  return (
    <div class="dotted">
      <section class="sheet">
        <h1 tabIndex={-1}>Log in with email</h1>
        {notice.value && (
          <p class="notice tone-off" role="status">
            {notice.value}
          </p>
        )}
        {pending.value ? (
          <CodeStep
            pending={pending.value}
            firstError={error.value}
            resend={send}
            restart={restart}
            blockedUntil={blockedUntil.value}
            block={(seconds) => (blockedUntil.value = world.now() + seconds * 1000)}
          />
        ) : (
          <EmailStep
            email={email.value}
            onEmail={(value) => (email.value = value)}
            error={error.value}
            onError={(text) => (error.value = text)}
            send={send}
            blockedUntil={blockedUntil.value}
          />
        )}
        {!navigator.cookieEnabled && (
          <p class="field-error" role="alert">
            Cookies are required to sign in.
          </p>
        )}
      </section>
    </div>
  );
}

const NoMail = ({ text }: { text: string }) => (
  <div class="dotted">
    <section class="sheet">
      <h1 tabIndex={-1}>Log in</h1>
      <p role="alert">{text}</p>
      <p>The operator runs this where the server runs, and opens or sends you the link it prints:</p>
      <div>
        <Command text="openagents ops login-link" />
      </div>
    </section>
  </div>
);

interface EmailProps {
  email: string;
  onEmail: (value: string) => void;
  error: string;
  onError: (text: string) => void;
  send: () => Promise<boolean>;
  blockedUntil: number | null;
}

function EmailStep({ email, onEmail, error, onError, send, blockedUntil }: EmailProps) {
  const busy = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  const seconds = useSecondsLeft(blockedUntil);
  useEffect(() => {
    input.current?.focus({ preventScroll: true });
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value || seconds > 0) return;
    const problem = emailProblem(email);
    if (problem) {
      onError(problem);
      return input.current?.focus();
    }
    busy.value = true;
    const sent = await send();
    busy.value = false;
    if (!sent) input.current?.focus();
  };
  return (
    <>
      <p>Enter your email to receive a one-time sign-in code.</p>
      <form onSubmit={submit} noValidate aria-busy={busy.value}>
        <Field
          id="email"
          label="Email"
          type="email"
          autoComplete="email"
          placeholder="you@openagents.com"
          first
          value={email}
          inputRef={input}
          error={error || undefined}
          onInput={(value) => {
            onEmail(value);
            onError("");
          }}
        />
        <button type="submit" class="button main large" disabled={busy.value || seconds > 0}>
          {busy.value ? "Sending code..." : "Send verification code"}
        </button>
        <Limited seconds={seconds} />
      </form>
    </>
  );
}

const Limited = ({ seconds }: { seconds: number }) =>
  seconds > 0 ? (
    <p class="field-error" role="status">
      Too many requests. Try again in {seconds}s.
    </p>
  ) : null;

interface CodeProps {
  pending: Pending;
  firstError: string;
  resend: () => Promise<boolean>;
  restart: (message?: string) => void;
  blockedUntil: number | null;
  block: (seconds: number) => void;
}

function CodeStep({ pending, firstError, resend, restart, blockedUntil, block }: CodeProps) {
  const typed = useSignal("");
  const error = useSignal(firstError);
  const busy = useSignal(false);
  const sentBySelf = useRef("");
  const input = useRef<HTMLInputElement>(null);
  const blocked = useSecondsLeft(blockedUntil);
  const wait = Math.max(useSecondsLeft(pending.sentAt + RESEND_MS), blocked);
  useEffect(() => {
    error.value = firstError;
  }, [firstError]);
  useEffect(() => {
    input.current?.focus({ preventScroll: true });
  }, []);

  const fail = (failure: Failure) => {
    if (failure.kind === "limited") return block(failure.retryAfter ?? 60);
    const text = failure.fields.code ?? failure.message;
    if (text === EXPIRED) return restart(text);
    error.value = text;
    input.current?.focus();
    input.current?.select();
  };

  const verify = async () => {
    if (busy.value || blocked > 0) return;
    const { code, problem } = readCode(typed.value);
    if (problem) {
      error.value = problem;
      return input.current?.focus();
    }
    busy.value = true;
    error.value = "";
    track("login.code_verify_submitted", { codeLength: code?.length ?? 0 });
    const { failure } = await api.post("/api/auth/verify", { code }, { guest: true });
    if (failure) {
      busy.value = false;
      return fail(failure);
    }
    keep(null);
    if (await signedIn()) return; // the gate leads on, to where one came from
    busy.value = false;
    error.value = navigator.cookieEnabled
      ? "Signed in, but the session could not be read. Please try again."
      : "Cookies are required to sign in.";
  };

  const onInput = (value: string) => {
    typed.value = value;
    error.value = "";
    // pasted or completed: sent once for each whole code
    const plain = value.replace(/\D/g, "");
    if (!isWhole(value) || plain === sentBySelf.current) return;
    sentBySelf.current = plain;
    void verify();
  };

  return (
    <>
      <p>
        Enter the one-time code sent to <strong>{pending.email}</strong>.
      </p>
      <p class="notice tone-ok" role="status">
        <Icon name="check" />
        Verification code sent. Check your inbox and enter it below.
      </p>
      <form
        noValidate
        aria-busy={busy.value}
        onSubmit={(event) => {
          event.preventDefault();
          void verify();
        }}
      >
        <Field
          id="code"
          label="Verification code"
          inputMode="numeric"
          autoComplete="one-time-code"
          placeholder="Enter the code from your email"
          first
          value={typed.value}
          inputRef={input}
          error={error.value || undefined}
          onInput={onInput}
        />
        <button type="submit" class="button main large" disabled={busy.value || blocked > 0}>
          {busy.value ? "Verifying..." : "Verify and continue"}
        </button>
        <Limited seconds={blocked} />
      </form>
      <div class="row">
        <button type="button" class="link-button" onClick={() => restart()}>
          Use a different email
        </button>
        <button type="button" class="link-button number" disabled={wait > 0} onClick={() => void resend()}>
          {wait > 0 ? `Resend in ${wait}s` : "Resend code"}
        </button>
      </div>
    </>
  );
}
