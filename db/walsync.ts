import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";

/** What Emscripten's NODEFS hands its operations. `nfd` is the host's file descriptor; folders have none. */
interface Stream {
  nfd?: number;
  node: object;
  path?: string;
}

interface NodeFiles {
  realPath(node: object): string;
  stream_ops: {
    write(stream: Stream, buffer: ArrayBufferView, offset: number, length: number, position: number): number;
    fsync?(stream: Stream): number;
  };
}

type Boot = Parameters<NodeFS["init"]>[1];

const isWal = (path: string) => path.includes("/pg_wal/");

/**
 * Makes the write-ahead log of an embedded database durable, since PGlite leaves files to the operating system.
 *
 * - `settle()` resolves when everything written to the log so far is on the disk. All callers that wait share one
 *   fdatasync, which runs beside the next queries.
 * - A page of data goes to the operating system only after the log that describes it is on the disk, and the database's own
 *   fsync calls (checkpoints) reach the disk, so that a power cut at any instant leaves a folder that recovers.
 */
export class WalSync {
  /** Log writes so far, and how many of them the disk is known to hold. */
  private written = 0;
  private synced = 0;
  private readonly dirty = new Set<string>();
  /** What the running round is at. */
  private inFlight: string[] = [];
  private running: Promise<void> | null = null;
  /** How many fdatasync rounds were made. */
  rounds = 0;

  /** @param base what must be on the disk before the first commit is. */
  constructor(private base: Promise<void> | null = null) {
    base?.catch(() => {});
  }

  /** Notes that the log segment at host path `path` was written. */
  wrote(path: string): void {
    this.written++;
    this.dirty.add(path);
  }

  /** Waits until the log as it is now is durable. Nothing to wait for when nothing was written. */
  async settle(): Promise<void> {
    const target = this.written;
    if (this.synced === target) return;
    if (this.base) await this.base;
    this.base = null;
    while (this.synced < target) {
      this.running ??= this.round();
      await this.running;
    }
  }

  private async round(): Promise<void> {
    const upTo = this.written;
    this.inFlight = [...this.dirty];
    this.dirty.clear();
    this.rounds++;
    try {
      for (const path of this.inFlight) await sync(path);
      this.synced = Math.max(this.synced, upTo);
    } catch (error) {
      for (const path of this.inFlight) this.dirty.add(path);
      throw error;
    } finally {
      this.inFlight = [];
      this.running = null;
    }
  }

  /** The same at once, blocking: for a page that must not overtake its log. */
  settleNow(): void {
    if (this.synced === this.written) return;
    for (const path of new Set([...this.inFlight, ...this.dirty])) withFile(path, fdatasyncSync);
    this.dirty.clear();
    this.synced = this.written;
  }
}

/** Syncs every file and folder under `folder`. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true });
  const paths = [folder, ...entries.map((entry) => join(folder, entry))];
  const next = paths.values();
  const worker = async () => {
    for (const path of next) await sync(path);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

function withFile(path: string, work: (fd: number) => void): void {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    // A segment that was recycled meanwhile belongs to the past.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

function sync(path: string): Promise<void> {
  return new Promise((done, fail) => {
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return done();
      return fail(error);
    }
    fdatasync(fd, (error) => {
      closeSync(fd);
      if (error) fail(error);
      else done();
    });
  });
}

/** PGlite's files in a host folder, with `wal` told of each write to the log. `wal` null: nothing is synced. */
export class DurableFiles extends NodeFS {
  constructor(
    folder: string,
    private readonly wal: WalSync | null,
  ) {
    super(folder);
  }

  override async init(pg: PGlite, boot: Boot) {
    const result = await super.init(pg, boot);
    const { wal } = this;
    if (!wal) return result;
    const hook = (mod: { FS: { filesystems: object } }) => {
      const files = (mod.FS.filesystems as { NODEFS: NodeFiles }).NODEFS;
      const write = files.stream_ops.write;
      files.stream_ops.write = (stream, ...rest) => {
        const path = files.realPath(stream.node);
        if (isWal(path)) wal.wrote(path);
        else wal.settleNow();
        return write(stream, ...rest);
      };
      files.stream_ops.fsync = (stream) => {
        const path = files.realPath(stream.node);
        if (stream.nfd !== undefined) fsyncSync(stream.nfd);
        else withFile(path, fsyncSync);
        return 0;
      };
    };
    return {
      emscriptenOpts: { ...result.emscriptenOpts, preRun: [hook as never, ...(result.emscriptenOpts.preRun ?? [])] },
    };
  }
}
