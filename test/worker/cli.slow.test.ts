/** `openagents worker` as a person starts it: the compiled executable, its words and exit codes (codex-chat 3.10, remote-control 2). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Product, startProduct } from "../support/product";

const binary = join(import.meta.dir, "../../dist/openagents");
let product: Product;
let folder: string;
let codex: string;
let cookie: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oa-cli-"));
  codex = join(folder, "codex");
  const fake = join(import.meta.dir, "../support/codex-fake.ts");
  writeFileSync(codex, `#!/bin/sh\nexec '${process.execPath}' '${fake}' "$@"\n`);
  chmodSync(codex, 0o755);
  for (const name of ["home", "work"]) mkdirSync(join(folder, name));
  product = await startProduct();
  cookie = await signIn(product.ownerLink() as string);
}, 60_000);
afterAll(async () => {
  await product.close();
  rmSync(folder, { recursive: true, force: true });
});

async function signIn(link: string): Promise<string> {
  const answer = await fetch(link, { method: "POST", redirect: "manual" });
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
}

const as = (url: string, own: string) => async (method: string, path: string, body?: unknown) => {
  const answer = await fetch(url + path, {
    method,
    headers: { cookie: own, "content-type": "application/json", accept: "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  return { status: answer.status, json: (await answer.json().catch(() => null)) as any };
};

type Call = ReturnType<typeof as>;

/** Waits until the assistant has said `words`. */
async function answered(call: Call, thread: string, words: string): Promise<void> {
  for (;;) {
    const { json } = await call("GET", `/api/runtime/threads/${thread}/messages`);
    const said = json.data.messages.filter(
      ({ role, streaming }: Record<string, unknown>) => role === "assistant" && !streaming,
    );
    if (said.some(({ text }: { text: string }) => text === words)) return;
    await Bun.sleep(10);
  }
}

interface Running {
  child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  text(): string;
  said(form: RegExp): Promise<RegExpExecArray>;
}

const environment = () => ({
  PATH: "/usr/bin:/bin",
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, "config"),
  XDG_STATE_HOME: join(folder, "state"),
  CODEX_HOME: join(folder, "home"),
});

