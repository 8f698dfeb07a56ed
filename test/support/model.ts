/**
 * A scripted model for the real Codex: speaks the Responses API over server-sent events on loopback. Each request takes the
 * next step of the script; without one it says "ok".
 *
 * ```ts
 * const model = startModel([say("hello"), run("ls"), say("done")]);
 * const home = codexHome(model.url);      // CODEX_HOME for `codex app-server`
 * ```
 */
export type Step =
  | { kind: "say"; text: string; chunks?: number; pause?: () => Promise<void> }
  | { kind: "call"; name: string; arguments: Record<string, unknown> }
  | { kind: "custom"; name: string; input: string }
  | { kind: "think"; text: string; then: Step }
  | { kind: "fail"; status: number };

/** An answer in words; `chunks` deltas; `pause` is awaited between them. */
export const say = (text: string, chunks = 3, pause?: () => Promise<void>): Step => ({
  kind: "say",
  text,
  chunks,
  ...(pause ? { pause } : {}),
});
/** Runs a command inside the sandbox. */
export const run = (cmd: string): Step => ({ kind: "call", name: "exec_command", arguments: { cmd } });
/** Runs a command that needs a person's approval. */
export const runEscalated = (cmd: string, justification = "needs it"): Step => ({
  kind: "call",
  name: "exec_command",
  arguments: { cmd, sandbox_permissions: "require_escalated", justification },
});
/** Changes files by a patch; Codex takes it from the command line. */
export const patch = (input: string): Step => run(`apply_patch <<'EOF'\n${input.trimEnd()}\nEOF`);
export const think = (text: string, then: Step): Step => ({ kind: "think", text, then });
export const fail = (status = 500): Step => ({ kind: "fail", status });

export interface Model {
  url: string;
  /** Bodies of the requests so far. */
  requests: Record<string, unknown>[];
  /** Adds steps. */
  push(...steps: Step[]): void;
  stop(): void;
}

export function startModel(script: Step[] = []): Model {
  const steps = [...script];
  const requests: Record<string, unknown>[] = [];
  let counter = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/models"))
        return Response.json({ object: "list", data: [{ id: "scripted", object: "model" }], models: [] });
      if (!pathname.endsWith("/responses")) return new Response("not found", { status: 404 });
      requests.push((await request.json()) as Record<string, unknown>);
      const step = steps.shift() ?? say("ok", 1);
      if (step.kind === "fail")
        return Response.json({ error: { message: "scripted failure" } }, { status: step.status });
      return new Response(stream(step, ++counter), { headers: { "content-type": "text/event-stream" } });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    requests,
    push: (...more) => void steps.push(...more),
    stop: () => void server.stop(true),
  };
}

function stream(step: Step, n: number): ReadableStream {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      const send = (type: string, body: Record<string, unknown>) =>
        controller.enqueue(encoder.encode(`event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`));
      try {
        send("response.created", { response: { id: `resp_${n}` } });
        await write(step, n, send);
        send("response.completed", {
          response: {
            id: `resp_${n}`,
            usage: {
              input_tokens: 10,
              input_tokens_details: { cached_tokens: 2 },
              output_tokens: 5,
              output_tokens_details: { reasoning_tokens: 1 },
              total_tokens: 15,
            },
          },
        });
        controller.close();
      } catch {
        // the client went away in mid-stream
      }
    },
  });
}

type Send = (type: string, body: Record<string, unknown>) => void;

async function write(step: Step, n: number, send: Send): Promise<void> {
  switch (step.kind) {
    case "call":
      return send("response.output_item.done", {
        item: {
          type: "function_call",
          call_id: `call_${n}`,
          name: step.name,
          arguments: JSON.stringify(step.arguments),
        },
      });
    case "custom":
      return send("response.output_item.done", {
        item: { type: "custom_tool_call", call_id: `call_${n}`, name: step.name, input: step.input },
      });
    case "think": {
      const item = { type: "reasoning", id: `rs_${n}`, summary: [] };
      send("response.output_item.added", { item });
      send("response.reasoning_summary_part.added", { item_id: item.id, summary_index: 0 });
      send("response.reasoning_summary_text.delta", { item_id: item.id, summary_index: 0, delta: step.text });
      send("response.output_item.done", { item: { ...item, summary: [{ type: "summary_text", text: step.text }] } });
      return write(step.then, n, send);
    }
    case "say": {
      const item = { type: "message", id: `msg_${n}`, role: "assistant", content: [] as unknown[] };
      send("response.output_item.added", { item });
      const size = Math.max(1, Math.ceil(step.text.length / (step.chunks ?? 3)));
      for (let at = 0; at < step.text.length; at += size) {
        send("response.output_text.delta", { item_id: item.id, delta: step.text.slice(at, at + size) });
        await step.pause?.();
      }
      return send("response.output_item.done", {
        item: { ...item, content: [{ type: "output_text", text: step.text }] },
      });
    }
    case "fail":
      return;
  }
}
