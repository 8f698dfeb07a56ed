/**
 * Every route of the manifest, as the product composes it, asked in every wrong way. Whatever is sent: no 500, the
 * contract's envelope, nothing of the insides, and no secret in an answer or a line of the log. New routes are in by
 * themselves.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Answer } from "../support/app";
import { engines } from "../support/database";
import { type Asking, exampleFor, pathOf, planted, startAsking } from "./asking";
import type { Credentials } from "./callers";
import { fieldsOf, nested, oddValues, withField, wrongTypes } from "./fields";

const json = { "content-type": "application/json" };

/** The first five stand for the others where a look-up costs milliseconds: on the embedded database. */
const badCredentials: [string, Credentials][] = [
  ["nothing", { "x-none": "" }],
  ["cookies", { cookie: `oa_access_token=oa_at_${planted}; oa_refresh_token=oa_rt_${planted}` }],
  ["an unknown session", { authorization: `Bearer oa_at_${planted}` }],
  ["an unknown token", { authorization: `Bearer 1|${planted}${planted}` }],
  ["a word", { authorization: "Bearer" }],
  ["another scheme", { authorization: `Basic ${btoa(`ann:${planted}`)}` }],
  ["an id beyond bigint", { authorization: `Bearer 99999999999999999999|${planted}${planted}` }],
  ["a token of another kind", { authorization: `Bearer oa_rt_${planted}` }],
  ["a JWT", { authorization: `Bearer eyJhbGciOiJub25lIn0.${btoa(`{"sub":"${planted}"}`)}.` }],
  ["a long one", { authorization: `Bearer ${planted.repeat(300)}` }],
  ["cookies that are none", { cookie: `;;=;oa_access_token="%%${planted}";\toa_refresh_token` }],
  [
    "signatures",
    { "x-oa-internal-signature": planted, "svix-signature": `v1,${planted}`, "x-oa-smoke-secret": planted },
  ],
];

const brokenBodies: [string, string, string][] = [
  ["a torn body", "application/json", `{"planted":"${planted}`],
  ["a list", "application/json", `["${planted}"]`],
  ["a text", "application/json", `"${planted}"`],
  ["null", "application/json", "null"],
  ["NaN", "application/json", '{"a":NaN}'],
  ["a comment", "application/json", '{/* */"a":1}'],
  ["two documents", "application/json", "{}{}"],
  ["another charset", "application/json; charset=utf-16", `{"planted":"${planted}"}`],
  ["lists 10,000 deep", "application/json", "[".repeat(10_000)],
  ["objects 10,000 deep", "application/json", `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`],
  ["66 levels", "application/json", JSON.stringify({ a: nested(65) })],
];

const form = "application/x-www-form-urlencoded";
const parts = "multipart/form-data; boundary=b";
const brokenForms: [string, string, string][] = [
  ["names 20,000 deep", form, `a${"[b]".repeat(20_000)}=1`],
  ["50,000 fields", form, "a=1&".repeat(15_000)],
  ["names of the prototype", form, "__proto__[a]=1&constructor[prototype][a]=1&a[__proto__][b]=1"],
  ["a huge index", form, "a[4294967295]=1&a[-1]=2&a[1e9]=3"],
  ["half an escape", form, "a=%&b=%f&%zz=1&=&&"],
  ["a field that is two things", form, "a=1&a[b]=2&a[]=3"],
  ["no boundary", "multipart/form-data", "--b\r\n\r\n"],
  ["parts that do not end", parts, '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'],
  ["a file", parts, '--b\r\nContent-Disposition: form-data; name="name"; filename="../x"\r\n\r\n1\r\n--b--\r\n'],
  ["no parts", parts, planted],
];

/** Headers that something of ours reads. */
const readHeaders =
  "accept,accept-encoding,content-type,cookie,forwarded,host,if-none-match,last-event-id,origin,referer,sec-fetch-site,traceparent,tracestate,user-agent,x-client,x-device-id,x-forwarded-for,x-forwarded-host,x-forwarded-proto,x-oa-client-build-id,x-oa-protocol-version,x-oa-route-key,x-oa-schema-version,x-real-ip,x-request-id,x-requested-with,x-xsrf-token".split(
    ",",
  );
const oddHeaders = ["", " ", "\u00e9\u00ff", ';;,,=="', "%00%zz", "a".repeat(4000), "-1", "[::1", "{}"];

/** Statuses that tell somebody without good credentials so. */
function refusalsOf(auth: string, path: string): number[] {
  if (auth === "session cookie" || path === "/settings/profile") return [302, 401, 419];
  if (auth === "signed URL") return [401, 403, 404];
  return path.endsWith("/websocket") ? [426] : [401, 419];
}

