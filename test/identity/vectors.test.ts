import { describe, expect, test } from "bun:test";
import { readConfig } from "../../src/config";
import { returnPath } from "../../src/identity/cookies";
import { patSecret, readPat, sha256, uuid5Dns } from "../../src/identity/credentials";
import { deviceIdOf, signInDevice, tokenNameOf } from "../../src/identity/devices";
import { readJwt, signJwt } from "../../src/identity/jwt";
import { emailDomain, handleBase, nameFromEmail, numbered } from "../../src/identity/names";
import { foldUserCode } from "../../src/identity/pairing";
import { providerOf, providerProblems } from "../../src/identity/providers";
import { mockId } from "../../src/identity/sign-in";
import { testLoginLink, testLoginSignature } from "../../src/identity/test-login";
import { tokenWarnings } from "../../src/identity/token-settings";
import { appKeys, makeAppKey, open, readAppKey, seal, Unreadable } from "../../src/keys";
import { randomLetters } from "../../src/letters";

describe("stored forms (auth 3.4, 3.5)", () => {
  test("a token's secret carries the CRC-32 of its entropy and is stored as SHA-256 without its id", () => {
    const secret = patSecret("", "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd");
    expect(secret).toBe("AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdf8c8ab1e");
    expect(readPat(`12|${secret}`)).toEqual({
      id: 12,
      hash: "2a0e4387dcc10a3114bf3518c114512abbe68156819fdcc9491b574cd059662b",
    });
  });

  test.each([
    ["oa_pat_seed_token_alpha", "8f829b1ca9ddf37ad2b177019b49700505d9e2f27e2b310f3b08b8e061ba8553"],
    ["oa_at_00112233445566778899aabbccddeeff", "d5226442b20b8d8c1ef8dfe866b29a31d3482fdbea631fc5fbe516637bcedc2d"],
    ["oa_rt_00112233445566778899aabbccddeeff", "05ffe4981fd9e5cf5329f46779c52ce048e32a70574a5f0a5439d0fbc7e8fe01"],
  ])("%s", (token, hash) => expect(sha256(token)).toBe(hash));

  test.each(["|x", "x|y", "12|", "1.5|x", " 1|x", "99999999999999999999|x", "-1|x"])("%p is no token", (bearer) =>
    expect(readPat(bearer)).toBeNull(),
  );

  test("secrets are 48 characters and never the same", () => {
    const made = new Set(Array.from({ length: 200 }, () => patSecret("")));
    expect(made.size).toBe(200);
    for (const secret of made) expect(secret).toMatch(/^[A-Za-z0-9]{40}[0-9a-f]{8}$/);
    expect(patSecret("oa_")).toStartWith("oa_");
  });

  test("letters are drawn evenly", () => {
    const counts = new Map<string, number>();
    for (const digit of randomLetters(20_000, "0123456789")) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect(counts.size).toBe(10);
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });
});

describe("names (auth 3.3)", () => {
  test.each([
    ["Chris.David+x@openagents.com", "chris-david-x"],
    ["user:one_two-3@z.z", "user:one_two-3"],
    ["__a__@x.y", "__a__"],
    ["ÅSA@x.y", "sa"],
    ["John Smith", "john-smith"],
    ["...@x.y", "user"],
    [`${"a".repeat(80)}@x.y`, "a".repeat(64)],
    ["", "user"],
  ])("handle of %p is %p", (input, handle) => expect(handleBase(input)).toBe(handle));

  test("a taken handle is cut so that its number fits", () => {
    expect(numbered("chris", 0)).toBe("chris");
    expect(numbered("chris", 12)).toBe("chris-12");
    expect(numbered("a".repeat(64), 12)).toBe(`${"a".repeat(61)}-12`);
  });

  test.each([
    ["john.doe-smith_x@a.b", "John Doe Smith X"],
    ["...@a.b", "API User"],
    ["ana@a.b", "Ana"],
    [`${"a".repeat(130)}@a.b`, `A${"a".repeat(119)}`],
  ])("name of %p is %p", (email, name) => expect(nameFromEmail(email)).toBe(name));

  test("only the domain of an address is ever told", () => {
    expect(emailDomain(" Chris@OpenAgents.COM ")).toBe("openagents.com");
    expect(emailDomain("nonsense")).toBe("unknown");
  });
});

