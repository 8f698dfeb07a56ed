import { useSignal } from "@preact/signals";
import type { Invited } from "../../../src/identity/contract";
import { api } from "../../api";
import { focusBlame, Outcome, useAction } from "../../parts/action";
import { Field } from "../../parts/field";
import { Panel } from "../../parts/panel";
import { Secret } from "../../parts/secret";
import { When } from "../../parts/time";
import { emailProblem } from "../login-form";

interface Made {
  email: string;
  url: string;
  expiresAt: string;
}

const OTHER_PROVIDER = "Invitations need this server's own sign-in; here another provider decides who may sign in.";

/** Lets somebody in by a link (auth 3.16). */
export function Invites() {
  const email = useSignal("");
  const name = useSignal("");
  const admin = useSignal(false);
  const problem = useSignal("");
  const made = useSignal<Made | null>(null);
  const creation = useAction();

  const changed = (change: () => void) => {
    change();
    problem.value = "";
    creation.forget();
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    problem.value = emailProblem(email.value) ?? "";
    if (problem.value) return focusBlame(creation.place.current);
    const to = email.value.trim();
    await creation.run(async () => {
      const { data, failure } = await api.post<(typeof Invited)["static"]>("/api/admin/invites", {
        email: to,
        name: name.value.trim() || null,
        admin: admin.value,
      });
      if (failure) return failure.kind === "missing" ? { ...failure, message: OTHER_PROVIDER } : failure;
      made.value = { email: to, ...data.data };
      email.value = "";
      name.value = "";
      admin.value = false;
      return null;
    });
  };

  return (
    <>
      <form onSubmit={submit} noValidate aria-busy={creation.pending}>
        <Panel
          level={2}
          title="Invite somebody"
          text="Makes a link that signs them in once. Where mail is set up, it is mailed to them too."
          foot={
            <>
              <Outcome action={creation} fields={["email", "name"]} />
              <span class="gap" />
              <button type="submit" class="button main small" disabled={creation.pending || creation.wait > 0}>
                {creation.pending ? "Inviting..." : "Invite"}
              </button>
            </>
          }
        >
          <div class="field-row">
            <Field
              id="invite-email"
              label="Email"
              type="email"
              autoComplete="off"
              placeholder="ana@example.com"
              required
              value={email.value}
              error={problem.value || creation.field("email")}
              onInput={(value) => changed(() => (email.value = value))}
            />
            <Field
              id="invite-name"
              label="Name (optional)"
              autoComplete="off"
              placeholder="Ana Ruiz"
              value={name.value}
              error={creation.field("name")}
              onInput={(value) => changed(() => (name.value = value))}
            />
          </div>
          <div class="radios">
            <label>
              <input
                type="checkbox"
                checked={admin.value}
                onChange={(event) => (admin.value = event.currentTarget.checked)}
              />
              <span>
                Administrator
                <small>May invite people and see this page.</small>
              </span>
            </label>
          </div>
        </Panel>
      </form>
      {made.value && <Link made={made.value} done={() => (made.value = null)} />}
    </>
  );
}

const Link = ({ made, done }: { made: Made; done: () => void }) => (
  <Panel
    level={2}
    title={`Link for ${made.email}`}
    text={
      <>
        Send it to them. It works once, until <When at={made.expiresAt} />.
      </>
    }
    foot={
      <>
        <span class="gap" />
        <button type="button" class="button small" onClick={done}>
          Done
        </button>
      </>
    }
  >
    <Secret text={made.url} label="Sign-in link" />
  </Panel>
);
