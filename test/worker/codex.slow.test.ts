/** The bridge with the real Codex against the compiled server (codex-chat 3.10 to 3.12, edge cases of 7). */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, patch, run, runEscalated, say, think } from "../support/model";
import { latch, type Rig, startRig, THREAD } from "../support/rig";
import { startRelay } from "../support/swallow";

let rig: Rig;
afterEach(() => rig.close());

const done = ({ status }: { status: string }) => status === "completed";
const words = Array.from({ length: 50 }, (_, i) => `w${i}`).join(" ");

describe("turns", () => {
  test("a plain turn, with reasoning: text, usage and messages as Codex said them", async () => {
    rig = await startRig([think("first think", say(words, 25))]);
    await rig.bridge();
    await rig.send("hello");
    const turn = await rig.turn(done);
    expect(turn.items.map(({ type }) => type)).toEqual(["userMessage", "reasoning", "agentMessage"]);
    expect(turn.items.at(-1)?.text).toBe(words);
    expect((await rig.messages()).map(({ role, text, streaming }) => ({ role, text, streaming }))).toEqual([
      { role: "user", text: "hello", streaming: false },
      { role: "assistant", text: words, streaming: false },
    ]);
  }, 60_000);

  test("typed before the worker runs: executed when it comes up", async () => {
    rig = await startRig([say("late")]);
    await rig.send("early bird");
    expect((await rig.turns())[0]?.status).toBe("queued");
    await rig.bridge();
    expect((await rig.turn(done)).items.at(-1)?.text).toBe("late");
  }, 60_000);

  test("a command inside the sandbox with its output", async () => {
    rig = await startRig([run("printf 'one\\ntwo\\n'"), say("ran")]);
    await rig.bridge();
    await rig.send("run");
    const turn = await rig.turn(done);
    const command = turn.items.find(({ type }) => type === "commandExecution");
    expect(command?.text).toContain("one\ntwo\n");
  }, 60_000);

  test("a failed turn says why", async () => {
    rig = await startRig([fail(400)]);
    await rig.bridge();
    await rig.send("break");
    const turn = await rig.turn(({ status }) => status === "failed");
    expect(turn.error?.message).toBeTruthy();
  }, 60_000);

  test("an interrupt in mid-stream keeps the partial text and leaves nothing streaming", async () => {
    const gate = latch(10);
    rig = await startRig([say(words, 50, gate.pause)]);
    await rig.bridge();
    await rig.send("long");
    await gate.reached;
    await rig.turn(({ items }) => items.some(({ type, text }) => type === "agentMessage" && text.length > 0));
    const { status } = await rig.control("turn/interrupt", {});
    expect(status).toBe(200);
    const turn = await rig.turn(({ status }) => status === "interrupted");
    gate.open();
    const partial = turn.items.find(({ type }) => type === "agentMessage");
    expect(words.startsWith((partial?.text ?? "x").trim())).toBe(true);
    expect((await rig.messages()).some(({ streaming }) => streaming)).toBe(false);
  }, 60_000);

  test("a second message steers the running turn", async () => {
    const gate = latch(5);
    rig = await startRig([say(words, 50, gate.pause), say("after the steer")]);
    await rig.bridge();
    await rig.send("first");
    await gate.reached;
    await rig.send("second");
    await rig.turn(({ status }) => status === "steered");
    gate.open();
    const first = await rig.turn((_last, all) => all[0]?.status === "completed");
    expect(first.status).toBe("steered");
    const all = await rig.turns();
    expect(all.map(({ status }) => status)).toEqual(["completed", "steered"]);
    expect((await rig.messages()).filter(({ role }) => role === "user").map(({ text }) => text)).toEqual([
      "first",
      "second",
    ]);
  }, 60_000);
});