describe("devices (auth 3.5)", () => {
  test.each([
    ["autopilot-ios", "mobile:autopilot-ios"],
    ["openagents-expo", "mobile:openagents-expo"],
    ["autopilot-desktop", "desktop:autopilot-desktop"],
    ["openagents-desktop", "desktop:openagents-desktop"],
    ["curl", "device:unknown"],
    [null, "device:unknown"],
  ])("token name of %p is %p", (client, name) => expect(tokenNameOf(client)).toBe(name));

  test("what the client says wins, then a native client's name, then the cookie, then a new browser id", () => {
    expect(signInDevice("ios:1", "autopilot-ios", "web:x")).toBe("ios:1");
    expect(signInDevice(null, "autopilot-ios", "web:x")).toBe("mobile:autopilot-ios");
    expect(signInDevice(null, "openagents-web", "web:x")).toBe("web:x");
    expect(signInDevice(null, null, "no spaces allowed")).toMatch(/^web:[0-9a-f]{32}$/);
    expect(signInDevice(null, null, undefined)).toMatch(/^web:[0-9a-f]{32}$/);
  });

  test("an id is trimmed and lower-cased", () => expect(deviceIdOf("  IOS:23B77335 ")).toBe("ios:23b77335"));
  test("a long one is refused", () =>
    expect(() => deviceIdOf("a".repeat(161))).toThrow("Device id exceeds maximum length."));
  test("160 are fine", () => expect(deviceIdOf("a".repeat(160))).toHaveLength(160));
  test.each(["a b", "ü", "a/b", "a\nb"])("%p is refused", (id) =>
    expect(() => deviceIdOf(id)).toThrow("Device id contains unsupported characters."),
  );
});

