/**
 * WorkOS on loopback (auth.md 6):
 *
 * ```ts
 * const workos = fakeWorkos();
 * // WORKOS_CLIENT_ID: "client_1", WORKOS_API_KEY: workos.apiKey, OA_WORKOS_API_BASE_URL: workos.url
 * workos.people.set("chris@openagents.com", { id: "user_abc123", first_name: "Chris" });
 * const code = workos.codes.get("chris@openagents.com");   // after a magic_auth call
 * workos.fault = { at: "magic_auth", kind: "500" };
 * workos.calls                                             // method, path, body of every call
 * await workos.close();
 * ```
 */
export interface WorkosPerson {
  id: string;
  first_name?: string | null;
  last_name?: string | null;
  profile_picture_url?: string | null;
  /** What `user.email` says; the key of the map unless told. */
  email?: string;
}

type At = "magic_auth" | "authenticate" | "users";
/**
 * `slow`: a right answer, but only after `release()`. `garbage`: JSON cut short. `huge`: more than anybody should read.
 * `redirect`: to a place that would say yes.
 */
type FaultKind =
  | "500"
  | "400"
  | "401"
  | "429"
  | "html"
  | "garbage"
  | "huge"
  | "redirect"
  | "slow"
  | "hang"
  | "no_user_id"
  | "no_user"
  | "no_tokens"
  | "no_email"
  | "by_email_400";

export interface FakeWorkos {
  url: string;
  apiKey: string;
  people: Map<string, WorkosPerson>;
  /** Living codes by folded e-mail. */
  codes: Map<string, string>;
  calls: {
    method: string;
    path: string;
    body: Record<string, unknown>;
    authorization: string | null;
    userAgent: string | null;
    contentType: string | null;
  }[];
  fault: { at: At; kind: FaultKind } | null;
  expiresAt: string | null;
  /** Calls that wait for `release`, hanging ones too. */
  waiting(): number;
  /** Lets the slow and the hanging go on. */
  release(): void;
  close(): Promise<void>;
}

const json = (status: number, body: unknown) => Response.json(body, { status });

export function fakeWorkos(): FakeWorkos {
  let next = 100_000;
  const hanging: (() => void)[] = [];
  const release = () => {
    for (const go of hanging.splice(0)) go();
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const path = new URL(request.url).pathname;
      const body = (await request.json().catch(() => ({}))) as Record<string, unknown>;
      const authorization = request.headers.get("authorization");
      fake.calls.push({
        method: request.method,
        path,
        body,
        authorization,
        userAgent: request.headers.get("user-agent"),
        contentType: request.headers.get("content-type"),
      });
      const at = path.split("/").filter(Boolean)[1] as At;
      const fault = fake.fault?.at === at ? fake.fault.kind : null;
      if (fault === "hang" || fault === "slow") await new Promise<void>((done) => hanging.push(done));
      if (fault === "hang") return json(504, {});
      if (fault === "401" || fault === "429") return json(Number(fault), { message: "no" });
      if (fault === "garbage")
        return new Response('{"user_id":"user_1","us', { headers: { "content-type": "application/json" } });
      if (fault === "huge") return json(200, { user_id: "user_1", padding: "x".repeat(2_000_000) });
      if (fault === "redirect") return Response.redirect("/user_management/anything", 307);
      if (fault === "500") return json(500, { message: "boom", code: "secret-in-error" });
      if (fault === "400") return json(400, { message: "no" });
      if (fault === "html") return new Response("<html>busy</html>", { headers: { "content-type": "text/html" } });
      if (authorization !== `Bearer ${fake.apiKey}`) return json(401, { message: "Unauthorized" });
      if (at === "magic_auth") return magicAuth(body, fault);
      if (at === "authenticate") return authenticate(body, fault);
      return request.method === "DELETE" ? remove(path) : json(404, {});
    },
  });

  const personOf = (email: string): [string, WorkosPerson] => {
    const key = email.toLowerCase();
    const known = fake.people.get(key) ?? { id: `user_${key.replace(/[^a-z0-9]/g, "")}` };
    fake.people.set(key, known);
    return [key, known];
  };

  const magicAuth = (body: Record<string, unknown>, fault: FaultKind | null) => {
    const [key, person] = personOf(String(body.email));
    const code = String(next++);
    fake.codes.set(key, code);
    return json(201, {
      object: "magic_auth",
      id: "magic_auth_1",
      ...(fault === "no_user_id" ? {} : { user_id: person.id }),
      email: body.email,
      expires_at: fake.expiresAt ?? new Date(Date.now() + 600_000).toISOString(),
      code,
    });
  };

  const authenticate = (body: Record<string, unknown>, fault: FaultKind | null) => {
    if (body.client_secret !== fake.apiKey) return json(401, {});
    if (fault === "by_email_400" && body.email !== undefined) return json(400, { error: "email_not_supported" });
    const found = [...fake.people].find(
      ([email, person]) => person.id === body.user_id || email === String(body.email).toLowerCase(),
    );
    if (!found || fake.codes.get(found[0]) !== body.code) return json(400, { error: "invalid_grant" });
    const [email, person] = found;
    fake.codes.delete(email);
    const user = {
      object: "user",
      id: person.id,
      email: fault === "no_email" ? undefined : (person.email ?? email),
      first_name: person.first_name ?? null,
      last_name: person.last_name ?? null,
      email_verified: true,
      profile_picture_url: person.profile_picture_url ?? null,
    };
    return json(200, {
      ...(fault === "no_user" ? {} : { user }),
      ...(fault === "no_tokens" ? {} : { access_token: "workos_access", refresh_token: "workos_refresh" }),
      organization_id: null,
      authentication_method: "MagicAuth",
    });
  };

  const remove = (path: string) => {
    const id = decodeURIComponent(path.split("/").at(-1) ?? "");
    const found = [...fake.people].find(([, person]) => person.id === id);
    if (!found) return json(404, { message: "not found" });
    fake.people.delete(found[0]);
    return new Response(null, { status: 204 });
  };

  const fake: FakeWorkos = {
    url: server.url.origin,
    apiKey: "sk_test_fake",
    people: new Map(),
    codes: new Map(),
    calls: [],
    fault: null,
    expiresAt: null,
    waiting: () => hanging.length,
    release,
    async close() {
      release();
      await server.stop(true);
    },
  };
  return fake;
}
