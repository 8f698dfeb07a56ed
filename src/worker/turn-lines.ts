import type { Failed, Request } from "./execute";
import type { Screen } from "./screen";

type Json = Record<string, unknown>;

/** What a person at the machine sees of the work: one line when a turn starts, waits or ends. */
export interface TurnLines {
  /** A message was handed to Codex. */
  sent(request: Request): void;
  started(codexTurnId: string): void;
  asked(method: string, params: Json): void;
  ended(codexTurnId: string, turn: Json): void;
  failed(request: Request, failed: Failed): void;
  garbage(line: string): void;
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);
const short = (words: string, length = 60): string => {
  const line = words.replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
};

export function turnLines(screen: Screen): TurnLines {
  const began = new Map<string, number>();
  let garbled = 0;
  return {
    sent({ thread_id, params }) {
      const words = text(params.text) ?? text(params.message) ?? text(params.prompt) ?? "message";
      screen.say(`→ ${short(words)}`, { event: "message", thread_id });
    },
    started(turn) {
      began.set(turn, performance.now());
      screen.debug(`turn ${turn} started`);
    },
    asked(method, params) {
      const command = text(params.command)?.replace(/^\S*sh -l?c '(.*)'$/s, "$1");
      const what = command ?? text(params.reason) ?? "an answer";
      screen.say(`? Codex waits for you: ${short(what)}; answer it in the browser.`, { event: "approval", method });
    },
    ended(turn, { status, error }) {
      const ms = performance.now() - (began.get(turn) ?? performance.now());
      began.delete(turn);
      const took = `${(ms / 1000).toFixed(1)} s`;
      const facts = { event: "turn", turn, status, duration_ms: Math.round(ms) };
      if (status === "completed") screen.say(`✓ done in ${took}`, facts);
      else if (status === "interrupted") screen.say(`■ interrupted after ${took}`, facts);
      else {
        const message = text((error as Json | null)?.message) ?? "no reason was given";
        screen.say(`✗ failed after ${took}: ${short(message, 200)}`, facts);
      }
    },
    failed({ method, request_id }, { code, message }) {
      const facts = { event: "failed", method, request_id, code };
      if (code === "conflict" || code === "invalid_request") screen.debug(`${method} refused: ${message}`);
      else screen.say(`✗ ${method}: ${short(message, 200)}`, facts);
    },
    garbage(line) {
      if (garbled++ === 0)
        screen.say("Codex printed something that is no message; it was passed over (more with --verbose).");
      screen.debug(`codex printed: ${line.slice(0, 200)}`);
    },
  };
}
