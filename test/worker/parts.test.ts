/** The parts of the bridge on their own: vectors and limits of codex-chat 3.10 to 3.12 and remote-control 2. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountLink, authState } from "../../src/worker/account";
import { BadAnswer, isForwarded, resultOf } from "../../src/worker/asks";
import { credentialsPath, pairedServers, readCredential, writeCredential } from "../../src/worker/credentials";
import { findCodex, NoCodex } from "../../src/worker/find-codex";
import { journalKey, journalPath, openJournal } from "../../src/worker/journal";
import { cut, fitted, mergeKey, type Names, payloadOf } from "../../src/worker/payload";
import { backoff } from "../../src/worker/server";
import { launchAgent, systemdUnit } from "../../src/worker/unit";

const folder = mkdtempSync(join(tmpdir(), "oa-parts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("delays", () => {
  test.each([
    [1, 0, 250],
    [2, 0, 500],
    [3, 0, 1000],
    [32, 0, 8000],
    [4, 1, 3000],
  ])("try %p with jitter %p waits %p ms", (n, jitter, ms) => {
    expect(backoff(n, jitter)).toBe(ms);
  });
});

describe("journal", () => {
  test("its name is the vector's", () => {
    expect(journalKey("https://openagents.example", "desktopw:shared")).toBe("aa4ffc793f37b0b3");
    expect(journalPath("https://openagents.example", "desktopw:shared", { XDG_STATE_HOME: "/s" })).toBe(
      "/s/openagents/worker/aa4ffc793f37b0b3.json",
    );
  });

  test("what was noted is there for the next session, with what the last left open", () => {
    const path = join(folder, "state/journal.json");
    const first = openJournal(path, "one");
    expect(first.crashed).toBeNull();
    first.mapThread("thread_1", "codex_1");
    first.setMark("req_1", "executing");
    first.openTurn("turn_1", { codex_thread_id: "codex_1", turn_id: null });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = openJournal(path, "two");
    expect(second.crashed?.session).toBe("one");
    expect([...(second.crashed?.turns.keys() ?? [])]).toEqual(["turn_1"]);
    expect([second.codexThread("thread_1"), second.ourThread("codex_1"), second.mark("req_1")]).toEqual([
      "codex_1",
      "thread_1",
      "executing",
    ]);
    second.close(true);
    const third = openJournal(path, "three");
    expect(third.crashed).toBeNull();
    third.abandon();
    third.mapThread("thread_2", "codex_2");
    expect(readFileSync(path, "utf8")).not.toContain("codex_2");
  });

  test("it keeps the newest 2,000 requests", () => {
    const path = join(folder, "many.json");
    writeFileSync(
      path,
      JSON.stringify({
        session_id: "s",
        clean: true,
        threads: {},
        turns: {},
        requests: Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`r${i}`, "done"])),
      }),
    );
    const journal = openJournal(path, "t");
    expect([journal.mark("r499"), journal.mark("r500")]).toEqual([undefined, "done"]);
  });
});

const names: Names = {
  sessionId: "s",
  ourThread: () => "t",
  ourTurn: () => "u",
  usage: () => null,
  model: () => undefined,
};
const bytes = (text: string) => Buffer.byteLength(text);

describe("payloads", () => {
  test.each([
    ["userMessage", "user_message"],
    ["agentMessage", "agent_message"],
    ["reasoning", "reasoning"],
    ["commandExecution", "command_execution"],
    ["fileChange", "file_change"],
    ["mcpToolCall", "mcp_tool_call"],
    ["webSearch", "web_search"],
    ["imageView", "image_view"],
  ])("an item %p is of kind %p", (type, kind) => {
    const { params } = payloadOf(
      { method: "item/started", params: { item: { type, id: "i" }, threadId: "c", turnId: "d" } },
      names,
    );
    expect(params).toMatchObject({ item_kind: kind, item_id: "i", thread_id: "t", turn_id: "u", threadId: "c" });
  });

  test("an error says its message and whether it is tried again", () => {
    const { params } = payloadOf({ method: "error", params: { error: { message: "m" }, willRetry: true } }, names);
    expect(params).toMatchObject({ message: "m", will_retry: true });
  });

  test("deltas of one item and index belong together, others do not", () => {
    const key = (over: Record<string, unknown>, method = "item/reasoning/summaryTextDelta") =>
      mergeKey({ method, params: { threadId: "t", turnId: "u", itemId: "i", summaryIndex: 0, ...over } });
    expect(key({})).toBe(key({ delta: "other" }));
    expect(key({})).not.toBe(key({ summaryIndex: 1 }));
    expect(key({})).not.toBe(key({ itemId: "j" }));
    expect(key({}, "item/reasoning/summaryPartAdded")).toBeNull();
  });

  test("a text over 64 KiB is cut between characters", () => {
    const { value, truncated } = cut({ a: ["é".repeat(40_000)] });
    expect(truncated).toBe(true);
    expect(bytes((value as { a: string[] }).a[0] as string)).toBeLessThanOrEqual(65_536);
    expect(JSON.stringify(value)).not.toContain("\uFFFD");
    expect(cut("é".repeat(32_768))).toEqual({ value: "é".repeat(32_768), truncated: false });
  });

  test.each([
    ["many long texts", { params: { changes: Array.from({ length: 30 }, () => ({ diff: "d".repeat(60_000) })) } }],
    ["very many short texts", { params: { list: Array.from({ length: 50_000 }, (_, i) => `entry ${i}`) } }],
    ["many characters that take six bytes as JSON", { params: { text: "\u0001".repeat(60_000) } }],
  ])("%s are made to fit", (_name, payload) => {
    const json = fitted({ method: "m", ...payload });
    expect(bytes(json)).toBeLessThanOrEqual(131_072);
    expect(JSON.parse(json)).toMatchObject({ method: "m", truncated: true });
  });
});

describe("answers to Codex", () => {
  const command = "item/commandExecution/requestApproval";
  const change = "item/fileChange/requestApproval";
  const amendment = { acceptWithExecpolicyAmendment: { execpolicy_amendment: ["ls"] } };
  test.each<[string, Record<string, unknown>, unknown]>([
    [command, { decision: "accept" }, { decision: "accept" }],
    [command, { decision: "acceptForSession" }, { decision: "acceptForSession" }],
    [command, { decision: "decline" }, { decision: "decline" }],
    [command, { decision: "cancel" }, { decision: "cancel" }],
    [command, { decision: amendment }, { decision: amendment }],
    [change, { decision: "acceptForSession" }, { decision: "acceptForSession" }],
    ["item/permissions/requestApproval", { decision: "decline" }, { permissions: {}, scope: "turn" }],
    [
      "item/permissions/requestApproval",
      { response: { permissions: { a: 1 }, scope: "session" } },
      { permissions: { a: 1 }, scope: "session" },
    ],
    [
      "item/tool/requestUserInput",
      { response: { answers: { q: { answers: ["x"] } } } },
      { answers: { q: { answers: ["x"] } } },
    ],
    ["mcpServer/elicitation/request", { decision: "decline" }, { action: "decline", content: null, _meta: null }],
    [
      "mcpServer/elicitation/request",
      { response: { action: "accept", content: { a: 1 } } },
      { action: "accept", content: { a: 1 }, _meta: null },
    ],
    ["execCommandApproval", { decision: "accept" }, { decision: "approved" }],
    ["execCommandApproval", { decision: "acceptForSession" }, { decision: "approved_for_session" }],
    ["applyPatchApproval", { decision: "decline" }, { decision: { denied: { rejection: "declined by user" } } }],
    ["applyPatchApproval", { decision: "cancel" }, { decision: "abort" }],
  ])("%s %j", (method, answer, result) => {
    expect(resultOf({ id: 0, method, params: {} }, answer)).toEqual(result);
  });

  test.each<[string, Record<string, unknown>]>([
    [command, { decision: "approved" }],
    [command, {}],
    [command, { decision: { accept: true } }],
    [change, { decision: amendment }],
    ["item/tool/requestUserInput", { decision: "accept" }],
    ["mcpServer/elicitation/request", { decision: "later" }],
    ["execCommandApproval", { decision: "approved" }],
  ])("%s %j is no answer", (method, answer) => {
    expect(() => resultOf({ id: 0, method, params: {} }, answer)).toThrow(BadAnswer);
  });

  test.each(["item/tool/call", "account/chatgptAuthTokens/refresh", "attestation/generate", "what/ever"])(
    "%s is not for people",
    (method) => {
      expect(isForwarded(method)).toBe(false);
    },
  );
});

describe("account", () => {
  test.each<[Record<string, unknown>, "ok" | "unlinked", string]>([
    [{ account: null, requiresOpenaiAuth: false }, "ok", "AUTHENTICATED"],
    [
      { account: { type: "chatgpt", planType: "pro", email: "a@b.example" }, requiresOpenaiAuth: true },
      "ok",
      "AUTHENTICATED",
    ],
    [{ account: { type: "apiKey" }, requiresOpenaiAuth: true }, "unlinked", "AUTHENTICATED"],
    [{ account: null, requiresOpenaiAuth: true }, "unlinked", "UNAUTHENTICATED"],
  ])("%j is %s", (read, link, status) => {
    expect(accountLink(read)).toBe(link);
    expect(authState(read).hydration_status).toBe(`CODEX_AUTH_HYDRATION_STATUS_${status}`);
    expect(JSON.stringify(authState(read))).not.toContain("@");
  });
});

describe("finding Codex", () => {
  const program = (name: string, output: string) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho '${output}'\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const env = { PATH: "/bin:/usr/bin" };

  test("one that fits", async () => {
    const path = program("good", "codex-cli 0.170.1");
    expect(await findCodex(path, env)).toEqual({ command: [path], version: "0.170.1" });
  });

  test.each([
    ["none", join(folder, "nowhere"), /not found at .*npm install/],
    ["too old a one", program("old", "codex-cli 0.168.9"), /0\.168\.9 is too old \(0\.169\.0 or newer/],
    ["something else", program("other", "coder 1.0"), /does not answer as Codex does/],
  ])("%s: says what to do", async (_name, path, words) => {
    const error = await findCodex(path, env).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoCodex);
    expect((error as Error).message).toMatch(words);
  });

  test("none on PATH", async () => {
    await expect(findCodex(null, { PATH: folder })).rejects.toThrow(/not found on PATH/);
  });
});

describe("credentials", () => {
  const env = { XDG_CONFIG_HOME: join(folder, "config") };
  const credential = { token: "12|secret", worker_id: "desktopw:mac", user: "Ann" };

  test("are kept by server, readable by nobody else, replaced whole", () => {
    writeCredential("https://a.example", credential, env);
    writeCredential("https://b.example", { ...credential, token: "13|other" }, env);
    expect(readCredential("https://a.example", env)).toEqual(credential);
    expect(pairedServers(env)).toEqual(["https://a.example", "https://b.example"]);
    expect(statSync(credentialsPath(env)).mode & 0o777).toBe(0o600);
    writeCredential("https://a.example", null, env);
    expect(readCredential("https://a.example", env)).toBeNull();
    expect(readdirSync(join(folder, "config/openagents"))).toEqual(["credentials.json"]);
  });
});

describe("service", () => {
  test("the unit quotes what systemd would read otherwise", () => {
    const unit = systemdUnit(["/opt/open agents/oa", "worker", "--workspace", '/w/100%/"x"']);
    expect(unit).toContain('ExecStart="/opt/open agents/oa" worker --workspace "/w/100%%/\\"x\\""');
    expect(unit).toContain("RestartPreventExitStatus=2 3 4");
  });

  test("the agent escapes XML", () => {
    expect(launchAgent(["/a&b"])).toContain("<string>/a&#38;b</string>");
  });
});
