import { useRef } from "preact/hooks";
import { minute } from "../parts/clock";
import { Dot, type Tone } from "../parts/dot";
import { Icon } from "../parts/icons";
import { Ago } from "../parts/time";
import { session } from "../session";
import { track } from "../telemetry/track";
import { app } from "./app";
import { type Chat, type ChatState, chats, chatsRead, grouped, unread } from "./chats";
import { focusComposer, mac, overlay } from "./keys";
import { machines } from "./machines";
import { navigate, route } from "./router";
import { threadPath } from "./routes";
import { ThemeSwitch, UserMenu } from "./user-menu";

const DOTS: Record<ChatState, { tone: Tone | "none"; label?: string }> = {
  idle: { tone: "none" },
  running: { tone: "busy", label: "Running" },
  waiting: { tone: "warn", label: "Waiting for you" },
  failed: { tone: "bad", label: "Failed" },
};

function ChatRow({ chat }: { chat: Chat }) {
  const current = route.value.page === "thread" && route.value.params.threadId === chat.id;
  const news = unread.value.has(chat.id);
  const dot = DOTS[chat.state];
  return (
    <li>
      <a
        class={`chat${news ? " unread" : ""}`}
        href={threadPath(chat.id)}
        aria-current={current ? "page" : undefined}
        onClick={() => track("sidebar.thread_clicked", { threadId: chat.id })}
      >
        {dot.tone === "none" && news ? (
          <span class="dot dot-unread" role="img" aria-label="Unread" title="Unread" />
        ) : (
          <Dot tone={dot.tone} label={dot.label} />
        )}
        <b>{chat.title}</b>
        <Ago at={chat.updatedAt} form="short" />
      </a>
    </li>
  );
}

function Chats() {
  const root = useRef<HTMLElement>(null);
  const move = (event: KeyboardEvent) => {
    const step =
      event.key === "j" || event.key === "ArrowDown" ? 1 : event.key === "k" || event.key === "ArrowUp" ? -1 : 0;
    if (step === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...(root.current?.querySelectorAll<HTMLElement>("a.chat") ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    event.preventDefault();
    rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.focus();
  };
  const groups = grouped(chats.value, minute.value);
  return (
    <section class="chats" ref={root} aria-label="Recent chats" onKeyDown={move}>
      {groups.map(({ name, chats }) => (
        <div key={name}>
          <h2 class="group">{name}</h2>
          <ul>
            {chats.map((chat) => (
              <ChatRow key={chat.id} chat={chat} />
            ))}
          </ul>
        </div>
      ))}
      {groups.length === 0 && chatsRead.value && (
        <>
          <h2 class="group">Recent chats</h2>
          <p class="empty">No chats yet.</p>
        </>
      )}
    </section>
  );
}

function Machines() {
  if (machines.value.length === 0) return null;
  return (
    <ul aria-label="Machines">
      {machines.value.slice(0, 4).map(({ id, name, live, seenAt }) => (
        <li key={id} class="nav machine" title={id}>
          <Dot tone={live ? "ok" : "off"} />
          <b>{name}</b>
          <span class="note">{live ? "live" : seenAt ? <Ago at={seenAt} /> : "offline"}</span>
        </li>
      ))}
    </ul>
  );
}

const newChat = (event: MouseEvent) => {
  if (route.value.page !== "home" || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  navigate("/");
  focusComposer();
};

/** The content of the sidebar, in its column and in the sheet (web-ui 3.2). */
export function Sidebar() {
  const now = session.value;
  // Read here: when a click is heard, the address is the next page's already.
  const path = route.value && location.pathname;
  const clicked = (what: string) =>
    track(`sidebar.${what}_clicked`, { path, isAuthenticated: session.peek().kind === "user" });
  return (
    <nav class="side" aria-label="Primary">
      <div class="side-head">
        <a class="brand" href="/" onClick={() => clicked("home")}>
          <i aria-hidden="true" />
          {app.name}
        </a>
      </div>
      <a
        class="nav"
        href="/"
        aria-current={route.value.page === "home" ? "page" : undefined}
        onClick={(event) => {
          clicked("new_chat");
          newChat(event);
        }}
      >
        <Icon name="plus" />
        New Chat
        <kbd>{mac ? "⌘K" : "Ctrl K"}</kbd>
      </a>
      <button type="button" class="nav" onClick={() => (overlay.value = "palette")}>
        <Icon name="search" />
        Search
        <kbd>{mac ? "⌘/" : "Ctrl /"}</kbd>
      </button>
      {now.kind === "user" ? <Chats /> : <div class="gap" />}
      {now.kind === "user" && <Machines />}
      {now.kind === "user" && now.isAdmin && (
        <a
          class="nav"
          href="/admin"
          aria-current={route.value.page === "admin" ? "page" : undefined}
          onClick={() => clicked("admin")}
        >
          <Icon name="shield" />
          Admin
        </a>
      )}
      {now.kind === "user" && <UserMenu user={now.user} />}
      {now.kind === "guest" && (
        <div class="guest-foot">
          <ThemeSwitch />
          <a class="button large" href="/login" onClick={() => clicked("login")}>
            <Icon name="login" />
            Login
          </a>
        </div>
      )}
    </nav>
  );
}