for (const engine of engines) {
  describe(engine, () => {
    let asking: Asking;
    beforeAll(async () => {
      asking = await startAsking(engine);
    });
    afterEach(() => expect(asking.problems()).toEqual([]));
    afterAll(() => asking.app.close());

    test("no credentials, and bad ones", async () => {
      const { cases, ask, same } = asking;
      for (const one of cases) {
        const { auth, path } = one.row;
        const refusals = refusalsOf(auth, path);
        for (const [what, as] of engine === "pglite" ? badCredentials.slice(0, 5) : badCredentials) {
          const asked = { as, path: `${pathOf(one.row)}?token=${planted}&email=a@a.example` };
          const { status, headers } = await ask(one, what, asked);
          if (/^(public|public or user|guest|page.*)$/.test(auth)) continue;
          same(`${one.key}, ${what}`, refusals.includes(status) ? "refused" : status, "refused");
          if (status === 401) same(`${one.key}, ${what}`, headers.get("www-authenticate"), "Bearer");
          if (status === 419) same(`${one.key}, ${what}`, "cookie" in as, true);
        }
      }
    });

    test("another user's ids", async () => {
      const { app, callers, cases, ask, same } = asking;
      const ann = await app.person("ann@a.example");
      const session = await callers.session("anna@a.example");
      const as = (method: string, path: string, body?: unknown) => app.send(method, path, { as: ann, body });
      await as("POST", "/api/runtime/codex/workers", { worker_id: "worker-of-ann", metadata: { session_id: "s" } });
      await as("POST", "/api/runtime/threads/thread-of-ann/messages", { text: "Mine.", worker_id: "worker-of-ann" });
      const shown = await app.send("GET", "/api/auth/session", { headers: session });
      const hers: Record<string, string> = {
        workerId: "worker-of-ann",
        threadId: "thread-of-ann",
        conversationId: "thread-of-ann",
        tokenId: ann.token.split("|")[0] as string,
      };
      const paths = cases.filter(({ row }) => Object.keys(hers).some((name) => row.path.includes(`{${name}}`)));
      for (const one of paths) {
        if (one.row.domain === "shell") continue;
        const path = one.row.path.replace(/\{(\w+)\}/g, (_, name: string) => hers[name] ?? "1");
        const body = one.row.method === "GET" ? undefined : exampleFor(one);
        const { status, text } = await ask(one, "another's id", { path, body });
        same(`${one.key} of somebody else`, [403, 404].includes(status) || `${status} ${text}`, true);
        same(`${one.key} tells nothing`, /Mine|ann@a/.test(text), false);
      }
      expect(paths.length).toBeGreaterThan(15);

      const bodies: [string, unknown, number[]][] = [
        ["POST /api/auth/sessions/revoke", { session_id: shown.json.data.session.sessionId }, [403, 404]],
        ["POST /api/orgs/active", { org_id: `user:${ann.id}` }, [403, 404]],
        ["POST /api/runtime/codex/workers", { worker_id: "worker-of-ann" }, [403]],
        ["POST /api/runtime/threads/{threadId}/messages", { text: "Yours?", worker_id: "worker-of-ann" }, [403, 404]],
      ];
      for (const [key, body, refusals] of bodies) {
        const one = cases.find((each) => each.key === key) as (typeof cases)[number];
        const { status, text } = await ask(one, "another's id", { body, path: pathOf(one.row, "thread-of-ben") });
        same(`${key} of somebody else`, refusals.includes(status) || `${status} ${text}`, true);
      }

      const worker = await as("GET", "/api/runtime/codex/workers/worker-of-ann");
      const thread = await as("GET", "/api/runtime/threads/thread-of-ann/messages");
      const after = await app.send("GET", "/api/auth/session", { headers: session });
      expect([worker.json.data.status, thread.json.data.messages.length, after.status]).toEqual(["running", 1, 200]);
    });

    test("malformed JSON, other media types, other charsets", async () => {
      const { bodied, ask, same } = asking;
      for (const one of bodied) {
        const { family } = one.row;
        if (family === "raw") continue;
        const empty = await ask(one, "{}", { body: "{}", headers: json });
        const broken = engine === "pglite" ? brokenBodies.slice(0, 4) : brokenBodies;
        for (const [what, type, body] of broken) {
          const about = `${one.key}, ${what}`;
          const answer = await ask(one, what, { body, headers: { "content-type": type } });
          same(about, answer.status, family === "strict" ? 400 : empty.status);
          if (family === "strict") same(about, answer.json?.message, "The request body is not valid JSON.");
          else if (answer.status === 422) same(about, answer.json, empty.json);
        }
        const xml = await ask(one, "XML", {
          body: `<p>${planted}</p>`,
          headers: { "content-type": "application/xml" },
        });
        same(`${one.key}, XML`, xml.status, family === "strict" ? 415 : empty.status);
        if (family === "strict") same(one.key, xml.json?.message, "Content-Type must be application/json.");
        const body = Bun.gzipSync(`{"a":"${planted}"}`);
        const packed = await ask(one, "a packed body", { body, headers: { ...json, "content-encoding": "gzip" } });
        same(`${one.key}, packed`, [packed.status, packed.headers.get("accept-encoding")], [415, "identity"]);
      }
    });

    // Nothing of such a form reaches a database: one engine tells.
    if (engine === "postgres") {
      test("forms that are none", async () => {
        const { bodied, ask, same } = asking;
        for (const one of bodied) {
          const { family, path } = one.row;
          if (family === "raw") continue;
          for (const [what, type, body] of brokenForms) {
            const { status } = await ask(one, what, { body, headers: { "content-type": type } });
            const takesForm = family === "lenient" || path === "/api/pair/token";
            if (!takesForm) same(`${one.key}, ${what}`, status, 415);
          }
        }
      });
    }

    test("a body that is too large is not read to its end, a stranger's not at all", async () => {
      const { bodied, ask, same } = asking;
      const chunk = new Uint8Array(65_536).fill(32);
      for (const one of bodied) {
        let pulled = 0;
        const endless = () =>
          new ReadableStream<Uint8Array>({
            pull(controller) {
              pulled += chunk.byteLength;
              controller.enqueue(chunk);
            },
          });
        const limit = one.row.limit as number;
        const big = await ask(one, "an endless body", { body: endless(), headers: json });
        const shown = ({ status, headers, json: body }: Answer) => [status, headers.get("connection"), body?.message];
        same(`${one.key}, endless`, shown(big), [413, "close", "The POST data is too large."]);
        same(`${one.key}, read`, pulled < limit + 4 * chunk.byteLength, true);
        const declared = { ...json, "content-length": String(limit + 1) };
        const long = await ask(one, "a large length", { body: "{}", headers: declared });
        same(`${one.key}, declared`, shown(long), shown(big));
        if (!/^(user|user, worker|admin|session)$/.test(one.row.auth)) continue;
        pulled = 0;
        const { status } = await ask(one, "a stranger's endless body", { as: {}, body: endless() });
        same(`${one.key}, stranger`, [status, pulled <= chunk.byteLength], [401, true]);
      }
    });

    test("wrong types, control characters and depth in every field of a body", async () => {
      const { bodied, ask, same } = asking;
      let asked = 0;
      const kinds = new Set<string>();
      for (const one of bodied) {
        const { body, query } = one.route;
        if (!body) continue;
        const known = { ...body.properties, ...query?.properties };
        const example = exampleFor(one);
        for (const { path, schema } of fieldsOf(body)) {
          // Fields of one kind are treated alike: the first of each in a route is asked everything, in memory the first of all.
          const kind = JSON.stringify([
            path.length,
            schema.type,
            schema.anyOf,
            schema.format,
            engine === "pglite" || one.key,
          ]);
          const values = kinds.has(kind) ? wrongTypes : [...wrongTypes, ...oddValues];
          kinds.add(kind);
          for (const [what, value] of values) {
            const about = `${what} as ${path.join(".")}`;
            const { status, json: answer } = await ask(one, about, { body: withField(example, path, value) });
            asked++;
            if (status !== 422) continue;
            for (const name of Object.keys(answer.errors ?? {})) {
              const field = name.split(".")[0] as string;
              same(`${one.key}, ${about}`, field in known || ownFields.has(`${one.key} ${field}`) || field, true);
            }
          }
        }
      }
      expect(asked).toBeGreaterThan(800);
    });

    test("wrong values in every field of a query", async () => {
      const { cases, ask } = asking;
      const odd = ["", "%00", "%ff", "abc", "-1", "1e9", "9".repeat(20), "1.5", "%0d%0ax-planted:%201", "true"];
      odd.push("x".repeat(5000));
      for (const one of cases) {
        const names = Object.keys(one.route.query?.properties ?? {});
        const forms = names.flatMap((name) => [
          ...odd.map((value) => `${name}=${value}`),
          ...[`${name}[]=1`, `${name}[a][b]=1`, `${name}[0]=a&${name}[5]=b`, `${name}=1&${name}[]=2`, `${name}[`],
        ]);
        forms.push("__proto__[a]=1&constructor=2&a[__proto__][b]=3", "=&&%00=1&[]=2&a]b=3");
        for (const form of forms) await ask(one, `?${form}`, { path: `${pathOf(one.row)}?${form}` });
      }
    });

    test("odd path parameters", async () => {
      const { cases, ask, same } = asking;
      const odd = ["%01", "%0d%0a", "%7f", "a%2Fb", "..%2f..%2fetc%2fpasswd", "%e2%80%ae", "0", "-1", "9".repeat(22)];
      odd.push("1e3", "'%20or%201=1--", "%25", "null", "%20", "__proto__", "x".repeat(3000));
      for (const one of cases.filter(({ row }) => row.path.includes("{"))) {
        const body = one.row.method === "GET" ? undefined : exampleFor(one);
        for (const part of odd) await ask(one, part, { path: pathOf(one.row, part), body });
        const { status } = await ask(one, "%00", { path: pathOf(one.row, "%00"), body });
        if (one.row.path.startsWith("/api/")) same(`${one.key}, %00`, status, 404);
        for (const part of ["%zz", "%ff", "%c3%28", "%"]) {
          const broken = await ask(one, part, { path: pathOf(one.row, part) });
          same(`${one.key}, ${part}`, [broken.status, broken.json?.message], [400, "Malformed URL."]);
        }
      }
    });

    test("odd values in every header that is read", async () => {
      const { cases, ask } = asking;
      // One GET of each domain and the door: what reads headers is the same for the others.
      const gets = Map.groupBy(cases, ({ row }) => `${row.method} ${row.domain}`);
      const some = [...gets]
        .filter(([key]) => key.startsWith("GET "))
        .map(([, [first]]) => first as (typeof cases)[number]);
      for (const one of [...some, ...cases.filter(({ key }) => key === "POST /api/auth/verify")]) {
        const body = one.row.method === "GET" ? undefined : exampleFor(one);
        for (const name of engine === "pglite" ? ["x-device-id", "x-request-id", "user-agent"] : readHeaders) {
          for (const value of oddHeaders) await ask(one, `${name}: ${value}`, { body, headers: { [name]: value } });
        }
      }
    });

    test("methods that a path does not have", async () => {
      const { cases, ask, same } = asking;
      const order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
      const fits = (template: string, path: string) =>
        new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
      for (const one of new Map(cases.map((each) => [each.row.path, each])).values()) {
        const path = pathOf(one.row);
        // Sign-in links exist with one provider only: elsewhere neither the page nor its form does.
        if (path === "/login/link/1") continue;
        const known = new Set(cases.filter(({ row }) => fits(row.path, path)).map(({ row }) => row.method));
        if (known.has("GET")) known.add("HEAD");
        const list = order.filter((word) => known.has(word)).join(", ");
        for (const method of [...order, "PROPFIND", "MKCOL", "SEARCH"]) {
          if (known.has(method) || method === "HEAD") continue;
          const { status, headers, json: body } = await ask(one, method, { method, as: {} });
          const text = `The ${method} method is not supported for route ${path.replace(/^\//, "")}. Supported methods: ${list}.`;
          const wanted = { message: text, error: { code: "method_not_allowed", message: text } };
          same(`${method} ${path}`, [status, headers.get("allow"), body], [405, list, wanted]);
        }
      }
    });

    test("OPTIONS asks for nothing", async () => {
      const { cases, ask, same } = asking;
      const origin = "https://console.openagents.com";
      const crossing = /^\/api\/(?!internal\/|webhooks\/)|^\/(openapi|manifest)\.json$|^\/sanctum\/csrf-cookie$/;
      for (const one of cases) {
        const { status, headers, text } = await ask(one, "OPTIONS", { method: "OPTIONS", as: {}, headers: { origin } });
        same(`OPTIONS ${one.key}`, [status, text, headers.get("cache-control")], [204, "", "no-store"]);
        const crosses = crossing.test(one.row.path);
        same(`OPTIONS ${one.key}`, headers.get("access-control-allow-origin"), crosses ? origin : null);
        const methods = headers.get(crosses ? "access-control-allow-methods" : "allow") ?? "";
        if (crosses) same(`OPTIONS ${one.key}`, methods, "GET,POST,PATCH,DELETE,OPTIONS");
        else same(`OPTIONS ${one.key}`, methods.split(", ").includes(one.row.method) || methods, true);
      }
    });

    test("nothing of it was an error in the log, and no secret is in any line", async () => {
      const { app } = asking;
      await app.ctx.log.flush();
      const lines = app.log.join("").split("\n");
      expect(lines.length).toBeGreaterThan(1000);
      const shown = (found: string[]) => found.slice(0, 3).map((line) => line.slice(0, 1000));
      expect(shown(lines.filter((line) => line.includes(planted)))).toEqual([]);
      expect(shown(lines.filter((line) => /"level":"error"|"logger":"oa.error"/.test(line)))).toEqual([]);
    });
  });
}

/** Errors that stand for more than one field. */
const ownFields = new Set(["POST /api/auth/sessions/revoke target", "POST /api/v1/auth/sessions/revoke target"]);
