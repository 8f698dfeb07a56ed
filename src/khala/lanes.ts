/** What waits in one lane, in the order it came. */
export interface Lane<I> {
  key: string;
  inputs: I[];
}

/** What became of one input; `refusal` is what its caller gets thrown. */
export type Outcome<O> = { value: O } | { refusal: unknown };

export interface LaneOptions<I, O> {
  /** How many commits may run at once: four, one on PGlite. */
  committers: number;
  maxLanes?: number;
  maxEvents?: number;
  maxBytes?: number;
  weigh(input: I): { events: number; bytes: number };
  /**
   * Applies all inputs in one transaction and gives their outcomes in the same places, after the commit. An input that the
   * domain refuses is an outcome. A throw means that nothing was stored.
   */
  apply(lanes: Lane<I>[]): Promise<Outcome<O>[][]>;
}

export interface Lanes<I, O> {
  /** Puts `input` behind what waits in its lane. Resolves or rejects after the commit that decided it. */
  submit(key: string, input: I): Promise<O>;
  /** Inputs that wait or are being applied. */
  depth(): number;
  /** Resolves when nothing waits. */
  idle(): Promise<void>;
}

interface Waiting<I, O> {
  input: I;
  events: number;
  bytes: number;
  resolve(value: O): void;
  reject(reason: unknown): void;
}

interface Track<I, O> {
  key: string;
  waiting: Waiting<I, O>[];
  busy: boolean;
}

type Taken<I, O> = { track: Track<I, O>; items: Waiting<I, O>[] };

const unreachableCodes = /^(ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE|CONNECT|08|57P0|53300)/;

/** The database could not be reached: trying the neighbours alone would only take longer. */
function unreachable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && unreachableCodes.test(String(cause.code))) return true;
  }
  return false;
}

/**
 * Combining lanes, or group commit (khala 3.5): inputs of one lane are applied in order; a committer takes all that waits in
 * up to 32 idle lanes and applies it in one transaction. A batch forms only while commits are running, never by delay. When
 * a transaction fails, each of its inputs is tried again alone, in order, so that a bad one cannot fail its neighbours.
 */
export function createLanes<I, O>(options: LaneOptions<I, O>): Lanes<I, O> {
  const { committers, maxLanes = 32, maxEvents = 512, maxBytes = 1 << 20, weigh, apply } = options;
  const tracks = new Map<string, Track<I, O>>();
  /** Lanes with work that no committer holds. */
  const ready: Track<I, O>[] = [];
  let running = 0;
  let depth = 0;
  let scheduled = false;
  let sleepers: (() => void)[] = [];

  function take(): Taken<I, O>[] {
    const taken: Taken<I, O>[] = [];
    let events = 0;
    let bytes = 0;
    let full = false;
    while (ready.length && taken.length < maxLanes && !full) {
      const track = ready[0] as Track<I, O>;
      let count = 0;
      for (const item of track.waiting) {
        const first = taken.length === 0 && count === 0;
        full = !first && (events + item.events > maxEvents || bytes + item.bytes > maxBytes);
        if (full) break;
        events += item.events;
        bytes += item.bytes;
        count++;
      }
      if (!count) break;
      ready.shift();
      track.busy = true;
      taken.push({ track, items: track.waiting.splice(0, count) });
    }
    return taken;
  }

  function settle(item: Waiting<I, O>, outcome: Outcome<O>) {
    depth--;
    if ("value" in outcome) item.resolve(outcome.value);
    else item.reject(outcome.refusal);
  }

  async function applyAlone(taken: Taken<I, O>[]) {
    let lost: { refusal: unknown } | null = null;
    for (const { track, items } of taken) {
      for (const item of items) {
        if (!lost) {
          try {
            const [[outcome] = []] = await apply([{ key: track.key, inputs: [item.input] }]);
            settle(item, outcome as Outcome<O>);
            continue;
          } catch (error) {
            settle(item, { refusal: error });
            if (unreachable(error)) lost = { refusal: error };
            continue;
          }
        }
        settle(item, lost);
      }
    }
  }

  async function applyTogether(taken: Taken<I, O>[]) {
    let outcomes: Outcome<O>[][];
    try {
      outcomes = await apply(taken.map(({ track, items }) => ({ key: track.key, inputs: items.map((i) => i.input) })));
    } catch (error) {
      const count = taken.reduce((sum, { items }) => sum + items.length, 0);
      if (count > 1 && !unreachable(error)) return applyAlone(taken);
      for (const { items } of taken) for (const item of items) settle(item, { refusal: error });
      return;
    }
    taken.forEach(({ items }, lane) => {
      items.forEach((item, i) => {
        settle(item, outcomes[lane]?.[i] ?? { refusal: new Error("an input was given no outcome") });
      });
    });
  }

  async function run() {
    running++;
    for (let taken = take(); taken.length; taken = take()) {
      await applyTogether(taken);
      for (const { track } of taken) {
        track.busy = false;
        if (track.waiting.length) ready.push(track);
        else tracks.delete(track.key);
      }
    }
    running--;
    if (running || depth) return;
    for (const wake of sleepers) wake();
    sleepers = [];
  }

  /** In a microtask, so that what is submitted together is taken together. */
  function wake() {
    if (scheduled || running >= committers) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      if (running < committers && ready.length) void run();
    });
  }

  return {
    submit: (key, input) =>
      new Promise<O>((resolve, reject) => {
        let track = tracks.get(key);
        if (!track) {
          track = { key, waiting: [], busy: false };
          tracks.set(key, track);
        }
        track.waiting.push({ input, ...weigh(input), resolve, reject });
        depth++;
        if (!track.busy && track.waiting.length === 1) ready.push(track);
        wake();
      }),
    depth: () => depth,
    idle: () => (depth ? new Promise<void>((resolve) => sleepers.push(resolve)) : Promise.resolve()),
  };
}
