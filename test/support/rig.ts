/** The compiled server with an owner's token, and bridges that run beside it: what tests of the whole path start from. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CodexPlace, codexBinary, codexPlace } from "./codex";
import { type Model, type Step, startModel } from "./model";
import { type Product, startProduct } from "./product";

type Json = Record<string, unknown>;

export interface Turn {
  id: string;
  status: string;
  codex_turn_id: string | null;
  error: { message: string; code: string } | null;
  diff: string | null;
  items: { item_id: string; type: string; status: string; text: string; payload: Json }[];
  server_requests: { server_request_id: string; method: string; status: string; decision: unknown; params: Json }[];
}

export interface BridgeProcess {
  child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  text(): string;
  /** Waits until it printed something. */
  said(form: RegExp): Promise<void>;
}

export interface Rig {
  product: Product;
  model: Model;
  place: CodexPlace;
  token: string;
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: { data: Json; error?: Json; message?: string } }>;
  bridge(options?: { codex?: string; token?: string; server?: string }): Promise<BridgeProcess>;
  /** Sends a message to the thread; gives the request id. */
  send(text: string, thread?: string): Promise<string>;
  control(method: string, params: Json): Promise<{ status: number; json: { data: Json } }>;
  /** Payload of a request's receipt, when it has come. */
  receipt(requestId: string): Promise<Json>;
  turns(thread?: string): Promise<Turn[]>;
  messages(thread?: string): Promise<{ role: string; text: string; streaming: boolean }[]>;
  /** Waits for the last turn to be as `condition` says. */
  turn(condition: (turn: Turn, all: Turn[]) => boolean, thread?: string): Promise<Turn>;
  close(): Promise<void>;
}

const binary = join(import.meta.dir, "../../dist/openagents");
export const THREAD = "thread-rig";

export async function startRig(script: Step[] = [], more = ""): Promise<Rig> {
  const product = await startProduct();
  const signedIn = await fetch(product.ownerLink() as string, { method: "POST", redirect: "manual" });
  const cookie = signedIn.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const minted = await fetch(`${product.url}/api/tokens`, {
    method: "POST",
    headers: { cookie, "content-type": "application/json" },
    body: '{"name":"rig"}',
  });
  const { token } = ((await minted.json()) as { data: { token: string } }).data;
  const model = startModel(script);
  const place = codexPlace(model.url, more);
  const home = mkdtempSync(join(tmpdir(), "oa-rig-"));
  const bridges: BridgeProcess[] = [];

  const call: Rig["call"] = async (method, path, body) => {
    const response = await fetch(product.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as { data: Json } };
  };
  const turns = async (thread = THREAD) => {
    const { status, json } = await call("GET", `/api/runtime/threads/${thread}`);
    return status === 200 ? (json.data.turns as Turn[]) : [];
  };
  let counter = 0;

  return {
    product,
    model,
    place,
    token,
    call,
    async bridge({ codex = codexBinary, token: own = token, server = product.url } = {}) {
      const child = Bun.spawn(
        [
          binary,
          "worker",
          "--server",
          server,
          "--workspace",
          place.workspace,
          "--codex-bin",
          codex,
          "--codex-home",
          place.home,
          "-v",
        ],
        {
          env: {
            ...process.env,
            OA_API_TOKEN: own,
            XDG_STATE_HOME: join(home, "state"),
            XDG_CONFIG_HOME: join(home, "config"),
          },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      let text = "";
      const read = async (stream: ReadableStream<Uint8Array>) => {
        const decoder = new TextDecoder();
        for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>)
          text += decoder.decode(chunk, { stream: true });
      };
      void read(child.stdout);
      void read(child.stderr);
      const process_: BridgeProcess = {
        child,
        text: () => text,
        async said(form) {
          while (!form.test(text)) {
            if (child.exitCode !== null) throw new Error(`the bridge ended with ${child.exitCode}:\n${text}`);
            await Bun.sleep(10);
          }
        },
      };
      bridges.push(process_);
      await process_.said(/Connected to/);
      return process_;
    },
    async send(text, thread = THREAD) {
      const { status, json } = await call("POST", `/api/runtime/threads/${thread}/messages`, { text });
      if (status !== 200) throw new Error(`send: ${status} ${JSON.stringify(json)}`);
      return (json.data.control as { request_id: string }).request_id;
    },
    control: (method, params) =>
      call("POST", "/api/runtime/codex/workers/desktopw%3Ashared/requests", {
        request: {
          request_id: `req_rig_${++counter}_${crypto.randomUUID()}`,
          method,
          params: { thread_id: THREAD, ...params },
        },
      }),
    async receipt(requestId) {
      for (;;) {
        const { json } = await call("GET", "/api/runtime/codex/workers/desktopw%3Ashared/stream?cursor=0");
        const events = json.data.events as { event_type: string; payload: Json }[];
        const found = events.find(
          ({ event_type, payload }) =>
            /^worker\.(response|error)$/.test(event_type) && payload.request_id === requestId,
        );
        if (found) return found.payload;
        await Bun.sleep(20);
      }
    },
    turns,
    async messages(thread = THREAD) {
      const { json } = await call("GET", `/api/runtime/threads/${thread}/messages`);
      return json.data.messages as { role: string; text: string; streaming: boolean }[];
    },
    async turn(condition, thread = THREAD) {
      for (let tries = 0; ; tries++) {
        const all = await turns(thread);
        const last = all.at(-1);
        if (last && condition(last, all)) return last;
        if (tries > 1500) {
          throw new Error(
            `the turn never came to that: ${JSON.stringify(all, null, 1).slice(0, 4000)}\n${bridges
              .map((b) => b.text())
              .join("\n---\n")
              .slice(-4000)}`,
          );
        }
        await Bun.sleep(20);
      }
    },
    async close() {
      for (const { child } of bridges) {
        if (child.exitCode === null) child.kill("SIGKILL");
        await child.exited;
      }
      model.stop();
      await product.close();
      place.remove();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A latch for the model: a step waits in the middle until it is opened. */
export function latch(after: number) {
  let open: () => void = () => {};
  let arrive: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let n = 0;
  const pause = async () => {
    if (++n === after) arrive();
    if (n >= after) await opened;
  };
  return { pause, open, reached };
}
