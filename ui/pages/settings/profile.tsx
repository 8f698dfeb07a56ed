import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { ProfileUpdated } from "../../../src/identity/contract";
import { api } from "../../api";
import { focusBlame, Outcome, useAction } from "../../parts/action";
import { Field } from "../../parts/field";
import { Panel } from "../../parts/panel";
import { renamed, type User, user } from "../../session";
import { unsaved } from "../../shell/router";
import { track } from "../../telemetry/track";
import { flashText, takeFlash } from "../flash";
import { CodexConnection } from "./codex-connection";
import { DeleteAccount } from "./delete-account";

const MOST = 255;

/** Why a name cannot be saved, or null. */
export function nameProblem(name: string): string | null {
  const text = name.trim();
  if (text === "") return "Profile name is required.";
  return [...text].length > MOST ? `Profile name may not be greater than ${MOST} characters.` : null;
}

export function Profile() {
  const person = user.value;
  if (!person) return null;
  return (
    <>
      <Name key={person.id} person={person} />
      <CodexConnection />
      <DeleteAccount email={person.email} />
    </>
  );
}

function Name({ person }: { person: User }) {
  const flash = useRef(takeFlash()).current;
  const name = useSignal(person.name);
  const error = useSignal(flash?.errors.name ?? "");
  const notice = useSignal(flash?.status ? flashText(flash.status) : "");
  const save = useAction();
  const dirty = name.value !== person.name;
  useEffect(() => track("settings_profile.page_opened"), []);
  useEffect(() => {
    unsaved.value = dirty;
  }, [dirty]);

  const submit = async (event: Event) => {
    event.preventDefault();
    notice.value = "";
    error.value = nameProblem(name.value) ?? "";
    if (error.value) return focusBlame(save.place.current);
    track("settings_profile.save_submitted");
    await save.run(async () => {
      const { data, failure } = await api.patch<(typeof ProfileUpdated)["static"]>("/api/settings/profile", {
        name: name.value.trim(),
      });
      if (failure) return failure;
      name.value = data.data.name;
      renamed(data.data.name);
      return null;
    }, "Saved");
  };
  return (
    <form onSubmit={submit} noValidate aria-busy={save.pending}>
      <Panel
        title="Profile information"
        text="Update your name and email address"
        foot={
          <>
            {dirty && !save.pending && !save.failure && !error.value ? (
              <span class="outcome hint">Unsaved changes</span>
            ) : null}
            <Outcome action={save} fields={["name"]} />
            {notice.value && <span class="done">{notice.value}</span>}
            <span class="gap" />
            {dirty && !save.pending && (
              <button
                type="button"
                class="button small quiet"
                onClick={() => {
                  name.value = person.name;
                  error.value = "";
                  save.forget();
                }}
              >
                Discard
              </button>
            )}
            <button type="submit" class="button main small" disabled={save.pending || save.wait > 0}>
              {save.pending ? "Saving..." : "Save"}
            </button>
          </>
        }
      >
        <Field
          id="name"
          label="Name"
          autoComplete="name"
          placeholder="Full name"
          required
          value={name.value}
          error={error.value || save.field("name")}
          onInput={(value) => {
            name.value = value;
            error.value = "";
            notice.value = "";
            save.forget();
          }}
        />
        <Field
          id="email"
          label="Email address"
          type="email"
          autoComplete="username"
          disabled
          value={person.email}
          onInput={() => {}}
        />
      </Panel>
    </form>
  );
}
