import { describe, expect, test } from "bun:test";
import { t } from "elysia";
import { addressSet, canonicalAddress, clientAddress, networkOf } from "../../src/http/address";
import { formFields, parseJson, tidy } from "../../src/http/body";
import { limits } from "../../src/http/limits";
import { isDate, isEmail, isInteger } from "../../src/http/rules";
import { throttleKey } from "../../src/http/throttle";
import { type Schema, translate } from "../../src/http/translate";
import { invalidFields } from "../../src/refusal";

const accepted = [
  "Chris@OpenAgents.COM",
  "a@b",
  "user@localhost",
  "a+b@c.io",
  '"a b"@c.io',
  "a@[127.0.0.1]",
  "ü@ü.de",
  "a(comment)@b.c",
  "o'brien@x.ie",
  "a/b@c.d",
  "a@123",
  `${"a".repeat(65)}@b.c`,
  `a@${"b".repeat(63)}.c`,
];
const rejected = [
  "abc",
  "a@",
  "@b.c",
  "a b@c.io",
  "a@b..c",
  ".a@b.c",
  "a.@b.c",
  "a..b@c.d",
  "a@-b.c",
  "a@b-.c",
  "a@b.c.",
  "a@b@c",
  "a@b_c.d",
  "a@b.c,d@e.f",
  "<a@b.c>",
  "a@b/c",
  "a@b;c",
  `a@${"b".repeat(64)}.c`,
];

describe("e-mail vectors (auth 2.0)", () => {
  for (const address of accepted) test(`accepted: ${address.slice(0, 30)}`, () => expect(isEmail(address)).toBe(true));
  for (const address of rejected) test(`rejected: ${address.slice(0, 30)}`, () => expect(isEmail(address)).toBe(false));
});

describe("validation vectors (http-platform 3.1)", () => {
  const text = (schema: unknown, value: Record<string, unknown>) => {
    const { errors } = translate(schema as Schema, tidy(value) as Record<string, unknown>);
    return Object.keys(errors).length ? invalidFields(errors) : null;
  };
  const name = t.Object({ name: t.String({ maxLength: 100 }) });
  const code = t.Object({ code: t.String({ minLength: 6 }) });
  const limit = t.Object({ limit: t.Optional(t.Nullable(t.Integer({ minimum: 1 }))) });
  const scope = t.Object({ scope: t.Optional(t.Nullable(t.Array(t.String()))) });

  test("a missing field", () => expect(text(name, {})?.message).toBe("The name field is required."));
  test("a list where text is due", () =>
    expect(text(name, { name: ["x"] })?.message).toBe("The name field must be a string."));
  test("a number fails twice", () => {
    const refusal = text(code, { code: 123 });
    expect(refusal?.message).toBe("The code field must be a string. (and 1 more error)");
    expect(refusal?.detail.errors?.code?.[1]).toBe("The code field must be at least 6 characters.");
  });
  test("letters are no integer and nothing else", () => {
    expect(text(limit, { limit: "abc" })?.detail.errors).toEqual({ limit: ["The limit field must be an integer."] });
    expect(text(limit, { limit: 0 })?.detail.errors).toEqual({ limit: ["The limit field must be at least 1."] });
    expect(text(limit, { limit: null })).toBeNull();
  });
  test("items", () => {
    expect(text(scope, { scope: "x" })?.message).toBe("The scope field must be an array.");
    const refusal = text(scope, { scope: [1, "  "] });
    expect(refusal?.message).toBe("The scope.0 field must be a string. (and 1 more error)");
    expect(Object.keys(refusal?.detail.errors ?? {})).toEqual(["scope.0", "scope.1"]);
  });
  test("names of fields", () => {
    const shape = t.Object({
      recipientId: t.String(),
      policy: t.Object({ l402MaxSpendMsatsPerCall: t.Integer() }),
    });
    expect(text(shape, { policy: { l402MaxSpendMsatsPerCall: "x" } })?.detail.errors).toEqual({
      recipientId: ["The recipient id field is required."],
      "policy.l402MaxSpendMsatsPerCall": ["The policy.l402 max spend msats per call field must be an integer."],
    });
  });
  test("a nested field reports although its parent is missing", () => {
    const shape = t.Object({
      request: t.Object({ request_id: t.String({ "oa:message": { required: "Request id is required." } }) }),
    });
    expect(text(shape, {})?.detail.errors).toEqual({
      request: ["The request field is required."],
      "request.request_id": ["Request id is required."],
    });
  });
  test("words of a list", () => {
    const shape = t.Object({ role: t.Optional(t.Union([t.Literal("member"), t.Literal("owner")])) });
    expect(text(shape, { role: "x" })?.message).toBe("The selected role is invalid.");
    expect(text(shape, { role: "owner" })).toBeNull();
  });
  test("the handler gets numbers and booleans", () => {
    const shape = t.Object({ n: t.Integer(), on: t.Boolean() });
    expect(translate(shape as unknown as Schema, { n: "7", on: "1" }).value).toEqual({ n: 7, on: true });
  });
});