describe("tokens as JWTs (auth 3.7, 3.8)", () => {
  const sync = {
    iss: "https://openagents.test",
    aud: "openagents-sync-test",
    sub: "user:7",
    iat: 1771502400,
    nbf: 1771502400,
    exp: 1771502700,
    jti: "sync_00112233445566778899aabbccddeeff",
    oa_user_id: 7,
    oa_org_id: "user:7",
    oa_session_id: "sess_0123456789abcdef0123456789abcdef",
    oa_device_id: "mobile:autopilot-ios",
    oa_sync_scopes: ["runtime.codex_worker_events", "runtime.run_summaries"],
    oa_sync_topics: ["org:user:7:worker_events", "user:7:runs"],
    oa_claims_version: "oa_sync_claims_v1",
  };
  const vector =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InN5bmMtYXV0aC10ZXN0LXYxIn0.eyJpc3MiOiJodHRwczovL29wZW5hZ2VudHMudGVzdCIsImF1ZCI6Im9wZW5hZ2VudHMtc3luYy10ZXN0Iiwic3ViIjoidXNlcjo3IiwiaWF0IjoxNzcxNTAyNDAwLCJuYmYiOjE3NzE1MDI0MDAsImV4cCI6MTc3MTUwMjcwMCwianRpIjoic3luY18wMDExMjIzMzQ0NTU2Njc3ODg5OWFhYmJjY2RkZWVmZiIsIm9hX3VzZXJfaWQiOjcsIm9hX29yZ19pZCI6InVzZXI6NyIsIm9hX3Nlc3Npb25faWQiOiJzZXNzXzAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwib2FfZGV2aWNlX2lkIjoibW9iaWxlOmF1dG9waWxvdC1pb3MiLCJvYV9zeW5jX3Njb3BlcyI6WyJydW50aW1lLmNvZGV4X3dvcmtlcl9ldmVudHMiLCJydW50aW1lLnJ1bl9zdW1tYXJpZXMiXSwib2Ffc3luY190b3BpY3MiOlsib3JnOnVzZXI6Nzp3b3JrZXJfZXZlbnRzIiwidXNlcjo3OnJ1bnMiXSwib2FfY2xhaW1zX3ZlcnNpb24iOiJvYV9zeW5jX2NsYWltc192MSJ9.TeVnDnIx6RMt5FkVd2QluMVFl29RBDGNwLlKl3vr3GU";

  test("the sync vector to the byte", async () => {
    expect(await signJwt(sync, "sync-test-signing-key", "sync-auth-test-v1")).toBe(vector);
    expect(await readJwt(vector, new Map([["sync-auth-test-v1", "sync-test-signing-key"]]))).toEqual(sync);
  });

  test("the Khala vector's signature", async () => {
    const claims = {
      iss: "https://openagents.test",
      aud: "openagents-khala-test",
      sub: "user:7",
      iat: 1771502400,
      nbf: 1771502400,
      exp: 1771502700,
      jti: "00112233445566778899aabb",
      oa_user_id: 7,
      oa_claims_version: "oa_khala_claims_v1",
      scope: ["codex:read", "codex:write"],
      oa_workspace_id: "workspace_42",
      oa_role: "admin",
    };
    const token = await signJwt(claims, "khala-test-signing-key", "khala-auth-test-v1");
    expect(token.split(".")[2]).toBe("HER5VA8ynDKIIf7q2OO_bLowjrQ3hQ6h9U-xwuAzbtQ");
  });

  test("a blank key id leaves kid out", async () => {
    const [header] = (await signJwt({}, "k".repeat(32), "")).split(".");
    expect(Buffer.from(header as string, "base64url").toString()).toBe('{"alg":"HS256","typ":"JWT"}');
  });

  const ring = new Map([["sync-auth-test-v1", "sync-test-signing-key"]]);
  const [header, claims, signature] = vector.split(".") as [string, string, string];
  const none = Buffer.from('{"alg":"none","typ":"JWT","kid":"sync-auth-test-v1"}').toString("base64url");
  test.each([
    ["no key of that id", vector, new Map([["other", "sync-test-signing-key"]])],
    ["another key", vector, new Map([["sync-auth-test-v1", "x"]])],
    ["a changed claim", `${header}.${claims.slice(0, -2)}AA.${signature}`, ring],
    ["alg none", `${none}.${claims}.`, ring],
    ["two parts", `${header}.${claims}`, ring],
    ["words", "nonsense", ring],
    ["nothing", "", ring],
  ])("%s is refused", async (_, token, keys) => expect(await readJwt(token, keys)).toBeNull());
});

describe("test login links (auth 3.12)", () => {
  const key = "local-test-signing-key";
  const query = "email=tester@openagents.com&expires=4102444800";
  test("signatures of the contract", () => {
    expect(testLoginSignature(key, `${query}&name=MaintenanceTester`)).toBe(
      "6e240c7c843f98732e7190e52306d052497635e9a8f632dec3a1939e944b0a9a",
    );
    expect(testLoginSignature(key, query)).toBe("113add7caa62e4e043ccdf90319e50602b5f99cd9b0476fee1a595593b1b2df3");
    expect(testLoginSignature(key, `${query}&signature=abc`)).toBe(testLoginSignature(key, query));
  });
  test("a link is percent-encoded and signed as sent", () => {
    const link = testLoginLink(key, "https://next.test/", { email: "a+b@c.io", expires: 1, name: "Ann (QA)" });
    expect(link).toStartWith(
      "https://next.test/internal/test-login?email=a%2Bb%40c.io&expires=1&name=Ann%20%28QA%29&signature=",
    );
  });
});

test("the mock provider's id (auth 3.1)", () => {
  expect(mockId("Test@Example.com ")).toBe("mock_workos_fcbcbc64f85c5025877c37f4c7a12d6e");
  expect(uuid5Dns("test@example.com")).toBe("fcbcbc64f85c5025877c37f4c7a12d6e");
});

