import { useSignal } from "@preact/signals";
import { api, path } from "../api";
import { cookie, setCookie } from "../cookies";
import { useSecondsLeft } from "../parts/countdown";
import { signedIn } from "../session";
import { app } from "../shell/app";
import { RETURN_COOKIE } from "../shell/routes";
import { world } from "../world";
import { takeFlash } from "./flash";

/** A sign-in link: one button, so that a preview of the link burns nothing (auth 3.16). */
export function LoginLinkPage({ token }: { token: string }) {
  const busy = useSignal(false);
  const error = useSignal("");
  const until = useSignal<number | null>(null);
  const seconds = useSecondsLeft(until.value);

  const enter = async () => {
    if (busy.value || seconds > 0) return;
    busy.value = true;
    error.value = "";
    const back = cookie(RETURN_COOKIE);
    // The answer is a redirect, to the app or back to the login; who we are afterwards tells which.
    const { failure } = await api.post(path`/login/link/${token}`, undefined, {
      guest: true,
      headers: { accept: "text/html" },
    });
    if (!failure) {
      // The redirect that a script cannot follow has spent the return path already.
      if (back && !cookie(RETURN_COOKIE)) setCookie(RETURN_COOKIE, back, 600);
      if (await signedIn()) return; // the gate leads on
      error.value = Object.values(takeFlash()?.errors ?? {})[0] ?? "This sign-in link has expired. Ask for a new one.";
    } else if (failure.kind === "limited") until.value = world.now() + (failure.retryAfter ?? 60) * 1000;
    else error.value = failure.message;
    busy.value = false;
  };

  return (
    <div class="dotted">
      <section class="sheet narrow">
        <h1 tabIndex={-1}>Sign in to {app.name}</h1>
        <p>This link signs you in on this device. It works once.</p>
        <button
          type="button"
          class="button main large"
          disabled={busy.value || seconds > 0}
          onClick={() => void enter()}
        >
          {busy.value ? "Signing in..." : "Sign in"}
        </button>
        {seconds > 0 && (
          <p class="field-error" role="status">
            Too many requests. Try again in {seconds}s.
          </p>
        )}
        {error.value && (
          <p class="field-error" role="alert">
            {error.value}
          </p>
        )}
        {error.value && (
          <p>
            <a href="/login">Go to the login page</a>
          </p>
        )}
      </section>
    </div>
  );
}