describe("approvals", () => {
  const cases: [decision: string, item: string, turn: string][] = [
    ["accept", "completed", "completed"],
    ["decline", "declined", "completed"],
    ["cancel", "declined", "interrupted"],
  ];
  for (const [decision, item, end] of cases) {
    test(`${decision}: the command ends ${item}, the turn ${end}`, async () => {
      rig = await startRig([runEscalated("echo approved"), say("that was it")]);
      await rig.bridge();
      await rig.send("ask me");
      const asked = await rig.turn(({ server_requests }) => server_requests.length === 1);
      const [ask] = asked.server_requests;
      expect(ask?.status).toBe("pending");
      const answer = { server_request_id: ask?.server_request_id, decision };
      const [one, two] = await Promise.all([
        rig.control("serverRequest/respond", answer),
        rig.control("serverRequest/respond", answer),
      ]);
      expect([one.status, two.status].sort()).toEqual([200, 409]);
      const turn = await rig.turn(({ status }) => status === end);
      expect(turn.items.find(({ type }) => type === "commandExecution")?.status).toBe(item);
      expect(turn.server_requests[0]?.status).toBe("resolved");
      if (decision === "accept")
        expect(turn.items.find(({ type }) => type === "commandExecution")?.text).toBe("approved\n");
    }, 60_000);
  }

  test("a file change with its diff", async () => {
    rig = await startRig([
      patch("*** Begin Patch\n*** Add File: hello.txt\n+hi there\n*** End Patch\n"),
      say("written"),
    ]);
    await rig.bridge();
    await rig.send("write a file");
    const turn = await rig.turn(done);
    const change = turn.items.find(({ type }) => type === "fileChange");
    expect(JSON.stringify(change?.payload)).toContain("hello.txt");
    expect(readFileSync(join(rig.place.workspace, "hello.txt"), "utf8")).toBe("hi there\n");
    expect(JSON.stringify(change?.payload)).toContain("hi there");
  }, 60_000);

  test("an answer that Codex does not know is refused by the bridge, and the question stays open", async () => {
    rig = await startRig([runEscalated("echo x"), say("end")]);
    await rig.bridge();
    await rig.send("ask");
    const asked = await rig.turn(({ server_requests }) => server_requests.length === 1);
    const id = asked.server_requests[0]?.server_request_id;
    const { json } = await rig.control("serverRequest/respond", { server_request_id: id, decision: "nonsense" });
    expect((await rig.receipt(json.data.request_id as string)).code).toBe("invalid_request");
    expect((await rig.turn(() => true)).server_requests[0]?.status).toBe("pending");
  }, 60_000);
});

