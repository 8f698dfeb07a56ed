import { type Signal, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { Composer } from "../../composer/composer";
import { draftOf, returnToDraft, setDraft } from "../../composer/drafts";
import { onLimited, outbox, post } from "../../composer/outbox";
import type { SlashCommand } from "../../composer/slash";
import { Icon } from "../../parts/icons";
import { Menu, MenuChoice } from "../../parts/menu";
import { Failure, Loading } from "../../parts/states";
import { session } from "../../session";
import { noteChat, titled } from "../../shell/chats";
import { offer } from "../../shell/commands";
import { machines, workers } from "../../shell/machines";
import { navigate, pageTitle, readdress } from "../../shell/router";
import { threadPath } from "../../shell/routes";
import { useTop } from "../../shell/top";
import { track } from "../../telemetry/track";
import { world } from "../../world";
import { accessOf, composerRules, takePrompt } from "../home/access";
import { HomeCentre, QuickPrompts } from "../home/centre";
import { useBottom } from "./bottom";
import { OutgoingBubble, Queued } from "./bubble";
import type { Conversation } from "./conversation";
import { conversation, newThreadId } from "./conversations";
import { ErrorBanner } from "./error-banner";
import { stop, stopping } from "./stop";
import { useChatTracking } from "./tracking";

export interface LogProps {
  talk: Conversation;
}
interface Module {
  Log: ComponentType<LogProps>;
  Dock: ComponentType<LogProps>;
  Meter: ComponentType<LogProps>;
  TopActions: ComponentType<LogProps>;
  openFind: (talk: Conversation) => void;
  exportThread: (talk: Conversation, as: "markdown" | "json") => Promise<void>;
}

const module: Signal<Module | null> = signal(null);
const moduleFailed = signal(false);
let fetching = false;

/** Cards, markdown and search come with the first conversation; the home page does without them. */
function fetchModule() {
  if (module.peek() || fetching) return;
  fetching = true;
  moduleFailed.value = false;
  import("./log").then(
    (loaded) => {
      module.value = loaded;
    },
    () => {
      fetching = false;
      moduleFailed.value = true;
    },
  );
}

const limitedUntil = signal<number | null>(null);
onLimited((outgoing, failure) => {
  returnToDraft(outgoing.threadId, outgoing.text);
  limitedUntil.value = world.now() + (failure.retryAfter ?? 60) * 1000;
});

/** The worker a new thread goes to; null lets the server choose. */
const picked = signal<string | null>(null);

/** Home and thread: one component, so that the first message makes a thread without losing anything that is mounted. */
export function Chat({ threadId }: { threadId: string | undefined }) {
  const talk = useMemo(
    () => (threadId && session.value.kind === "user" ? conversation(threadId) : null),
    [threadId, session.value.kind],
  );
  useEffect(() => {
    if (threadId) {
      fetchModule();
      return;
    }
    const timer = setTimeout(fetchModule, 1500);
    return () => clearTimeout(timer);
  }, [threadId]);
  useEffect(() => {
    const kept = threadId ? null : takePrompt();
    if (kept && draftOf(null).peek() === "") setDraft(null, kept);
  }, [threadId]);

  const access = accessOf(session.value);
  const rules = composerRules(access);
  const head = talk?.head.value ?? null;
  const phase = talk?.phase.value ?? null;
  const mine = threadId ? outbox.value.filter((entry) => entry.threadId === threadId) : [];
  const leaving = mine.filter((entry) => !entry.held && !talk?.knows(entry.requestId));
  const held = mine.filter((entry) => entry.held);
  const unborn = phase !== null && (phase.kind === "new" || (phase.kind === "missing" && mine.length > 0));
  const running = Boolean(head?.running ?? head?.queued);
  const bottom = useBottom(talk);
  const loaded = module.value;

  useChatTracking(threadId, talk, head?.running?.id ?? null);

  const send = (text: string, how: "send" | "queue") => {
    track("home_chat.message_submitted", {
      conversationId: threadId ?? null,
      source: "authed",
      characterCount: [...text].length,
    });
    const id = threadId ?? newThreadId(world.now(), world.random());
    if (!threadId) conversation(id, { fresh: true });
    bottom.stick();
    // The worker is settled with the message, so that every attempt is the same request; one that is gone is not named.
    const wanted = head?.workerId ?? picked.peek() ?? accessWorker();
    const workerId = workers.peek().some(({ worker_id, status }) => worker_id === wanted && status === "running")
      ? wanted
      : null;
    post({ threadId: id, text, held: how === "queue", workerId });
    if (threadId) return;
    noteChat(id, { title: titled(null, text), workerId });
    readdress(threadPath(id), { push: true });
    fetchModule();
  };
  const halt = () => {
    if (talk) void stop(talk);
  };
  const slash: SlashCommand[] = [
    { name: "new", text: "Start a new chat", run: () => navigate("/") },
    ...(talk && running ? [{ name: "stop", text: "Stop the running turn", run: halt }] : []),
    ...(talk && loaded
      ? [
          { name: "find", text: "Find in this thread", run: () => loaded.openFind(talk) },
          {
            name: "export",
            text: "Save this thread as Markdown",
            run: () => void loaded.exportThread(talk, "markdown"),
          },
        ]
      : []),
  ];
  useEffect(
    () =>
      offer(() =>
        slash
          .filter(({ name }) => name !== "new")
          .map(({ name, text, run }) => ({ id: `thread-${name}`, text, icon: "chat" as const, run })),
      ),
    [talk, running, loaded],
  );

  const title = titled(head?.title, head?.preview ?? leaving[0]?.text);
  useEffect(() => {
    if (!threadId) return;
    pageTitle.value = title;
    if (head?.title) noteChat(threadId, { title });
  }, [threadId, title]);
  useTop(
    threadId
      ? {
          crumbs: [{ text: "Chats", href: "/" }, { text: title }],
          actions: talk && loaded && !unborn ? <loaded.TopActions talk={talk} /> : undefined,
        }
      : { crumbs: [] },
    [threadId, title, talk, loaded, unborn],
  );

  const missing = phase?.kind === "missing" && !unborn;
  return (
    <div class={threadId ? "talk" : "talk at-home"}>
      {!threadId || !talk ? (
        <HomeCentre />
      ) : missing ? (
        <section class="mid">
          <h1 tabIndex={-1}>We couldn't find that conversation.</h1>
          <div class="acts">
            <a class="button" href="/">
              Go home
            </a>
          </div>
        </section>
      ) : (
        <div key="log" class="log column" ref={bottom.content}>
          <h1 class="sr-only" tabIndex={-1}>
            {title}
          </h1>
          <ErrorBanner threadId={talk.threadId} />
          {phase?.kind === "failed" && <Failure failure={phase.failure} retry={() => void talk.load()} />}
          {phase?.kind === "loading" || (phase?.kind === "ready" && !loaded && !moduleFailed.value) ? (
            <Loading rows={6} name="Loading conversation…" />
          ) : null}
          {moduleFailed.value && !loaded && (
            <Failure
              failure={{ kind: "network", message: "Part of the app could not be loaded.", requestId: null }}
              retry={fetchModule}
            />
          )}
          <div class="log-lines" role="log" aria-live="off" aria-label="Conversation">
            {loaded && (phase?.kind === "ready" || unborn) && <loaded.Log talk={talk} />}
            {leaving.map((entry) => (
              <OutgoingBubble key={entry.requestId} outgoing={entry} />
            ))}
            {leaving.some((entry) => entry.state !== "refused") && !running && <p class="thinking">Thinking</p>}
          </div>
        </div>
      )}
      {!missing && (
        <div key="dock" class="dock" ref={bottom.dock}>
          <div class="column">
            {talk && bottom.away.value && (
              <button
                type="button"
                class="to-bottom"
                aria-label="Scroll to bottom"
                title="Scroll to bottom"
                onClick={bottom.toBottom}
              >
                <Icon name="arrow" />
                {bottom.news.value && <span>New messages</span>}
              </button>
            )}
            {!threadId && <QuickPrompts onPick={(text) => send(text, "send")} />}
            {talk && loaded && <loaded.Dock talk={talk} />}
            {held.length > 0 && <Queued entries={held} />}
            <Composer
              key="composer"
              threadId={threadId ?? null}
              placeholder={rules.placeholder}
              typing={rules.typing}
              sending={access === "ready" || (access === "worker_offline" && threadId !== undefined)}
              running={running}
              stopping={talk !== null && stopping(talk)}
              limitedUntil={limitedUntil.value}
              history={() => (talk ? sentBefore(talk) : [])}
              commands={slash}
              onSend={send}
              onStop={halt}
              left={
                <Target threadId={threadId ?? null} workerId={head?.workerId ?? null} model={head?.model ?? null} />
              }
              right={talk && loaded ? <loaded.Meter talk={talk} /> : undefined}
            />
          </div>
        </div>
      )}
    </div>
  );
}

/** What was written in this thread, newest first. */
const sentBefore = (talk: Conversation): string[] =>
  [...talk.transcript.items.values()]
    .filter((item) => item.type === "userMessage" && item.text !== "")
    .map((item) => item.text)
    .reverse();

/** Which machine works here; before the first message one may choose, where there is a choice. */
function Target({
  threadId,
  workerId,
  model,
}: {
  threadId: string | null;
  workerId: string | null;
  model: string | null;
}) {
  const all = machines.value;
  const chosen = threadId
    ? workerId
    : (picked.value ?? session.value.kind === "user")
      ? (picked.value ?? accessWorker())
      : null;
  const machine = all.find(({ id }) => id === chosen) ?? (threadId ? undefined : all[0]);
  return (
    <>
      {machine && (threadId || all.length < 2) && (
        <span class="pick still" title={machine.live ? `${machine.name} is live` : `${machine.name} is offline`}>
          <Icon name="machine" />
          {machine.name}
        </span>
      )}
      {!threadId && all.length > 1 && machine && (
        <Menu
          label={`Machine: ${machine.name}`}
          buttonClass="pick"
          place="above"
          button={
            <>
              <Icon name="machine" />
              {machine.name}
              <Icon name="down" />
            </>
          }
        >
          {all.map(({ id, name, live }) => (
            <MenuChoice
              key={id}
              chosen={id === machine.id}
              onSelect={() => {
                picked.value = id;
              }}
            >
              {live ? name : `${name} (offline)`}
            </MenuChoice>
          ))}
        </Menu>
      )}
      {model && <span class="pick still hide-phone">{model}</span>}
    </>
  );
}

const accessWorker = (): string | null =>
  session.value.kind === "user" ? (session.value.codexAccess?.workerId ?? null) : null;
