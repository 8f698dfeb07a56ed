import { batchEnd, batchText, frameText, push } from "./frames";
import type { HubDeps } from "./hub";
import type { Row } from "./khala";
import type { Channel, Stream, Sub } from "./sub";

/** Above it a socket is treated singly, at or below LOW again (khala 3.8). */
export const HIGH = 256 * 1024;
export const LOW = 64 * 1024;

const LIVE_BATCH = 200;
const LOOK_BYTES = 64 * 1024;

export interface Channels {
  /** The channel of a stream's name, made on first use. */
  of(stream: Stream, name: string): Channel;
  /** Hands rows to the live sockets: one serialisation, whatever their number. */
  publish(channel: Channel, rows: readonly Row[]): void;
  /** From now on topic-wide publishing reaches the socket. Its cursor is what is published. */
  goLive(sub: Sub): void;
  leave(sub: Sub): void;
  encoded(): number;
}

/** Topic-wide publishing over the server layer's own topics. */
export function createChannels({ wire, metrics }: Pick<HubDeps, "wire" | "metrics">): Channels {
  let encoded = 0;

  function of(stream: Stream, name: string): Channel {
    const known = stream.channels.get(name);
    if (known) return known;
    const base = `${stream.id}/${name}`;
    const topics = { batches: `${base}/b`, frames: `${base}/f` };
    const channel: Channel = { stream, name, ...topics, live: new Set(), subs: 0, unlooked: 0 };
    stream.channels.set(name, channel);
    return channel;
  }

  function publish(channel: Channel, rows: readonly Row[]): void {
    const sockets = channel.live.size;
    for (let from = 0; from < rows.length; ) {
      const to = batchEnd(rows, from, LIVE_BATCH);
      const part = from === 0 && to === rows.length ? rows : rows.slice(from, to);
      const bytes = publishBatch(channel, part);
      metrics.count("khala_updates_sent_total", { path: "live" }, part.length * sockets);
      metrics.count("khala_bytes_sent_total", {}, bytes * sockets);
      press(channel, bytes, part[part.length - 1]?.seq as number);
      from = to;
    }
  }

  function publishBatch({ name, batches, frames }: Channel, rows: readonly Row[]): number {
    const last = rows[rows.length - 1]?.seq as number;
    const text = batchText(name, rows, true, last);
    let bytes = 0;
    encoded++;
    if (wire.subscriberCount(batches)) {
      const message = push("sync:update_batch", text);
      bytes += message.length;
      wire.publish(batches, message);
    }
    if (wire.subscriberCount(frames)) {
      const message = push("sync:frame", frameText(name, last, "KHALA_FRAME_KIND_UPDATE_BATCH", text));
      bytes += message.length;
      wire.publish(frames, message);
    }
    return bytes;
  }

  /** Every 64 KiB the buffers of the channel's sockets are looked at; those above HIGH are from then on treated singly. */
  function press(channel: Channel, bytes: number, last: number): void {
    channel.unlooked += bytes;
    if (channel.unlooked < LOOK_BYTES) return;
    channel.unlooked = 0;
    for (const sub of channel.live) if (sub.seat.line.buffered() > HIGH) demote(sub, last);
  }

  /** `last` is the number handed to the channel last, which may be one of several batches of one hand-over. */
  function demote(sub: Sub, last: number): void {
    leave(sub);
    sub.channel.live.delete(sub);
    sub.mode = "behind";
    sub.cursor = last;
    sub.paused = true;
    sub.channel.stream.behind.add(sub);
    metrics.count("khala_demotions_total");
  }

  function goLive(sub: Sub): void {
    const { line } = sub.seat;
    const { channel } = sub;
    if (line.frames !== "frame") line.join(channel.batches);
    if (line.frames !== "batch") line.join(channel.frames);
    sub.mode = "live";
    channel.stream.behind.delete(sub);
    channel.live.add(sub);
  }

  function leave({ seat: { line }, channel }: Sub): void {
    if (!line.open()) return;
    if (line.frames !== "frame") line.leave(channel.batches);
    if (line.frames !== "batch") line.leave(channel.frames);
  }

  return { of, publish, goLive, leave, encoded: () => encoded };
}
