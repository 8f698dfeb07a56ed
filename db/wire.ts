import postgres from "postgres";
import { connection, type PostgresOptions } from "./connection";

interface Listener {
  channel: string;
  onMessage: (payload: string) => void;
  onState?: (up: boolean) => void;
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/**
 * The one connection that listens and notifies. It opens when first used, and opens again by itself for as long as
 * somebody listens; each listener is told when it is up or down.
 */
export class Wire {
  private sql: postgres.Sql<{ bigint: number }> | null = null;
  private readonly listeners = new Set<Listener>();
  private closed = false;
  private restoring = false;
  private losses = 0;

  constructor(private readonly options: PostgresOptions) {}

  /** The connection, which opens with its first statement. */
  connection() {
    // `onnotify` is what postgres.js builds its own `listen` on; its types leave it out.
    const heard: object = {
      onnotify: (channel: string, payload: string) => {
        for (const listener of this.listeners) if (listener.channel === channel) listener.onMessage(payload);
      },
    };
    this.sql ??= postgres(this.options.url, {
      ...connection(this.options, 1, "wake"),
      ...heard,
      max_lifetime: null,
      fetch_types: false,
      onclose: () => void this.restore(),
    });
    return this.sql;
  }

  /** Listens again after the connection was lost: at once, then with pauses up to 2 s. */
  private async restore(): Promise<void> {
    this.losses++;
    if (this.closed || this.restoring || !this.listeners.size) return;
    this.restoring = true;
    for (const listener of this.listeners) listener.onState?.(false);
    for (let pause = 50; !this.closed && this.listeners.size; pause = Math.min(pause * 2, 2000)) {
      const before = this.losses;
      try {
        const channels = new Set([...this.listeners].map(({ channel }) => channel));
        for (const channel of channels) await this.connection().unsafe(`listen ${quoted(channel)}`);
        if (this.losses !== before) continue;
        this.restoring = false;
        for (const listener of this.listeners) listener.onState?.(true);
        return;
      } catch {
        await Bun.sleep(pause);
      }
    }
    this.restoring = false;
  }

  async notify(channel: string, payload: string): Promise<void> {
    await this.connection()`select pg_notify(${channel}, ${payload})`;
  }

  async listen(channel: string, onMessage: Listener["onMessage"], onState?: Listener["onState"]) {
    const listener: Listener = { channel, onMessage, onState };
    this.listeners.add(listener);
    try {
      await this.connection().unsafe(`listen ${quoted(channel)}`);
      onState?.(true);
    } catch {
      void this.restore();
    }
    return async () => {
      this.listeners.delete(listener);
      if (this.closed || [...this.listeners].some((other) => other.channel === channel)) return;
      await this.connection()
        .unsafe(`unlisten ${quoted(channel)}`)
        .catch(() => {});
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.listeners.clear();
    await this.sql?.end({ timeout: 5 });
  }
}