describe("when something breaks", () => {
  test("Codex is killed in mid-turn: the turn fails, Codex comes back, the next turn works", async () => {
    const gate = latch(5);
    rig = await startRig([say(words, 50, gate.pause), say("alive again")]);
    const bridge = await rig.bridge();
    await rig.send("long");
    await gate.reached;
    await rig.turn(({ items }) => items.some(({ type }) => type === "agentMessage"));
    const children = Bun.spawnSync(["pgrep", "-P", String(bridge.child.pid)])
      .stdout.toString()
      .trim()
      .split("\n");
    for (const pid of children) {
      const below = Bun.spawnSync(["pgrep", "-P", pid]).stdout.toString().trim().split("\n").filter(Boolean);
      for (const one of [...below, pid]) {
        try {
          process.kill(Number(one), "SIGKILL");
        } catch {
          // gone with its parent
        }
      }
    }
    const failed = await rig.turn(({ status }) => status === "failed");
    expect(failed.error?.message).toContain("codex app-server exited");
    gate.open();
    await bridge.said(/running again/);
    await rig.send("again");
    expect((await rig.turn(done)).items.at(-1)?.text).toBe("alive again");
  }, 90_000);

  test("the server is killed with -9 in mid-turn: afterwards every word is there once", async () => {
    const gate = latch(20);
    rig = await startRig([say(words, 50, gate.pause), say("next")]);
    await rig.bridge();
    await rig.send("long");
    await gate.reached;
    await rig.turn(({ items }) => items.some(({ type, text }) => type === "agentMessage" && text.includes("w3")));
    await rig.product.kill("SIGKILL");
    gate.open();
    await rig.product.restart();
    const turn = await rig.turn(done);
    expect(turn.items.at(-1)?.text).toBe(words);
    expect((await rig.messages()).map(({ text }) => text)).toEqual(["long", words]);
    await rig.send("one more");
    expect((await rig.turn((last, all) => all.length === 2 && done(last))).items.at(-1)?.text).toBe("next");
    const { json } = await rig.call("GET", "/api/runtime/codex/workers/desktopw%3Ashared/stream?cursor=0");
    const seqs = (json.data.events as { seq: number }[]).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
  }, 90_000);

  test("the bridge is killed between turn/start and its receipt: one user message, one turn", async () => {
    rig = await startRig([say(words, 50), say("and on")]);
    let cut = true;
    const isReceipt = (path: string, body: string) => path.endsWith("/events") && body.includes('"worker.response"');
    const relay = startRelay(rig.product.url, (path, body) => cut && isReceipt(path, body));
    try {
      const first = await rig.bridge({ server: relay.url });
      await rig.send("only once");
      await relay.swallowed;
      // Codex has the message when it asks the model; a turn that ended before that holds nothing, and is run again.
      while (rig.model.requests.length === 0) await Bun.sleep(10);
      first.child.kill("SIGKILL");
      await first.child.exited;
      cut = false;
      expect((await rig.turns()).map(({ status, codex_turn_id }) => [status, codex_turn_id])).toEqual([
        ["queued", null],
      ]);
      await rig.bridge({ server: relay.url });
      const turn = await rig.turn(({ status }) => status === "interrupted" || status === "completed");
      expect(turn.codex_turn_id).toBeTruthy();
      const { json } = await rig.control("thread/read", {});
      const read = await rig.receipt(json.data.request_id as string);
      const codexTurns = (read.response as { turns: { id: string; items: { type: string }[] }[] }).turns;
      expect(codexTurns.map(({ id }) => id)).toEqual([turn.codex_turn_id as string]);
      expect(codexTurns.flatMap(({ items }) => items.filter(({ type }) => type === "userMessage"))).toHaveLength(1);
      expect((await rig.messages()).filter(({ role }) => role === "user").map(({ text }) => text)).toEqual([
        "only once",
      ]);
      await rig.send("again");
      await rig.turn((last, all) => all.length === 2 && done(last));
    } finally {
      relay.stop();
    }
  }, 90_000);

  test("the bridge is killed with the end of a turn unsent: Codex's own record completes the transcript", async () => {
    rig = await startRig([say(words, 50), say("and on")]);
    let cut = false;
    let started = false;
    const relay = startRelay(rig.product.url, (path, body) => {
      if (!path.endsWith("/events")) return false;
      const lost = cut && started;
      started ||= body.includes('"turn/started"');
      return lost;
    });
    try {
      cut = true;
      const first = await rig.bridge({ server: relay.url });
      await rig.send("tell me");
      await first.said(/✓ done/);
      await relay.swallowed;
      expect((await rig.turns())[0]?.status).toBe("in_progress");
      first.child.kill("SIGKILL");
      await first.child.exited;
      cut = false;
      await rig.bridge({ server: relay.url });
      const turn = await rig.turn(({ items }) => items.some(({ text }) => text === words));
      expect(turn.items.map(({ type }) => type)).toEqual(["userMessage", "agentMessage"]);
      await rig.turn(done);
      expect((await rig.messages()).map(({ text, streaming }) => [text, streaming])).toEqual([
        ["tell me", false],
        [words, false],
      ]);
    } finally {
      relay.stop();
    }
  }, 90_000);

  test("a second bridge takes over; the first ends by itself", async () => {
    rig = await startRig([say("from the second")]);
    const first = await rig.bridge();
    await rig.bridge();
    expect(await first.child.exited).toBe(0);
    await rig.send("who is it");
    expect((await rig.turn(done)).items.at(-1)?.text).toBe("from the second");
  }, 90_000);

  test("a revoked token stops the bridge with 4", async () => {
    rig = await startRig([]);
    const { json } = await rig.call("POST", "/api/tokens", { name: "machine" });
    const bridge = await rig.bridge({ token: json.data.token as string });
    const id = (json.data.token as string).split("|")[0];
    const revokedAt = Date.now();
    await rig.call("DELETE", `/api/tokens/${id}`);
    expect(await bridge.child.exited).toBe(4);
    expect(Date.now() - revokedAt).toBeLessThan(5000);
  }, 60_000);

  test("stopped from the server: the bridge ends with 0", async () => {
    rig = await startRig([]);
    const bridge = await rig.bridge();
    const { status } = await rig.call("POST", "/api/runtime/codex/workers/desktopw%3Ashared/stop", {
      reason: "requested",
    });
    expect(status).toBe(202);
    expect(await bridge.child.exited).toBe(0);
  }, 60_000);

  test("SIGTERM in mid-turn: the turn is closed, the worker stopped", async () => {
    const gate = latch(5);
    rig = await startRig([say(words, 50, gate.pause)]);
    const bridge = await rig.bridge();
    await rig.send("long");
    await gate.reached;
    await rig.turn(({ items }) => items.some(({ type }) => type === "agentMessage"));
    bridge.child.kill("SIGTERM");
    expect(await bridge.child.exited).toBe(0);
    gate.open();
    const [turn] = await rig.turns(THREAD);
    expect(["interrupted", "failed"]).toContain(turn?.status as string);
    const { json } = await rig.call("GET", "/api/runtime/codex/workers/desktopw%3Ashared");
    expect(json.data.status).toBe("stopped");
  }, 60_000);
});