test.each([
  ["wdjb mjht", "WDJBMJHT"],
  ["WDJB-MJHT", "WDJBMJHT"],
  [" wdjbmjht ", "WDJBMJHT"],
  ["WDJB-MJHA", null],
  ["WDJB-MJH", null],
  ["", null],
])("user code %p is %p (remote-control 2)", (given, code) => expect(foldUserCode(given)).toBe(code));

describe("return path (web-ui 2.5)", () => {
  const isPage = (path: string) => path.startsWith("/l402") || path === "/login" || path === "/";
  test.each([
    ["%2Fl402%2Ftransactions%3Fpage%3D2", "/l402/transactions?page=2"],
    ["%2F%2Fevil.example", "/"],
    ["https%3A%2F%2Fevil.example", "/"],
    ["%2F%5Cevil.example", "/"],
    ["%2Flogin", "/"],
    ["%2Flogin%3Fx%3D1", "/"],
    ["%2Fapi%2Fme", "/"],
    ["%2Fl402%0D%0ASet-Cookie%3Ax", "/"],
    ["%zz", "/"],
    [undefined, "/"],
  ])("%p leads to %p", (cookie, path) => expect(returnPath(cookie, isPage)).toBe(path));
});

describe("sealed values (ops-data 3.5)", () => {
  const key = readAppKey("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") as Buffer;
  const iv = Buffer.from(Array.from({ length: 16 }, (_, i) => 0xf0 + i));
  const hello =
    "eyJpdiI6IjhQSHk4L1QxOXZmNCtmcjcvUDMrL3c9PSIsInZhbHVlIjoiM2l2bXFvNmFKcFZxTkM5UGcwZVNxdz09IiwibWFjIjoiNWIxODJjNzI2ZjdhYTk2NDcwYTZiZjdhYmNmOWMyOTM0Y2M3OTcxMTIwZGU3YWU0OGE1ZGM0YzVlOTQxODA1ZiIsInRhZyI6IiJ9";
  const serialized =
    "eyJpdiI6IjhQSHk4L1QxOXZmNCtmcjcvUDMrL3c9PSIsInZhbHVlIjoiU01WVnBSellZaHlCclVRbTZnVGR1QT09IiwibWFjIjoiZDM3NDAxY2UwZTE1NTFiZjMyYjZkYTNlNTFjOTNjZjI1NDNlMmMwZjRjYjM4N2NlMTliZDUwMTI5YjkwYjgwNCIsInRhZyI6IiJ9";
  const json =
    "eyJpdiI6IjhQSHk4L1QxOXZmNCtmcjcvUDMrL3c9PSIsInZhbHVlIjoiQTRuaU9Pb0QweTYrQVVtdWNlSEFWbkJRQWxKNTI4andpNDEwTWs0SzdjOXJSWkczdm5nNUNUcGgvLzFFbC9uTSIsIm1hYyI6ImI3ZjA1ZTY1YmM3MWMwMjE4OWJkZjA4YTNmMzAyMzg0MDA5MGM1NThmZDEyMzQwOTBhN2E3M2FkMGZiZTBmZTEiLCJ0YWciOiIifQ==";

  test("the vectors seal and open to the byte", () => {
    expect(seal("hello", key, iv)).toBe(hello);
    expect(seal('s:5:"hello";', key, iv)).toBe(serialized);
    expect(open(hello, [key])).toEqual({ text: "hello", key: 0 });
    expect(open(serialized, [key]).text).toBe("hello");
    expect(open(json, [key]).text).toBe('{"provider":"google","refresh_token":"1//ü"}');
  });

  test("a previous key opens, and the answer says which", () => {
    const fresh = readAppKey(makeAppKey()) as Buffer;
    expect(open(hello, [fresh, key])).toEqual({ text: "hello", key: 1 });
  });

  test("one flipped bit in mac, iv or value is unreadable, never garbage", () => {
    const envelope = JSON.parse(Buffer.from(hello, "base64").toString()) as Record<string, string>;
    for (const member of ["iv", "value", "mac"]) {
      const bytes = Buffer.from(envelope[member] as string, member === "mac" ? "hex" : "base64");
      bytes[0] = (bytes[0] as number) ^ 1;
      const broken = { ...envelope, [member]: bytes.toString(member === "mac" ? "hex" : "base64") };
      expect(() => open(Buffer.from(JSON.stringify(broken)).toString("base64"), [key])).toThrow(Unreadable);
    }
    expect(() => open("hello", [key])).toThrow(Unreadable);
    expect(() => open(hello, [readAppKey(makeAppKey()) as Buffer])).toThrow(Unreadable);
  });

  test("a key is base64: and 32 bytes, or 32 characters", () => {
    expect(readAppKey("x".repeat(32))).toHaveLength(32);
    expect(readAppKey("base64:AAAA")).toBeNull();
    expect(readAppKey("short")).toBeNull();
    expect(() => appKeys({ APP_KEY: null, APP_PREVIOUS_KEYS: [] })).toThrow();
  });
});

