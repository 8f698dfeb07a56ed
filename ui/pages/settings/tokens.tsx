import { useSignal } from "@preact/signals";
import type { TokenItem } from "../../../src/identity/tokens-contract";
import { api, path } from "../../api";
import { Outcome, useAction } from "../../parts/action";
import { announce } from "../../parts/announce";
import { minute } from "../../parts/clock";
import { Dialog } from "../../parts/dialog";
import { Pill } from "../../parts/dot";
import { Icon } from "../../parts/icons";
import { Panel } from "../../parts/panel";
import { useRead } from "../../parts/read";
import { Failure, Loading } from "../../parts/states";
import { Ago, When } from "../../parts/time";
import { NewToken } from "./new-token";

/** A worker's token, made by pairing (remote-control 2). */
export const isWorkerToken = ({ abilities }: Pick<TokenItem, "abilities">): boolean =>
  abilities.length === 1 && abilities[0] === "codex:worker";

const nameOf = (token: TokenItem): string => (isWorkerToken(token) ? token.name.replace(/^worker:/, "") : token.name);

/** Personal access tokens: make, see, revoke (auth 2.6, web-ui 16.3). */
export function Tokens() {
  const read = useRead<TokenItem[]>("/api/tokens");
  const revoking = useSignal<TokenItem | null>(null);
  const now = read.state.value;
  return (
    <>
      <NewToken made={() => void read.again()} />
      <Panel
        title="Your tokens"
        text={
          <>
            Programs use them as you. What they can call is in the <a href="/api/docs">API reference</a>.
          </>
        }
      >
        {now.kind === "loading" && <Loading rows={3} name="Loading tokens" />}
        {now.kind === "failed" && <Failure failure={now.failure} retry={() => void read.again()} />}
        {now.kind === "ready" && now.data.length === 0 && <p class="none">No tokens yet.</p>}
        {now.kind === "ready" && now.data.length > 0 && (
          <ul class="rows" id="tokens-list" tabIndex={-1} aria-label="Your tokens">
            {now.data.map((token) => (
              <Token key={token.id} token={token} revoke={() => (revoking.value = token)} />
            ))}
          </ul>
        )}
      </Panel>
      <Dialog
        open={revoking.value !== null}
        onClose={() => (revoking.value = null)}
        title={revoking.value ? `Revoke ${nameOf(revoking.value)}?` : ""}
        description={
          revoking.value && isWorkerToken(revoking.value)
            ? "This machine is cut off at once. To use it again, pair it anew."
            : "Whatever uses this token stops working at once. This cannot be undone."
        }
      >
        {revoking.value && (
          <Revoke
            token={revoking.value}
            close={() => (revoking.value = null)}
            done={async () => {
              await read.again();
              revoking.value = null;
              requestAnimationFrame(() =>
                (document.getElementById("tokens-list") ?? document.querySelector<HTMLElement>("#token-name"))?.focus(),
              );
            }}
          />
        )}
      </Dialog>
    </>
  );
}

function Token({ token, revoke }: { token: TokenItem; revoke: () => void }) {
  const ended = token.expiresAt !== null && Date.parse(token.expiresAt) <= minute.value;
  const worker = isWorkerToken(token);
  return (
    <li>
      <Icon name={worker ? "machine" : "key"} />
      <div class="row-text">
        <b>{nameOf(token)}</b>
        {ended && <Pill tone="bad">Expired</Pill>}
        <span class="abilities">
          {worker ? (
            <Pill tone="off">Paired machine</Pill>
          ) : (
            token.abilities.map((ability) => (
              <Pill key={ability} tone="off">
                {ability === "*" ? "Full access" : ability}
              </Pill>
            ))
          )}
        </span>
        <small>
          {token.createdAt && (
            <>
              Created <Ago at={token.createdAt} />
              {" · "}
            </>
          )}
          {token.lastUsedAt ? (
            <>
              last used <Ago at={token.lastUsedAt} />
            </>
          ) : (
            "never used"
          )}
          {" · "}
          {token.expiresAt ? (
            <>
              {ended ? "expired " : "expires "}
              <When at={token.expiresAt} />
            </>
          ) : (
            "no expiry"
          )}
        </small>
      </div>
      <button type="button" class="button small" aria-label={`Revoke ${nameOf(token)}`} onClick={revoke}>
        Revoke
      </button>
    </li>
  );
}

function Revoke({ token, close, done }: { token: TokenItem; close: () => void; done: () => Promise<void> }) {
  const removal = useAction();
  const run = () =>
    removal.run(async () => {
      const { failure } = await api.delete(path`/api/tokens/${token.id}`);
      // Gone already is what was wanted.
      if (failure && failure.kind !== "missing") return failure;
      announce(`${nameOf(token)} revoked`);
      await done();
      return null;
    });
  return (
    <div class="dialog-acts">
      <Outcome action={removal} />
      <button type="button" class="button" onClick={close}>
        Cancel
      </button>
      <button
        type="button"
        class="button danger"
        disabled={removal.pending || removal.wait > 0}
        onClick={() => void run()}
      >
        {removal.pending ? "Revoking..." : "Revoke token"}
      </button>
    </div>
  );
}
