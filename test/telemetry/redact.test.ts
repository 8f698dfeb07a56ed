import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/telemetry/log";
import { redact } from "../../src/telemetry/redact";

const hex = "0123456789abcdef".repeat(4);
const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyOjEifQ.c2lnbmF0dXJl";

describe("text (http-platform 3.10)", () => {
  const cut: [name: string, secret: string][] = [
    ["access token", `oa_at_${hex}`],
    ["refresh token", `oa_rt_${hex}`],
    ["prefixed personal token", `oa_pat_${hex}`],
    ["sign-in link", "oa_ll_Ab-_9xyzwvuts"],
    ["personal access token", `7|${"aB3d".repeat(12)}`],
    ["encoded personal access token", `7%7C${"aB3d".repeat(12)}`],
    ["bearer", "Bearer anything.at-all"],
    ["Resend key", "re_AbCdEf12_34"],
    ["Google token", "ya29.a0AfB_byC-x"],
    ["JWT", jwt],
    ["invoice", "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqf"],
    ["test invoice", "lnbcrt500u1pvjluezpp5qqqsyqcyq5rqwzqf"],
    ["invoice in capitals", "LNBC2500U1PVJLUEZPP5QQQSYQCYQ5RQWZQF"],
  ];
  for (const [name, secret] of cut) {
    test(`${name} is cut to six characters`, () => {
      expect(redact(`a ${secret} b`)).toBe(`a ${secret.slice(0, 6)}… b`);
      expect(JSON.parse(redact(JSON.stringify({ x: secret, y: 1 })))).toEqual({ x: `${secret.slice(0, 6)}…`, y: 1 });
    });
  }
  test("a preimage, and only there 64 digits", () => {
    expect(redact(`preimage: ${hex}`)).toBe("preimage: 012345…");
    expect(redact(JSON.stringify({ preimage: hex, payment_hash: hex }))).toBe(
      `{"preimage":"012345…","payment_hash":"${hex}"}`,
    );
    expect(redact(JSON.stringify({ body: JSON.stringify({ preimage: hex }) }))).not.toContain(hex);
  });
  test("values of a query that failed", () => {
    const message = 'Failed query: insert into t values ($1, $2)\nparams: ann@a.example,a "quoted" \\ secret';
    const line = redact(
      JSON.stringify({ error_message: message, stack: `Error: ${message}\n    at run (x.ts:1:2)`, n: 1 }),
    );
    const cut = "Failed query: insert into t values ($1, $2)\nparams: ***";
    expect(JSON.parse(line)).toEqual({ error_message: cut, stack: `Error: ${cut}\n    at run (x.ts:1:2)`, n: 1 });
    expect(redact(line)).toBe(line);
  });
  test("values of secret query names", () => {
    for (const name of "code state token signature maintenance_bypass key secret access_token refresh_token email".split(
      " ",
    )) {
      expect(redact(`GET https://a.example/cb?x=1&${name}=s%20ecret&y=2 failed`)).toBe(
        `GET https://a.example/cb?x=1&${name}=***&y=2 failed`,
      );
    }
    expect(redact('{"url":"/cb?CODE=abc","n":1}')).toBe('{"url":"/cb?CODE=***","n":1}');
    expect(redact("/list?zone=a&barcode=7&page=2")).toBe("/list?zone=a&barcode=7&page=2");
  });
  const headers = [
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "X-XSRF-TOKEN",
    "X-CSRF-TOKEN",
    "svix-signature",
    "x-oa-internal-signature",
    "x-oa-smoke-secret",
  ];
  for (const header of headers) {
    test(`header ${header}, however it gets into a line`, () => {
      const value = 'planted="a b"; other=c';
      const shapes: unknown[] = [
        { [header]: value },
        { headers: { [header.toLowerCase()]: value, accept: "x" } },
        { message: JSON.stringify({ [header]: value, accept: "x" }) },
        { pairs: [[header, value]] },
        { lists: { [header]: [value] } },
        { message: `request failed\n${header}: planted; other=c\naccept: x` },
      ];
      for (const shape of shapes) {
        const line = redact(JSON.stringify(shape));
        expect(line).not.toContain("planted");
        expect(line).not.toContain("other=c");
        expect(() => JSON.parse(line)).not.toThrow();
      }
    });
  }
  test("ordinary lines stay as they are", () => {
    const line =
      '{"logger":"oa.access","auth":"session","path":"/api/tokens/7","user_agent":"Mozilla/5.0 (X11)","session_id":"sess_1"}';
    expect(redact(line)).toBe(line);
  });
});

test("the log writes lines of JSON without the secrets that a program handed it", async () => {
  let text = "";
  const log = createLog({ level: "debug", format: "json", write: (lines) => (text += lines) });
  log.info("oa.test", `called with Bearer oa_at_${hex}`, { headers: { cookie: "oa_access_token=planted" }, jwt });
  log.error("oa.test", "failed", { error_message: `https://a.example/?token=planted`, stack: `at x\nCookie: planted` });
  await log.flush();
  const lines = text.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).logger)).toEqual(["oa.test", "oa.test"]);
  for (const secret of ["planted", hex.slice(0, 20), jwt]) expect(text).not.toContain(secret);
});
