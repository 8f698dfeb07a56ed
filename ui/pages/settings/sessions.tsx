import type { SessionItem, SessionList } from "../../../src/identity/contract";
import { api } from "../../api";
import { Outcome, useAction } from "../../parts/action";
import { announce } from "../../parts/announce";
import { Pill } from "../../parts/dot";
import { Icon } from "../../parts/icons";
import { Panel } from "../../parts/panel";
import { type Read, useRead } from "../../parts/read";
import { Failure, Loading } from "../../parts/states";
import { Ago } from "../../parts/time";
import { deviceOf, lastSeen } from "./device";

type Listed = (typeof SessionList)["static"]["data"];

/** Sessions that still open something: this one first, then the ones seen last. */
export const activeSessions = ({ currentSessionId, sessions }: Listed): SessionItem[] =>
  sessions
    .filter(({ status }) => status === "active")
    .sort(
      (a, b) =>
        Number(b.session_id === currentSessionId) - Number(a.session_id === currentSessionId) ||
        Date.parse(lastSeen(b)) - Date.parse(lastSeen(a)),
    );

const focusPanel = () =>
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#sessions-list")?.focus({ preventScroll: true }));

/** Where one is signed in, and the way to end it there (web-ui 16.3). */
export function Sessions() {
  const read = useRead<Listed>("/api/auth/sessions");
  const others = useAction();
  const now = read.state.value;
  const rows = now.kind === "ready" ? activeSessions(now.data) : [];
  const elsewhere = rows.length - 1;

  const endOthers = () =>
    others.run(async () => {
      const { failure } = await api.post("/api/auth/sessions/revoke", { revoke_all_sessions: true });
      if (failure) return failure;
      await read.again();
      focusPanel();
      return null;
    }, "Other devices signed out");

  return (
    <Panel
      title="Sessions and devices"
      text="Where you are signed in. Signing a device out closes what it has open at once."
      foot={
        now.kind === "ready" && (
          <>
            <Outcome action={others} />
            {elsewhere === 0 && !others.done && <span class="hint">You are signed in nowhere else.</span>}
            <span class="gap" />
            <button
              type="button"
              class="button small"
              disabled={elsewhere === 0 || others.pending || others.wait > 0}
              onClick={() => void endOthers()}
            >
              {others.pending ? "Signing out..." : "Sign out other devices"}
            </button>
          </>
        )
      }
    >
      {now.kind === "loading" && <Loading rows={3} name="Loading sessions" />}
      {now.kind === "failed" && <Failure failure={now.failure} retry={() => void read.again()} />}
      {now.kind === "ready" && (
        <ul class="rows" id="sessions-list" tabIndex={-1} aria-label="Sessions and devices">
          {rows.map((row) => (
            <Session
              key={row.session_id}
              session={row}
              current={row.session_id === now.data.currentSessionId}
              read={read}
            />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Session({ session, current, read }: { session: SessionItem; current: boolean; read: Read<Listed> }) {
  const ending = useAction();
  const { name, form } = deviceOf(session);
  const end = () =>
    ending.run(async () => {
      const { failure } = await api.post("/api/auth/sessions/revoke", { session_id: session.session_id });
      if (failure) return failure;
      announce(`${name} signed out`);
      await read.again();
      focusPanel();
      return null;
    });
  return (
    <li>
      <Icon name={form === "phone" ? "phone" : "machine"} />
      <div class="row-text">
        <b title={session.user_agent ?? session.device_id}>{name}</b>
        {current && <Pill tone="ok">This device</Pill>}
        <small>
          {current ? (
            "Active now"
          ) : (
            <>
              Last seen <Ago at={lastSeen(session)} />
            </>
          )}
          {" · signed in "}
          <Ago at={session.issued_at} />
        </small>
        <Outcome action={ending} />
      </div>
      {!current && (
        <button
          type="button"
          class="button small"
          aria-label={`Sign out ${name}`}
          disabled={ending.pending || ending.wait > 0}
          onClick={() => void end()}
        >
          {ending.pending ? "Signing out..." : "Sign out"}
        </button>
      )}
    </li>
  );
}