describe("integers and dates", () => {
  test("integers", () => {
    for (const value of [1, -3, "7", "+7", 2.0]) expect(isInteger(value)).toBe(true);
    for (const value of [1.5, "1.5", "007", "", true, "9223372036854775808", null])
      expect(isInteger(value)).toBe(false);
  });
  test("dates", () => {
    for (const value of ["2026-02-19", "2026-02-19 12:00", "2026-02-19T12:00:00Z", "2026-02-19T12:00:00.5+02:00"])
      expect(isDate(value)).toBe(true);
    for (const value of ["2026-02-30", "2026-13-01", "tomorrow", "2026-02-19T25:00:00Z"])
      expect(isDate(value)).toBe(false);
  });
});

describe("client address (http-platform 2.4)", () => {
  const walk = (peer: string | null, forwarded: string | null, trusted = ["loopback"], real?: string) =>
    clientAddress(
      peer,
      new Headers({
        ...(forwarded === null ? {} : { "x-forwarded-for": forwarded }),
        ...(real ? { "x-real-ip": real } : {}),
      }),
      addressSet(trusted),
    ).ip;
  const cases: [string, string, string][] = [
    ["the right-most that is not trusted", walk("127.0.0.1", "198.51.100.1, 203.0.113.10"), "203.0.113.10"],
    ["a trusted hop is passed over", walk("127.0.0.1", "203.0.113.10, 127.0.0.1"), "203.0.113.10"],
    ["all trusted: the left-most", walk("127.0.0.1", "10.0.0.9, 10.0.0.1", ["loopback", "private"]), "10.0.0.9"],
    ["everybody trusted: the right-most", walk("198.51.100.7", "1.1.1.1, 2.2.2.2", ["*"]), "2.2.2.2"],
    ["an untrusted peer is itself", walk("198.51.100.7", "1.1.1.1"), "198.51.100.7"],
    ["an unreadable entry ends the walk", walk("127.0.0.1", "1.1.1.1, nonsense"), "127.0.0.1"],
    ["X-Real-IP without the list", walk("127.0.0.1", null, ["loopback"], "203.0.113.9"), "203.0.113.9"],
    ["a Unix socket is trusted", walk(null, "203.0.113.10"), "203.0.113.10"],
    ["a mapped address", walk("::ffff:203.0.113.5", null), "203.0.113.5"],
  ];
  for (const [name, got, want] of cases) test(name, () => expect(got).toBe(want));
  test("RFC 5952", () => {
    expect(canonicalAddress("2001:DB8:0:0:1:0:0:1")).toBe("2001:db8::1:0:0:1");
    expect(canonicalAddress("::1")).toBe("::1");
    expect(canonicalAddress("nonsense")).toBeNull();
    expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::");
  });
  test("throttle key vectors (http-platform 3.3)", () => {
    const key = (ip: string, id?: number) =>
      throttleKey(limits.signInMail, id ? ({ user: { id } } as never) : null, { ip } as never);
    expect(key("203.0.113.10")).toBe("7c4a1fa18d79306f41c35a70b121decb4ea348ba");
    expect(key("2001:db8:1:2:3:4:5:6")).toBe("3c483cabf6428ea314c427640ece70045c132849");
    expect(key("x", 7)).toBe("902ba3cda1883801594b6e1b452790cc53948fda");
  });
});

describe("bodies", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  test("a byte order mark is dropped, bad UTF-8 is malformed", () => {
    expect(parseJson(bytes('\uFEFF{"a":1}'))).toEqual({ a: 1 });
    expect(parseJson(new Uint8Array([0x22, 0xff, 0x22]))).toBeUndefined();
  });
  test("64 levels pass, 65 do not", () => {
    const nest = (n: number) => parseJson(bytes("[".repeat(n) + "]".repeat(n)));
    expect(nest(64)).toBeDefined();
    expect(nest(65)).toBeUndefined();
  });
  test("lone surrogates and U+0000", () =>
    expect(parseJson(bytes('{"a":"\\ud800\\u0000b"}'))).toEqual({ a: "\uFFFDb" }));
  test("payloads keep their blanks", () => {
    const value = {
      event: { event_type: " x ", payload: { delta: " " } },
      events: [{ payload: { d: " " } }],
      request: { params: { t: " " } },
    };
    expect(tidy(value)).toEqual({
      event: { event_type: "x", payload: { delta: " " } },
      events: [{ payload: { d: " " } }],
      request: { params: { t: " " } },
    });
  });
  test("form names", () =>
    expect(formFields(new URLSearchParams("a[b]=1&c[]=2&c[]=3&d[0]=x&e=y&__proto__[z]=1"))).toEqual({
      a: { b: "1" },
      c: ["2", "3"],
      d: ["x"],
      e: "y",
    }));
});