describe("configuration (auth 5)", () => {
  const fine = { APP_ENV: "production", OA_MAIL_URL: "smtps://a:b@mail.example:465", OA_MAIL_FROM: "x@y.z" };
  test.each([
    [{}, 0],
    [{ OA_MAIL_URL: "resend://re_key" }, 0],
    [{ OA_MAIL_URL: "http://mail.example" }, 1],
    [{ OA_MAIL_URL: "smtp://mail.example/path" }, 1],
    [{ OA_MAIL_FROM: "" }, 1],
    [{ OA_AUTH_PROVIDER_MODE: "ldap" }, 1],
    [{ OA_AUTH_PROVIDER_MODE: "mock" }, 1],
    [{ OA_AUTH_PROVIDER_MODE: "mock", APP_ENV: "local" }, 0],
    [{ OA_AUTH_PROVIDER_MODE: "WorkOS" }, 0],
  ])("%j has %p problems", (over, count) =>
    expect(providerProblems(readConfig({ ...fine, ...over }))).toHaveLength(count),
  );

  test.each([
    [{}, "local"],
    [{ WORKOS_CLIENT_ID: "c" }, "local"],
    [{ WORKOS_CLIENT_ID: "c", WORKOS_API_KEY: "k" }, "workos"],
    [{ WORKOS_CLIENT_ID: "c", WORKOS_API_KEY: "k", OA_AUTH_PROVIDER_MODE: "local" }, "local"],
    [{ OA_AUTH_PROVIDER_MODE: "workos" }, "workos"],
  ] as const)("%j signs in by %p", (env, provider) => expect(providerOf(readConfig(env))).toBe(provider));

  test("what holds when nothing is set", () => {
    expect(readConfig({})).toMatchObject({
      APP_ENV: "production",
      OA_AUTH_PROVIDER_MODE: "auto",
      WORKOS_CLIENT_ID: null,
      WORKOS_API_KEY: null,
      OA_WORKOS_API_BASE_URL: "https://api.workos.com",
      OA_AUTH_MOCK_MAGIC_CODE: "123456",
      OA_AUTH_CHALLENGE_TTL_SECONDS: 600,
      OA_AUTH_ACCESS_TTL_SECONDS: 3600,
      OA_AUTH_REFRESH_TTL_SECONDS: 2_592_000,
      OA_AUTH_API_SIGNUP_ENABLED: false,
      OA_AUTH_API_SIGNUP_ALLOWED_DOMAINS: [],
      OA_AUTH_API_SIGNUP_DEFAULT_TOKEN_NAME: "api-bootstrap",
      OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: false,
      OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS: [],
      OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: null,
      ADMIN_EMAILS: [],
      SANCTUM_TOKEN_PREFIX: "",
      OA_KHALA_TOKEN_ENABLED: true,
      OA_KHALA_TOKEN_SIGNING_KEY: null,
      OA_KHALA_TOKEN_AUDIENCE: "openagents-khala",
      OA_KHALA_TOKEN_TTL_SECONDS: 300,
      OA_KHALA_TOKEN_MIN_TTL_SECONDS: 60,
      OA_KHALA_TOKEN_MAX_TTL_SECONDS: 900,
      OA_KHALA_TOKEN_SUBJECT_PREFIX: "user",
      OA_KHALA_TOKEN_KEY_ID: "khala-auth-v1",
      OA_KHALA_TOKEN_CLAIMS_VERSION: "oa_khala_claims_v1",
      OA_SYNC_TOKEN_ENABLED: true,
      OA_SYNC_TOKEN_SIGNING_KEY: null,
      OA_SYNC_TOKEN_AUDIENCE: "openagents-sync",
      OA_SYNC_TOKEN_TTL_SECONDS: 300,
      OA_SYNC_TOKEN_KEY_ID: "sync-auth-v1",
      OA_SYNC_TOKEN_CLAIMS_VERSION: "oa_sync_claims_v1",
      OA_SYNC_TOKEN_ORG_PREFIX: "user",
      OA_SYNC_TOKEN_DEFAULT_SCOPES: ["runtime.codex_worker_summaries"],
      OA_SYNC_TOKEN_PREVIOUS_KEY_ID: null,
      OA_SYNC_TOKEN_PREVIOUS_SIGNING_KEY: null,
    });
    expect(readConfig({}).OA_SYNC_TOKEN_ALLOWED_SCOPES).toHaveLength(6);
  });

  test.each([
    ["OA_AUTH_API_SIGNUP_ENABLED", "OA_API_SIGNUP_ENABLED", "yes", true],
    [
      "OA_AUTH_API_SIGNUP_ALLOWED_DOMAINS",
      "OA_API_SIGNUP_ALLOWED_DOMAINS",
      "a.example, b.example",
      ["a.example", "b.example"],
    ],
    ["OA_AUTH_API_SIGNUP_DEFAULT_TOKEN_NAME", "OA_API_SIGNUP_DEFAULT_TOKEN_NAME", "x", "x"],
    ["OA_AUTH_LOCAL_TEST_LOGIN_ENABLED", "OA_ALLOW_LOCAL_TEST_AUTH", "on", true],
    ["OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS", "OA_LOCAL_TEST_AUTH_EMAILS", "a@b.c", ["a@b.c"]],
    ["ADMIN_EMAILS", "OA_ADMIN_EMAILS", "a@b.c", ["a@b.c"]],
    ["OA_KHALA_TOKEN_SIGNING_KEY", "KHALA_TOKEN_SIGNING_KEY", "", ""],
    ["OA_SYNC_TOKEN_SIGNING_KEY", "SYNC_TOKEN_SIGNING_KEY", "k", "k"],
  ] as const)("%s is read as %s too, when it is unset", (name, also, text, value) => {
    expect(readConfig({ [also]: text })[name]).toEqual(value as never);
    expect(readConfig({ [also]: text, [name]: "" })[name]).toEqual(readConfig({ [name]: "" })[name] as never);
  });

  test.each([
    ["OA_AUTH_API_SIGNUP_ENABLED", "maybe"],
    ["OA_KHALA_TOKEN_ENABLED", "2"],
    ["OA_AUTH_ACCESS_TTL_SECONDS", "1h"],
    ["OA_AUTH_CHALLENGE_TTL_SECONDS", "0"],
    ["OA_SYNC_TOKEN_TTL_SECONDS", "3.5"],
  ])("%s=%s stops the start and is named", (name, text) => expect(() => readConfig({ [name]: text })).toThrow(name));

  test("lifetimes out of order are worth a warning each", () => {
    expect(tokenWarnings(readConfig({}))).toEqual([]);
    const wrong = { OA_SYNC_TOKEN_MAX_TTL_SECONDS: "30", OA_KHALA_TOKEN_TTL_SECONDS: "1000" };
    expect(tokenWarnings(readConfig(wrong))).toEqual([
      expect.stringContaining("OA_SYNC_TOKEN_TTL_SECONDS"),
      expect.stringContaining("OA_KHALA_TOKEN_TTL_SECONDS"),
    ]);
  });
});
