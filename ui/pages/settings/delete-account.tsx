import { useSignal } from "@preact/signals";
import { Outcome, useAction } from "../../parts/action";
import { Dialog } from "../../parts/dialog";
import { Field } from "../../parts/field";
import { Panel } from "../../parts/panel";
import { deleteAccount } from "../../session";

const same = (typed: string, email: string): boolean => typed.trim().toLowerCase() === email.trim().toLowerCase();

/** Deletes the account, after its address was typed (web-ui 7.5). */
export function DeleteAccount({ email }: { email: string }) {
  const asking = useSignal(false);
  return (
    <Panel title="Delete account" text="Delete your account and all of its resources">
      <div class="danger-box">
        <p>
          <b>Warning</b>
          <span>Please proceed with caution, this cannot be undone.</span>
        </p>
        <button type="button" class="button danger" onClick={() => (asking.value = true)}>
          Delete account
        </button>
      </div>
      <Dialog
        open={asking.value}
        onClose={() => (asking.value = false)}
        title="Are you sure you want to delete your account?"
        description="Once your account is deleted, all of its resources and data will also be permanently deleted. Please confirm you would like to permanently delete your account."
      >
        <Confirm email={email} close={() => (asking.value = false)} />
      </Dialog>
    </Panel>
  );
}

function Confirm({ email, close }: { email: string; close: () => void }) {
  const typed = useSignal("");
  const removal = useAction();
  const right = same(typed.value, email);
  const submit = (event: Event) => {
    event.preventDefault();
    if (right) void removal.run(() => deleteAccount(typed.value.trim()));
  };
  return (
    <form class="dialog-form" onSubmit={submit} noValidate aria-busy={removal.pending}>
      <Field
        id="confirm-email"
        label="Confirm email to delete profile"
        autoComplete="off"
        inputMode="email"
        placeholder={email}
        value={typed.value}
        error={removal.field("email")}
        onInput={(value) => {
          typed.value = value;
          removal.forget();
        }}
      />
      <div class="dialog-acts">
        <Outcome action={removal} fields={["email"]} />
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="button danger" disabled={!right || removal.pending || removal.wait > 0}>
          {removal.pending ? "Deleting..." : "Delete account"}
        </button>
      </div>
    </form>
  );
}
