import { redact } from "./redact";

export type Level = "debug" | "info" | "warn" | "error";

type Fields = Record<string, unknown>;

/** Structured log (http-platform 3.10). Everything passes one redaction before it is written. */
export interface Log {
  debug(logger: string, message: string, fields?: Fields): void;
  info(logger: string, message: string, fields?: Fields): void;
  warn(logger: string, message: string, fields?: Fields): void;
  error(logger: string, message: string, fields?: Fields): void;
  /** A line of whose fields those that may hold a secret went through `redact` already: the whole is not searched again. */
  clean(level: Level, logger: string, message: string, fields: Fields): void;
  /** Whether lines of `level` are written, so that costly fields need not be made. */
  writes(level: Level): boolean;
  flush(): Promise<void>;
}

const ranks: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

interface LogOptions {
  level: string;
  format: "json" | "pretty";
  /** Where finished lines go; standard error by default. */
  write?: (lines: string) => void;
}

const paint: Record<Level, string> = { debug: "\x1b[2m", info: "\x1b[36m", warn: "\x1b[33m", error: "\x1b[31m" };

function pretty(level: Level, logger: string, message: string, fields: Fields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
  return `${new Date().toISOString().slice(11, 23)} ${paint[level]}${level.padEnd(5)}\x1b[0m ${logger} ${message}${rest ? `  \x1b[2m${rest}\x1b[0m` : ""}`;
}

let stampedAt = 0;
let stamp = "";

/** Now in RFC 3339 with milliseconds, made once for each of them. */
function timestamp(): string {
  const now = Date.now();
  if (now !== stampedAt) {
    stampedAt = now;
    stamp = new Date(now).toISOString();
  }
  return stamp;
}

function json(level: Level, logger: string, message: string, fields: Fields): string {
  const head = `{"ts":"${timestamp()}","level":"${level}","logger":"${logger}","message":${JSON.stringify(message)}`;
  const rest = JSON.stringify(fields);
  return rest === "{}" ? `${head}}` : `${head},${rest.slice(1)}`;
}

/** Lines are gathered for a moment and written together: one system call for many requests. */
export function createLog({ level, format, write = (lines) => void process.stderr.write(lines) }: LogOptions): Log {
  const lowest = ranks[level as Level] ?? ranks.info;
  let waiting: string[] = [];
  let timer: Timer | null = null;
  const flushNow = () => {
    timer = null;
    if (!waiting.length) return;
    const lines = `${waiting.join("\n")}\n`;
    waiting = [];
    write(lines);
  };
  const lineOf = format === "pretty" ? pretty : json;
  const add = (at: Level, text: string) => {
    waiting.push(text);
    if (at === "error" || waiting.length >= 200) flushNow();
    else timer ??= setTimeout(flushNow, 20);
  };
  const line = (at: Level, logger: string, message: string, fields: Fields = {}) => {
    if (ranks[at] >= lowest) add(at, redact(lineOf(at, logger, message, fields)));
  };
  return {
    debug: (logger, message, fields) => line("debug", logger, message, fields),
    info: (logger, message, fields) => line("info", logger, message, fields),
    warn: (logger, message, fields) => line("warn", logger, message, fields),
    error: (logger, message, fields) => line("error", logger, message, fields),
    clean: (at, logger, message, fields) => {
      if (ranks[at] >= lowest) add(at, lineOf(at, logger, message, fields));
    },
    writes: (at) => ranks[at] >= lowest,
    flush: () => {
      if (timer) clearTimeout(timer);
      flushNow();
      return Promise.resolve();
    },
  };
}
