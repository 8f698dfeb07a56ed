import { dlopen, type Library } from "bun:ffi";
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { reasonOf, StoreError } from "./failure";

/** Whether a process with this id runs (also under another user). */
export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const LOCK_EX = 2;
const LOCK_NB = 4;

const symbols = { flock: { args: ["i32", "i32"], returns: "i32" } } as const;
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "/usr/lib/libSystem.B.dylib"];
let libc: Library<typeof symbols> | null | undefined;

/**
 * The kernel's own lock, which ends with its process however that dies, and holds between containers whose process ids
 * mean nothing to each other. Null where the C library is not found.
 */
function kernel(): Library<typeof symbols> | null {
  if (libc !== undefined) return libc;
  for (const name of libraries) {
    try {
      libc = dlopen(name, symbols);
      return libc;
    } catch {}
  }
  libc = null;
  return libc;
}

const pidIn = (file: string): number => {
  try {
    return Number(readFileSync(file, "utf8").trim()) || 0;
  } catch {
    return 0;
  }
};

/** Takes the lock on an open file, or says that somebody else has it. */
function take(fd: number, file: string): boolean {
  const flock = kernel()?.symbols.flock;
  if (flock) return flock(fd, LOCK_EX | LOCK_NB) === 0;
  const pid = pidIn(file);
  return pid === 0 || pid === process.pid || !isAlive(pid);
}

const isSame = (fd: number, file: string): boolean => {
  try {
    return fstatSync(fd).ino === statSync(file).ino;
  } catch {
    return false;
  }
};

export interface FolderLock {
  /** Gives the folder free and removes the lock file. */
  release(): void;
}

/**
 * Takes the data folder for this process, making it (0700) when it is not there. A lock left by a process that died is
 * taken over. Throws `StoreError`: 75 `data folder is in use by process 4121`, 77 without permission.
 */
export function lockFolder(folder: string): FolderLock {
  const file = join(folder, "lock");
  let fd: number;
  for (let tries = 1; ; tries++) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      fd = openSync(file, "a+", 0o600);
    } catch (error) {
      const hint = "give this user write permission, or choose another folder with --data-dir";
      throw new StoreError(77, `data folder ${folder} cannot be written (${reasonOf(error)})`, hint, error);
    }
    if (!take(fd, file)) {
      closeSync(fd);
      const pid = pidIn(file);
      // Somebody who only looks (`folderHolder`), or whose pid is not written yet.
      if (!isAlive(pid) && tries < 20) {
        Bun.sleepSync(5);
        continue;
      }
      const by = pid ? `process ${pid}` : "another process";
      throw new StoreError(
        75,
        `data folder is in use by ${by}`,
        "stop that process, or choose another folder with --data-dir",
      );
    }
    // The former holder may have removed the file between our open and our lock: then ours has no name any more.
    if (isSame(fd, file)) break;
    closeSync(fd);
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`);
  const held = fd;
  return {
    release() {
      rmSync(file, { force: true });
      closeSync(held);
    },
  };
}

/** The process that holds the data folder, or null when nobody does. */
export function folderHolder(folder: string): number | null {
  const file = join(folder, "lock");
  let fd: number;
  try {
    fd = openSync(file, "r+");
  } catch {
    return null;
  }
  try {
    return take(fd, file) ? null : pidIn(file);
  } finally {
    closeSync(fd);
  }
}
