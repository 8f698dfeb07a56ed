import { effect, signal } from "@preact/signals";
import type { Thread } from "../../src/codex/contract";
import { api } from "../api";
import type { Update } from "../khala/frames";
import { EVENTS, topic } from "../khala/topics";
import { initialChats, load, onSignedIn, onSignedOut, user } from "../session";
import { world } from "../world";
import { notify } from "./notices";
import { badge, route } from "./router";

/** What the list shows beside a chat. */
export type ChatState = "idle" | "running" | "waiting" | "failed";

export interface Chat {
  id: string;
  codexId: string | null;
  title: string;
  updatedAt: string;
  state: ChatState;
  workerId: string | null;
}

/** Own chats, newest activity first, at most 50. */
export const chats = signal<Chat[]>([]);
export const chatsRead = signal(false);
/** Chats in which something happened since they were last looked at, in this tab. */
export const unread = signal<ReadonlySet<string>>(new Set());

const MOST = 50;
const BLANK = "New conversation";

const LONGEST_TITLE = 80;

/** What a thread is called: its title, else how it began. */
export const titled = (title: string | null | undefined, preview?: string | null): string =>
  title?.trim() || preview?.trim().split("\n", 1)[0]?.slice(0, LONGEST_TITLE) || BLANK;

export function stateOf(status: string | null): ChatState {
  switch (status) {
    case "active":
      return "running";
    case "waiting_on_approval":
    case "waiting_on_user_input":
      return "waiting";
    case "system_error":
      return "failed";
    default:
      return "idle";
  }
}

/** Date groups of the list, in order; empty ones are left out. Days are local. */
export function grouped(list: Chat[], now: number): { name: string; chats: Chat[] }[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const day = 86_400_000;
  const limits: [string, number][] = [
    ["Today", midnight],
    ["Yesterday", midnight - day],
    ["7 days", midnight - 7 * day],
    ["Older", Number.NEGATIVE_INFINITY],
  ];
  const groups = limits.map(([name]) => ({ name, chats: [] as Chat[] }));
  for (const chat of list) {
    const at = Date.parse(chat.updatedAt);
    const n = limits.findIndex(([, from]) => !(at < from));
    groups[n < 0 ? 3 : n]?.chats.push(chat);
  }
  return groups.filter(({ chats }) => chats.length > 0);
}

const sorted = (list: Chat[]): Chat[] =>
  [...list]
    .sort((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt) || a.id.localeCompare(b.id))
    .slice(0, MOST);

/** Chats that began in this tab and that no answer has listed yet: it is older than they are, or they wait in the outbox. */
const born = new Set<string>();

/** The list as the server tells it, and the chats that only this tab knows. Pure. */
export const withBorn = (told: Chat[], here: Chat[], own: ReadonlySet<string>): Chat[] =>
  sorted([...told, ...here.filter(({ id }) => own.has(id) && !told.some((chat) => chat.id === id))]);

/** Puts a chat at its place, or changes what is known of it. */
export function noteChat(id: string, change: Partial<Omit<Chat, "id">>) {
  const old = chats.value.find((chat) => chat.id === id);
  if (!old) born.add(id);
  const base: Chat = old ?? {
    id,
    codexId: null,
    title: BLANK,
    updatedAt: new Date(world.now()).toISOString(),
    state: "idle",
    workerId: null,
  };
  chats.value = sorted([...chats.value.filter((chat) => chat.id !== id), { ...base, ...change }]);
}

let reading: AbortController | null = null;

async function read() {
  reading?.abort();
  reading = new AbortController();
  const { data } = await api.get<{ data: { threads: Thread[] } }>("/api/runtime/threads", {
    query: { limit: MOST },
    signal: reading.signal,
  });
  if (!data || !user.peek()) return;
  const told = data.data.threads.map((row) => ({
    id: row.thread_id,
    codexId: row.codex_thread_id,
    title: titled(row.title, row.preview),
    updatedAt: row.updated_at,
    state: stateOf(row.status),
    workerId: row.worker_id,
  }));
  chats.value = withBorn(told, chats.peek(), born);
  for (const { id } of told) born.delete(id);
  chatsRead.value = true;
}

