import { useEffect, useRef, useState } from "preact/hooks";
import { duration } from "../../parts/clock";
import { Contain } from "../../parts/contain";
import { Icon } from "../../parts/icons";
import type { Item, Turn } from "../../transcript/transcript";
import { world } from "../../world";
import { AskCard } from "./ask";
import type { Conversation } from "./conversation";
import { estimate } from "./estimate";
import { ItemView } from "./item";
import { Older } from "./older";
import { RawCard } from "./raw";
import { TurnEnd } from "./turn-end";
import { CHUNK, Windowed } from "./windowed";

interface Props {
  talk: Conversation;
  id: string;
  last: boolean;
  /** Near the end of the conversation: its end is mounted at once. */
  recent: boolean;
}

/** One turn: what was said and done, what was asked, how it ended. Far from the viewport it is only its height. */
export function TurnView(props: Props) {
  const { talk, id, recent } = props;
  const turn = talk.turn(id).value;
  if (!turn || (turn.status === "steered" && turn.items.length === 0)) return null;
  const keys = [...turn.items, ...asksOf(talk, turn).map((ask) => `ask ${ask.id}`)];
  return (
    <Windowed keys={keys} open={recent} estimate={() => estimate(talk, turn.items) + END_PX}>
      {() => <Parts {...props} turn={turn} />}
    </Windowed>
  );
}

const END_PX = 40;

function Parts({ talk, turn, last, recent }: Props & { turn: Turn }) {
  const { before } = talk.head.value;
  const cut = before?.turn === turn.id && before.item !== null ? before : null;
  const lead = cut ? leading(talk, turn) : [];
  const chunks = useChunks(turn.items.slice(lead.length));
  const asks = asksOf(talk, turn);
  const placed = new Set(turn.items);
  const loose = asks.filter((ask) => !ask.itemId || !placed.has(`${turn.id}/${ask.itemId}`));
  const by = new Map<string, string[]>();
  for (const ask of asks) {
    const key = `${turn.id}/${ask.itemId}`;
    if (placed.has(key)) by.set(key, [...(by.get(key) ?? []), ask.id]);
  }
  return (
    <div class="turn">
      {lead.map((key) => (
        <Row key={key} talk={talk} itemKey={key} lastTurn={last} asks={by.get(key)} />
      ))}
      {cut && <Older talk={talk} before={cut} />}
      {chunks.map((keys, n) => (
        <Windowed
          key={keys[0]}
          keys={keys}
          open={recent && n >= chunks.length - 2}
          estimate={() => estimate(talk, keys)}
        >
          {() => keys.map((key) => <Row key={key} talk={talk} itemKey={key} lastTurn={last} asks={by.get(key)} />)}
        </Windowed>
      ))}
      {loose.map(({ id }) => (
        <AskCard key={id} talk={talk} id={id} />
      ))}
      {turn.status === "in_progress" ? (
        <Working talk={talk} turn={turn} />
      ) : (
        <TurnEnd talk={talk} turn={turn} last={last} />
      )}
    </div>
  );
}

/** What the person wrote, at the head of a turn that lacks what came after it. */
function leading(talk: Conversation, turn: Turn): string[] {
  const end = turn.items.findIndex((key) => talk.transcript.items.get(key)?.type !== "userMessage");
  return turn.items.slice(0, end < 0 ? turn.items.length : end);
}

/** Rows that come and go together. What is put before the first ones leaves the stretches behind it as they are. */
function useChunks(keys: string[]): string[][] {
  const anchor = useRef(keys[0]);
  const place = anchor.current === undefined ? -1 : keys.indexOf(anchor.current);
  if (place < 0) anchor.current = keys[0];
  const short = Math.max(0, place) % CHUNK;
  const chunks = short ? [keys.slice(0, short)] : [];
  for (let n = short; n < keys.length; n += CHUNK) chunks.push(keys.slice(n, n + CHUNK));
  return chunks;
}

const asksOf = (talk: Conversation, turn: Turn) =>
  [...talk.transcript.asks.values()].filter((ask) => ask.turnId === turn.id);

function Row({
  talk,
  itemKey,
  lastTurn,
  asks,
}: {
  talk: Conversation;
  itemKey: string;
  lastTurn: boolean;
  asks: string[] | undefined;
}) {
  const item = talk.item(itemKey).value;
  if (!item) return null;
  return (
    <>
      <div class={`row row-${item.type}`} data-row={itemKey} id={`item-${item.id}`} tabIndex={-1}>
        <Contain reset={item} fallback={() => <Broken item={item} />}>
          <ItemView talk={talk} item={item} lastTurn={lastTurn} />
        </Contain>
      </div>
      {asks?.map((id) => (
        <AskCard key={id} talk={talk} id={id} />
      ))}
    </>
  );
}

const Broken = ({ item }: { item: Item }) => (
  <RawCard title="Couldn't render this item." value={item.payload} open={false} />
);

/** What runs now: since when, and whether it is being stopped or has lost its model. */
function Working({ talk, turn }: { talk: Conversation; turn: Turn }) {
  const current = talk.current.value;
  const { status } = talk.head.value;
  const seconds = useSeconds(turn.startedAt);
  const waiting =
    status === "waiting_on_approval" || status === "waiting_on_user_input" || talk.head.value.pending.length > 0;
  const word = !current
    ? "Catching up…"
    : turn.stopping
      ? "Stopping…"
      : waiting
        ? "Waiting for your answer"
        : turn.items.length <= 1
          ? "Thinking"
          : "Working";
  const running = current && !waiting;
  return (
    <>
      {turn.retrying && (
        <p class="retrying" title={turn.retrying}>
          <Icon name="retry" />
          Reconnecting to the model…
        </p>
      )}
      <p class={running ? "working" : "working still"}>
        <span class={running ? "shimmer" : undefined}>{word}</span>
        {current && seconds !== null && <span class="number">{duration(seconds * 1000)}</span>}
      </p>
    </>
  );
}

function useSeconds(from: number | null): number | null {
  const read = () => (from === null ? null : Math.max(0, Math.floor((world.now() - from) / 1000)));
  const [seconds, set] = useState(read);
  useEffect(() => {
    set(read());
    const timer = setInterval(() => set(read()), 1000);
    return () => clearInterval(timer);
  }, [from]);
  return seconds;
}
