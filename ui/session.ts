import { computed, signal } from "@preact/signals";
import type { CodexAccess as Account, ChatThread, Me } from "../src/identity/contract";
import { api, hooks } from "./api";
import type { Failure } from "./failure";

export type User = Pick<Me["data"]["user"], "id" | "name" | "email" | "handle" | "avatar">;
/** The parts of `codexAccess` the app reads; the status words are web-ui 2.6. */
export interface CodexAccess extends Pick<Account, "workerId" | "account" | "chatgptLinked"> {
  status: "ready" | "worker_offline" | "no_worker" | "not_linked";
}

/** Who uses this tab. `unknown` until `/api/me` answered, so that no gate and no empty state shows too early. */
export type Session =
  | { kind: "unknown" }
  | { kind: "unreachable"; failure: Failure }
  | { kind: "guest" }
  | { kind: "user"; user: User; isAdmin: boolean; codexAccess: CodexAccess };

export const session = signal<Session>({ kind: "unknown" });
/** Own chats as `/api/me` lists them; shell/chats.ts keeps them current. */
export const initialChats = signal<ChatThread[]>([]);

export const user = computed(() => (session.value.kind === "user" ? session.value.user : null));
export const isAdmin = computed(() => session.value.kind === "user" && session.value.isAdmin);
export const codexAccess = computed(() => (session.value.kind === "user" ? session.value.codexAccess : null));

/** Runs once after a sign-in and after boot with a session; returns nothing. Set by main.tsx. */
export const onSignedIn: (() => void)[] = [];
/** Runs when the session ends, before the page changes: sockets, signals, stored state. */
export const onSignedOut: ((why: Ending) => void)[] = [];

export type Ending = "logout" | "deleted" | "expired" | "elsewhere";

const tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("oa-session");

/** Reads `/api/me` and sets the session. 401 is the guest; no answer leaves a signed-in tab signed in. */
export async function load(): Promise<void> {
  const { data, failure } = await api.get<Me>("/api/me", {
    query: { chat_limit: 50 },
    guest: session.value.kind !== "user",
  });
  if (data) {
    const before = session.value;
    const { chatThreads, user, isAdmin, codexAccess } = data.data;
    initialChats.value = chatThreads;
    session.value = { kind: "user", user, isAdmin, codexAccess: codexAccess as CodexAccess };
    if (before.kind !== "user") for (const run of onSignedIn) run();
    return;
  }
  if (failure.kind === "unauthorized") {
    if (session.value.kind !== "user") session.value = { kind: "guest" };
    return;
  }
  if (session.value.kind !== "user") session.value = { kind: "unreachable", failure };
}

/** After a sign-in in this tab: reads who it is and tells the other tabs. */
export async function signedIn(): Promise<boolean> {
  await load();
  if (session.value.kind !== "user") return false;
  tabs?.postMessage({ kind: "in" });
  return true;
}

function end(why: Ending) {
  if (session.value.kind !== "user") return;
  session.value = { kind: "guest" };
  initialChats.value = [];
  for (const run of onSignedOut) run(why);
}

/** A sign-out is under way: sockets close before its answer comes, and that is no expiry. */
let leaving: ReturnType<typeof setTimeout> | null = null;
const LEAVING_MS = 5000;

function setLeaving(yes: boolean) {
  if (leaving) clearTimeout(leaving);
  leaving = yes ? setTimeout(() => setLeaving(false), LEAVING_MS) : null;
}

/** Ends the session by `request`, then here and in the other tabs. */
async function leave(why: Ending, request: () => Promise<{ failure?: Failure | undefined }>): Promise<Failure | null> {
  setLeaving(true);
  tabs?.postMessage({ kind: "leaving" });
  const { failure } = await request();
  setLeaving(false);
  if (failure) {
    tabs?.postMessage({ kind: "staying" });
    return failure;
  }
  tabs?.postMessage({ kind: "out" });
  end(why);
  return null;
}

/** Signs out on the server, here and in the other tabs. */
export const logOut = (): Promise<Failure | null> =>
  leave("logout", async () => {
    const { failure } = await api.post("/logout", undefined, { guest: true });
    return failure?.kind === "unauthorized" ? {} : { failure };
  });

/** Deletes the account; `email` is what the person typed to confirm it. */
export const deleteAccount = (email: string): Promise<Failure | null> =>
  leave("deleted", () => api.delete("/api/settings/profile", { email }));

/** The person's new name, at once wherever it is shown. */
export function renamed(name: string) {
  const now = session.value;
  if (now.kind === "user") session.value = { ...now, user: { ...now.user, name } };
}

/** The server no longer takes this session. */
export function expire() {
  if (!leaving) end("expired");
}

/** Wires `api` and the other tabs. Call once at boot. */
export function watchSession() {
  hooks.expired = expire;
  if (!tabs) return;
  tabs.onmessage = ({ data }: MessageEvent<{ kind?: string }>) => {
    if (data?.kind === "leaving") setLeaving(true);
    if (data?.kind === "staying" || data?.kind === "out") setLeaving(false);
    if (data?.kind === "out") end("elsewhere");
    if (data?.kind === "in" && session.value.kind !== "user") void load();
  };
}