let soon: ReturnType<typeof setTimeout> | undefined;
const readSoon = () => {
  if (soon) return;
  soon = setTimeout(() => {
    soon = undefined;
    void read();
  }, 400);
};

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** What one worker event says about the list: which thread, and the change. Pure. */
export function effectOf(payload: unknown): {
  thread: string | null;
  method: string;
  change: Partial<Chat>;
  news: boolean;
} {
  const body = record(record(payload).payload);
  const method = text(body.method) ?? "";
  const params = record(body.params);
  const thread =
    text(body.thread_id) ??
    text(params.threadId) ??
    text(params.thread_id) ??
    text(params.conversationId) ??
    text(record(params.thread).id);
  const change: Partial<Chat> = {};
  let news = false;
  switch (method) {
    case "thread/name/updated":
      change.title = titled(text(params.threadName));
      break;
    case "thread/status/changed": {
      const status = record(params.status);
      const flags = Array.isArray(status.activeFlags) ? status.activeFlags : [];
      const waiting = flags.includes("waitingOnApproval") || flags.includes("waitingOnUserInput");
      change.state =
        status.type === "active"
          ? waiting
            ? "waiting"
            : "running"
          : status.type === "systemError"
            ? "failed"
            : "idle";
      news = waiting;
      break;
    }
    case "turn/started":
      change.state = "running";
      break;
    case "turn/completed":
      change.state = "idle";
      news = true;
      break;
    case "serverRequest/resolved":
      change.state = "running";
      break;
    default:
      if (!/request(Approval|UserInput)$|elicitation\/request$/.test(method)) break;
      change.state = "waiting";
      news = true;
  }
  return { thread, method, change, news };
}

function apply({ payload }: Update) {
  const { thread, method, change, news } = effectOf(payload);
  if (method === "codex/auth_state" || method === "account/updated") return void load();
  if (!thread || Object.keys(change).length === 0) return;
  const known = chats.value.find(({ id, codexId }) => id === thread || codexId === thread);
  if (!known) return readSoon();
  if (method === "serverRequest/resolved" && known.state !== "waiting") return;
  noteChat(
    known.id,
    method === "turn/started" ? { ...change, updatedAt: new Date(world.now()).toISOString() } : change,
  );
  if (!news) return;
  const looking = !document.hidden && route.peek().params.threadId === known.id;
  if (!looking) unread.value = new Set([...unread.value, known.id]);
  if (!document.hidden) return;
  badge.value = true;
  const chat = chats.value.find(({ id }) => id === known.id);
  if (chat) void notify(chat, chat.state === "waiting" ? "waiting" : "ended");
}

/** Keeps the list current while somebody is signed in. Call once at boot. */
export function watchChats() {
  let undo = () => {};
  onSignedIn.push(() => {
    chats.value = initialChats.value.map(({ id, title, updatedAt }) => ({
      id,
      codexId: null,
      title: titled(title),
      updatedAt,
      state: "idle",
      workerId: null,
    }));
    undo = topic(EVENTS).on({ update: apply, resync: () => void read() });
    void read();
  });
  onSignedOut.push(() => {
    undo();
    reading?.abort();
    born.clear();
    chats.value = [];
    chatsRead.value = false;
    unread.value = new Set();
    badge.value = false;
  });
  effect(() => {
    const id = route.value.params.threadId;
    if (id && unread.peek().has(id)) unread.value = new Set([...unread.peek()].filter((other) => other !== id));
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    badge.value = false;
    const id = route.value.params.threadId;
    if (id && unread.value.has(id)) unread.value = new Set([...unread.value].filter((other) => other !== id));
  });
}
