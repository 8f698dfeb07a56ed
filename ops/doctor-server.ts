export interface Check {
  id: string;
  status: "ok" | "warn" | "fail";
  text: string;
  hint: string | null;
}

const answer = (id: string, good: boolean, text: string, hint: string | null = null): Check => ({
  id,
  status: good ? "ok" : "fail",
  text,
  hint: good ? null : hint,
});

const limit = () => AbortSignal.timeout(15_000);

/** What a running server says of itself, from outside (ops-data 2.7). */
export async function checkServer(given: string): Promise<Check[]> {
  const base = given.replace(/\/+$/, "");
  const headers = {
    accept: "application/json",
    "x-client": "openagents-ops",
    "x-request-id": `ops-${crypto.randomUUID()}`,
  };
  try {
    const ready = await fetch(`${base}/readyz`, { headers, signal: limit() });
    const { status } = (await ready.json()) as { status?: string };
    const state = answer("http.ready", ready.ok, `${base} is ${status ?? `HTTP ${ready.status}`}`, "look at its log");
    return [state, await assets(base, headers), await socket(base)];
  } catch (error) {
    return [
      answer(
        "http.ready",
        false,
        `${base} cannot be reached (${(error as Error).message})`,
        "check --base, and that the server runs",
      ),
    ];
  }
}

async function assets(base: string, headers: Record<string, string>): Promise<Check> {
  const manifest = (await (await fetch(`${base}/manifest.json`, { headers, signal: limit() })).json()) as {
    serviceWorker?: { pinnedAssets?: string[] };
  };
  const pinned = (manifest.serviceWorker?.pinnedAssets ?? []).filter((path) => path.startsWith("/assets/"));
  const bad: string[] = [];
  for (const path of pinned) {
    const response = await fetch(base + path, {
      headers: { ...headers, "accept-encoding": "identity" },
      signal: limit(),
    });
    const hash = new Bun.CryptoHasher("sha256").update(await response.arrayBuffer()).digest("hex");
    if (response.headers.get("etag") !== `"${hash}"`) bad.push(path);
  }
  return answer(
    "http.assets",
    pinned.length > 0 && !bad.length,
    bad.length ? `wrong: ${bad.join(", ")}` : `${pinned.length} files with their hashes`,
  );
}

/** A handshake without a token is refused by the application, not by a proxy that knows no upgrade. */
async function socket(base: string): Promise<Check> {
  const response = await fetch(`${base}/sync/socket/websocket`, {
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64"),
    },
    signal: limit(),
  });
  await response.body?.cancel();
  const ours = response.headers.has("x-request-id") || response.status === 101;
  return answer(
    "http.ws",
    ours,
    `handshake answered ${response.status}`,
    "does the proxy pass Upgrade and Connection on?",
  );
}
