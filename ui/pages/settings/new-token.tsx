import { useSignal } from "@preact/signals";
import type { TokenCreated } from "../../../src/identity/tokens-contract";
import { api } from "../../api";
import { focusBlame, Outcome, useAction } from "../../parts/action";
import { Field } from "../../parts/field";
import { Panel } from "../../parts/panel";
import { Secret } from "../../parts/secret";
import { When } from "../../parts/time";
import { world } from "../../world";
import { LIFETIMES, type Lifetime, tokenRequest, tomorrow, type Wanted } from "./token-form";

type Made = (typeof TokenCreated)["static"]["data"];

const blank: Wanted = { name: "", lifetime: "30", date: "", full: true, abilities: "" };

/** The form of a new token, and, once, the token itself. */
export function NewToken({ made }: { made: () => void }) {
  const shown = useSignal<Made | null>(null);
  if (shown.value) return <Plain token={shown.value} done={() => (shown.value = null)} />;
  return (
    <Form
      made={(token) => {
        shown.value = token;
        made();
      }}
    />
  );
}

function Form({ made }: { made: (token: Made) => void }) {
  const wanted = useSignal(blank);
  const problems = useSignal<Record<string, string>>({});
  const creation = useAction();
  const { name, lifetime, date, full, abilities } = wanted.value;
  const set = (change: Partial<Wanted>) => {
    wanted.value = { ...wanted.value, ...change };
    problems.value = {};
    creation.forget();
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const { body, problems: found } = tokenRequest(wanted.value, world.now());
    if (found) {
      problems.value = found;
      return focusBlame(creation.place.current);
    }
    await creation.run(async () => {
      const { data, failure } = await api.post<(typeof TokenCreated)["static"]>("/api/tokens", body);
      if (failure) return failure;
      made(data.data);
      return null;
    });
  };
  const problem = (field: string, sent = field) => problems.value[field] ?? creation.field(sent);
  return (
    <form onSubmit={submit} noValidate aria-busy={creation.pending}>
      <Panel
        title="New token"
        text="For scripts and other programs. It is shown once, right after it is made."
        foot={
          <>
            <Outcome action={creation} fields={["name", "expires_at", "abilities"]} />
            <span class="gap" />
            <button type="submit" class="button main small" disabled={creation.pending || creation.wait > 0}>
              {creation.pending ? "Creating..." : "Create token"}
            </button>
          </>
        }
      >
        <div class="field-row">
          <Field
            id="token-name"
            label="Name"
            autoComplete="off"
            placeholder="deploy-script"
            required
            value={name}
            error={problem("name")}
            onInput={(value) => set({ name: value })}
          />
          <div class="field">
            <label for="token-lifetime">Expires</label>
            <select
              id="token-lifetime"
              value={lifetime}
              onChange={(event) => set({ lifetime: event.currentTarget.value as Lifetime })}
            >
              {LIFETIMES.map(({ value, text }) => (
                <option key={value} value={value}>
                  {text === "A date…" ? text : value === "never" ? text : `In ${text}`}
                </option>
              ))}
            </select>
          </div>
          {lifetime === "date" && (
            <Field
              id="token-date"
              label="Last day"
              type="date"
              min={tomorrow(world.now())}
              value={date}
              error={problem("date", "expires_at")}
              onInput={(value) => set({ date: value })}
            />
          )}
        </div>
        <fieldset class="radios">
          <legend>Abilities</legend>
          <label>
            <input type="radio" name="token-scope" checked={full} onChange={() => set({ full: true })} />
            <span>
              Full access
              <small>Everything you can do with the API.</small>
            </span>
          </label>
          <label>
            <input type="radio" name="token-scope" checked={!full} onChange={() => set({ full: false })} />
            <span>
              Chosen abilities
              <small>Requests that ask for another ability are refused; it can only make tokens with these.</small>
            </span>
          </label>
        </fieldset>
        {!full && (
          <Field
            id="token-abilities"
            label="Chosen abilities"
            autoComplete="off"
            placeholder="chat:read, chat:write"
            hint="Separated by commas."
            value={abilities}
            error={problem("abilities")}
            onInput={(value) => set({ abilities: value })}
          />
        )}
      </Panel>
    </form>
  );
}

const Plain = ({ token, done }: { token: Made; done: () => void }) => (
  <Panel
    title={`Token ${token.name}`}
    text="Copy it now. It is not shown again."
    foot={
      <>
        <span class="hint">
          {token.expiresAt ? (
            <>
              Expires <When at={token.expiresAt} />
            </>
          ) : (
            "No expiry"
          )}
        </span>
        <span class="gap" />
        <button type="button" class="button small" onClick={done}>
          Done
        </button>
      </>
    }
  >
    <Secret text={token.token} label="Token" />
    <p class="hint">
      Send it as <code>Authorization: Bearer …</code>
    </p>
  </Panel>
);