function start(args: string[], env: Record<string, string> = {}): Running {
  const child = Bun.spawn([binary, "worker", ...args], {
    cwd: join(folder, "work"),
    env: { ...environment(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const over = Promise.all([read(child.stdout), read(child.stderr)]);
  return {
    child,
    text: () => text,
    async said(form) {
      for (;;) {
        const found = form.exec(text);
        if (found) return found;
        if (child.exitCode !== null) {
          await over;
          const late = form.exec(text);
          if (late) return late;
          throw new Error(`it ended with ${child.exitCode}: ${text}`);
        }
        await Bun.sleep(10);
      }
    },
  };
}

const run = async (args: string[], env: Record<string, string> = {}) => {
  const running = start(args, env);
  await running.said(/\n/).catch(() => null);
  const code = await running.child.exited;
  return { code, text: running.text() };
};

describe("refusals at the start", () => {
  test.each<[string, string[], number, RegExp]>([
    ["no server", [], 2, /which server\? name it with --server/],
    ["a server that is no address", ["--server", "example.com"], 2, /begins with http/],
    ["no such workspace", ["--server", "http://127.0.0.1:1", "--workspace", "/nowhere"], 2, /\/nowhere is no folder/],
    [
      "no such token file",
      ["--server", "http://127.0.0.1:1", "--token-file", "/nowhere", "--codex-bin", "CODEX"],
      2,
      /does not exist/,
    ],
    [
      "a server that is not there",
      ["pair", "--server", "http://127.0.0.1:1"],
      1,
      /cannot be reached \(\w+\); is the address right/,
    ],
    ["an unknown option", ["--sevrer", "x"], 2, /unknown option/],
    [
      "no Codex",
      ["--server", "http://127.0.0.1:1"],
      3,
      /not found on PATH; install it with 'npm install -g @openai\/codex'/,
    ],
  ])("%s", async (_name, args, code, words) => {
    const ended = await run(args.map((arg) => (arg === "CODEX" ? codex : arg)));
    expect(ended.text).toMatch(words);
    expect(ended.code).toBe(code);
  });

  test("a Codex of another age", async () => {
    const ended = await run(["--server", "http://127.0.0.1:1", "--codex-bin", codex], {
      FAKE_VERSION: "codex-cli 0.99.0",
    });
    expect(ended.text).toMatch(/0\.99\.0 is too old/);
    expect(ended.code).toBe(3);
  });

  test("a token that is none", async () => {
    const ended = await run(["--server", product.url, "--codex-bin", codex], { OA_API_TOKEN: "1|wrong" });
    expect(ended.text).toMatch(/The server refused this machine \(Unauthenticated\.\)\. Pair it again/);
    expect(ended.code).toBe(4);
  });
});

describe("pairing", () => {
  const decide = async (running: Running, verdict: "approve" | "deny") => {
    const [, code = ""] = await running.said(/"user_code":"([A-Z]{4}-[A-Z]{4})"/);
    return as(product.url, cookie)("POST", `/api/pair/${code}/${verdict}`, {});
  };

  test("denied in the browser: exit 4", async () => {
    const running = start(["pair", "--server", product.url, "--codex-bin", codex, "--json"]);
    expect((await decide(running, "deny")).status).toBe(200);
    expect(await running.child.exited).toBe(4);
    expect(running.text()).toContain("The pairing was denied in the browser.");
  }, 30_000);

  test("without a token the worker pairs first, then works; later it needs none; logout ends it", async () => {
    const running = start(["--server", product.url, "--codex-bin", codex, "--json", "--name", "laptop"]);
    expect((await decide(running, "approve")).status).toBe(200);
    await running.said(/Connected to/);
    for (const line of running.text().trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
    const [, workerId = ""] = await running.said(/"state":"paired","worker_id":"([^"]+)"/);
    const file = join(folder, "config/openagents/credentials.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const owner = as(product.url, cookie);
    const sent = await owner("POST", "/api/runtime/threads/thread_cli/messages", { text: "say hello" });
    expect(sent.json.data.control.worker_id).toBe(workerId);
    await running.said(/"event":"turn"/);
    await answered(owner, "thread_cli", "say hello");
    running.child.kill("SIGINT");
    expect(await running.child.exited).toBe(0);

    const again = start(["--codex-bin", codex]);
    await again.said(/Connected to .* as desktopw:/);
    const { text } = await run(["status", "--codex-bin", codex, "--json"]);
    expect(JSON.parse(text)).toMatchObject({
      codex_version: "0.169.0",
      service: "not installed",
      servers: [{ server: product.url, worker_id: workerId, state: "running" }],
    });
    expect((await run(["logout"])).text).toContain(`Signed out of ${product.url}`);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({});
    expect(await again.child.exited).toBe(4);
    expect((await run(["logout", "--server", product.url])).text).toContain("Not paired");
  }, 60_000);

  test("on a terminal the code stands in large letters over a QR code", async () => {
    const child = Bun.spawn(
      ["/usr/bin/script", "-qec", `'${binary}' worker pair --server ${product.url}`, "/dev/null"],
      {
        env: environment(),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      },
    );
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("Waiting for you")) break;
    }
    child.kill();
    await child.exited;
    expect(text).toContain(`${product.url}/pair?code=`);
    expect(text).toMatch(/█/);
    expect(text).toMatch(/\d:\d\d left/);
  }, 30_000);
});

describe("as a service", () => {
  test("is written, started, shown and removed", async () => {
    const config = join(folder, "service/openagents");
    mkdirSync(config, { recursive: true });
    const credential = { token: "1|x", worker_id: "desktopw:two", user: "Ann" };
    writeFileSync(join(config, "credentials.json"), JSON.stringify({ "http://127.0.0.1:1": credential }));
    const log = join(folder, "systemctl.log");
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/systemctl"), `#!/bin/sh\necho "$@" >> '${log}'\necho active\n`);
    chmodSync(join(folder, "bin/systemctl"), 0o755);
    const env = { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, XDG_CONFIG_HOME: join(folder, "service") };
    const unit = join(folder, "service/systemd/user/openagents-worker.service");

    const installed = await run(["install", "--codex-bin", codex], env);
    expect(installed.text).toContain(`Installed and started: ${unit}`);
    expect(readFileSync(unit, "utf8")).toContain(
      `ExecStart=${binary} worker --server http://127.0.0.1:1 --workspace ${join(folder, "work")} --codex-bin ${codex}`,
    );
    expect((await run(["status", "--codex-bin", codex], env)).text).toMatch(
      /service {2}active\nserver {3}http:\/\/127\.0\.0\.1:1/,
    );
    expect((await run(["uninstall"], env)).text).toContain("Removed.");
    expect(existsSync(unit)).toBe(false);
    expect((await run(["uninstall"], env)).text).toContain("There is no service.");
    expect(
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => !line.includes("is-active")),
    ).toEqual([
      "--user daemon-reload",
      "--user enable --now openagents-worker.service",
      "--user disable --now openagents-worker.service",
      "",
    ]);
  });

  test("where nothing starts services it says what to run", async () => {
    const { code, text } = await run(["install", "--server", "http://127.0.0.1:1", "--token-file", codex], {
      PATH: "/nowhere",
    });
    expect(text).toMatch(/systemctl is not on this machine; let what starts your services run: .* worker --server/);
    expect(code).toBe(1);
  });
});

describe("stopping", () => {
  test("a second signal ends it at once with 130", async () => {
    const { json } = await as(product.url, cookie)("POST", "/api/tokens", { name: "cli" });
    const running = start(["--server", product.url, "--codex-bin", codex, "--worker-id", "desktopw:two"], {
      OA_API_TOKEN: json.data.token,
    });
    await running.said(/Connected to/);
    await as(product.url, cookie)("POST", "/api/runtime/codex/workers/desktopw%3Atwo/requests", {
      request: { request_id: "req_hang", method: "turn/start", params: { thread_id: "thread_two", text: "stubborn" } },
    });
    await running.said(/→ stubborn/);
    running.child.kill("SIGTERM");
    await running.said(/Stopping; once more ends at once/);
    running.child.kill("SIGTERM");
    expect(await running.child.exited).toBe(130);
  }, 30_000);
});

describe("serve --worker", () => {
  const serve = async (env: Record<string, string>, flags: string[] = []) => {
    const data = mkdtempSync(join(tmpdir(), "oa-beside-"));
    const child = Bun.spawn(
      [binary, "serve", "--port", "0", "--worker", "--workspace", join(folder, "work"), ...flags],
      {
        cwd: data,
        env: { ...environment(), OA_DATA_DIR: join(data, "data"), OA_CODEX_BIN: codex, OA_LOG_FORMAT: "json", ...env },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    let text = "";
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
    };
    void read(child.stdout);
    void read(child.stderr);
    const until = async (look: () => string | undefined | null): Promise<string> => {
      for (;;) {
        const found = look();
        if (found) return found;
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${text}`);
        await Bun.sleep(10);
      }
    };
    const file = join(data, "data/owner-link");
    const link = await until(() => (existsSync(file) ? /https?:\S+/.exec(readFileSync(file, "utf8"))?.[0] : null));
    const close = async () => {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(data, { recursive: true, force: true });
    };
    return {
      child,
      link,
      url: new URL(link).origin,
      said: (form: RegExp) => until(() => form.exec(text)?.[0]),
      text: () => text,
      close,
    };
  };

  test("waits for an owner, then works without pairing, and is stopped with the server", async () => {
    const beside = await serve({ OA_SHUTDOWN_DELAY_MS: "0" });
    try {
      expect(beside.text()).not.toContain("Connected to");
      const owner = as(beside.url, await signIn(beside.link));
      await beside.said(/Connected to/);
      await owner("POST", "/api/runtime/threads/thread_beside/messages", { text: "say beside" });
      await answered(owner, "thread_beside", "say beside");
      const { json } = await owner("GET", "/api/runtime/codex/workers");
      expect(json.data.map(({ status }: { status: string }) => status)).toEqual(["running"]);
      beside.child.kill("SIGTERM");
      expect(await beside.child.exited).toBe(0);
    } finally {
      await beside.close();
    }
  }, 60_000);

  test.each([
    ["refused", [], "failed"],
    ["allowed by --worker-full-access", ["--worker-full-access"], "completed"],
  ])(
    "a Codex without sandbox is %s",
    async (_name, flags, status) => {
      const beside = await serve({ FAKE_SANDBOX: "dangerFullAccess" }, flags);
      try {
        const owner = as(beside.url, await signIn(beside.link));
        await beside.said(/Connected to/);
        await owner("POST", "/api/runtime/threads/thread_open/messages", { text: "say open" });
        for (;;) {
          const { json } = await owner("GET", "/api/runtime/threads/thread_open");
          const [turn] = json.data.turns;
          if (turn.status === "failed" || turn.status === "completed") {
            expect(turn.status).toBe(status);
            if (status === "failed") expect(turn.error.message).toContain("--worker-full-access");
            break;
          }
          await Bun.sleep(20);
        }
      } finally {
        await beside.close();
      }
    },
    60_000,
  );

  test("without Codex one line says so, and the server runs on", async () => {
    const beside = await serve({ OA_CODEX_BIN: "/nowhere/codex" });
    try {
      await beside.said(/Codex was not found at \/nowhere\/codex/);
      expect((await fetch(`${beside.url}/readyz`)).status).toBe(200);
    } finally {
      await beside.close();
    }
  }, 60_000);
});
