import { hostname } from "node:os";
import { renderUnicodeCompact } from "uqr";
import type { Credential } from "./credentials";

/** What happens while a machine is paired; `--json` prints one object a state. */
export type PairState =
  | {
      state: "code";
      user_code: string;
      verification_uri: string;
      verification_uri_complete: string;
      expires_in: number;
    }
  | { state: "waiting"; seconds_left: number }
  | { state: "paired"; worker_id: string; user: string };

/** Pairing did not come about: denied, expired, or the server says why. */
export class NotPaired extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface Started {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

interface Polled {
  access_token?: string;
  worker_id?: string;
  user?: { name?: string };
  error?: string | { code?: string; message?: string };
  error_description?: string;
  message?: string;
}

interface PairOptions {
  server: string;
  workerId: string | null;
  name: string | null;
  codexVersion: string;
  bridgeVersion: string;
  onState(state: PairState): void;
}

async function post(url: string, body: unknown): Promise<{ status: number; body: Polled & Partial<Started> }> {
  const response = await fetch(url, {
    method: "POST",
    redirect: "manual",
    signal: AbortSignal.timeout(15_000),
    headers: { "content-type": "application/json", accept: "application/json", "x-client": "openagents-worker" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json().catch(() => ({}))) as Polled & Partial<Started> };
}

/** The device grant of RFC 8628 (remote-control 2): shows a code, waits until a person allows it in the browser. */
export async function pair(options: PairOptions): Promise<Credential> {
  const { server, onState } = options;
  const host = hostname();
  const asked = await post(`${server}/api/pair/device`, {
    name: options.name ?? host,
    hostname: host,
    platform: `${process.platform}-${process.arch}`,
    codex_version: options.codexVersion,
    bridge_version: options.bridgeVersion,
    ...(options.workerId ? { worker_id: options.workerId } : {}),
  }).catch((error: unknown) => {
    const why = (error as { code?: string }).code ?? String(error);
    throw new NotPaired(
      "refused",
      `${server} cannot be reached (${why}); is the address right, and the server running?`,
    );
  });
  if (asked.status !== 200) throw new NotPaired("refused", asked.body.message ?? `the server answered ${asked.status}`);
  const started = asked.body as Started;
  const { device_code: deviceCode, user_code, verification_uri, verification_uri_complete, expires_in } = started;
  onState({ state: "code", user_code, verification_uri, verification_uri_complete, expires_in });
  const ends = Date.now() + expires_in * 1000;
  let interval = started.interval;
  while (Date.now() < ends) {
    onState({ state: "waiting", seconds_left: Math.ceil((ends - Date.now()) / 1000) });
    await Bun.sleep(interval * 1000);
    const answer = await post(`${server}/api/pair/token`, {
      device_code: deviceCode,
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
    }).catch(() => null);
    if (!answer) continue;
    const { access_token: token, worker_id: workerId, user, error } = answer.body;
    if (answer.status === 200 && token && workerId) {
      onState({ state: "paired", worker_id: workerId, user: user?.name ?? "" });
      return { token, worker_id: workerId, user: user?.name ?? "" };
    }
    const code = typeof error === "string" ? error : "";
    if (code === "slow_down") interval += 5;
    if (code === "access_denied") throw new NotPaired(code, "The pairing was denied in the browser.");
    if (code === "expired_token") break;
  }
  throw new NotPaired("expired_token", "The code expired before it was allowed. Start again.");
}

const letters: Record<string, string[]> = {
  B: ["██▖", "█▄▘", "█▄▛"],
  C: ["▟▀▘", "█  ", "▜▄▖"],
  D: ["██▖", "█ █", "██▘"],
  F: ["█▀▀", "█▀ ", "█  "],
  G: ["▟▀▘", "█▗▖", "▜▄█"],
  H: ["█ █", "███", "█ █"],
  J: ["  █", "  █", "▜▄▛"],
  K: ["█▗▘", "██ ", "█▝▖"],
  L: ["█  ", "█  ", "█▄▄"],
  M: ["█▙▟█", "█▝▘█", "█  █"],
  N: ["█▙ █", "█▝▙█", "█ ▝█"],
  P: ["██▖", "█▄▘", "█  "],
  Q: ["▟▀▙ ", "█ █ ", "▜▄█▖"],
  R: ["██▖", "█▄▘", "█▝▙"],
  S: ["▟▀▘", "▝▀▙", "▗▄▛"],
  T: ["▀█▀", " █ ", " █ "],
  V: ["█ █", "█ █", "▝█▘"],
  W: ["█  █", "█▗▖█", "▜▛▜▛"],
  X: ["█ █", "▝█▘", "█ █"],
  Z: ["▀▀█", "▗█▘", "█▄▄"],
  "-": ["   ", "▄▄▄", "   "],
};

/** The code in letters three lines high. */
export const largeCode = (code: string): string =>
  [0, 1, 2].map((row) => [...code].map((letter) => letters[letter]?.[row] ?? letter).join(" ")).join("\n");

/** A QR code for a terminal. */
export const qrCode = (url: string): string => renderUnicodeCompact(url, { border: 1 });
