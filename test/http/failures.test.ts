/** http-platform 7, cases 31 and 35 on both engines; the database that goes away is in database-down.slow.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Elysia, t } from "elysia";
import { platform } from "../../src/http/platform";
import { signInThrough } from "../identity/app";
import { type Person, type TestApp, testApp } from "../support/app";
import { engines } from "../support/database";
import { checkLog } from "../support/treated";
import { type WholeApp, wholeApp } from "../support/whole";

const hex = "0123456789abcdef".repeat(4);
const linesOf = (log: string[]) =>
  log
    .join("")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

for (const engine of engines) {
  describe(`http-platform 7, ${engine}`, () => {
    describe("case 31: a handler that throws", () => {
      let app: TestApp;
      beforeAll(async () => {
        app = await testApp(engine, {
          domains: () => [
            new Elysia()
              .use(platform)
              .get("/api/throws", () => {
                throw new Error("inner detail");
              })
              .get("/api/throws-text", () => {
                throw "inner detail";
              })
              .post("/api/rejects", () => Promise.reject(new TypeError("inner detail")), {
                body: t.Object({ secret: t.Optional(t.String()) }),
              }),
          ],
        });
      });
      afterAll(() => app.close());

      const rows: [method: string, path: string][] = [
        ["GET", "/api/throws"],
        ["GET", "/api/throws-text"],
        ["POST", "/api/rejects"],
      ];
      for (const [method, path] of rows) {
        test(path, async () => {
          const id = `req:${engine}${path}`;
          const { status, text, headers } = await app.send(method, path, {
            headers: { "x-request-id": id },
            ...(method === "POST" ? { body: { secret: "planted-in-a-body" } } : {}),
          });
          expect([status, text]).toEqual([
            500,
            '{"message":"Server Error","error":{"code":"internal_error","message":"Server Error"}}',
          ]);
          expect([headers.get("x-request-id"), headers.get("cache-control")]).toEqual([id, "no-store"]);
          await app.ctx.log.flush();
          const line = linesOf(app.log).find((one) => one.logger === "oa.error" && one.request_id === id);
          expect(line).toMatchObject({ level: "error", route: path, error_message: "inner detail" });
          expect(line.stack).toContain("inner detail");
          expect(linesOf(app.log).find((one) => one.logger === "oa.access" && one.request_id === id)).toMatchObject({
            status: 500,
            error_code: "internal_error",
          });
          expect(app.log.join("")).not.toContain("planted-in-a-body");
        });
      }
    });

    describe("case 35: secrets that come with requests are in no line", () => {
      let app: WholeApp;
      let ann: Person;
      beforeAll(async () => {
        app = await wholeApp(engine, { OA_AUTH_PROVIDER_MODE: "mock", OA_METRICS_TOKEN: "planted-metrics-token" });
        ann = await app.person("planted-person@secret.example");
      });
      afterAll(() => app.close());

      test("wherever they stand", async () => {
        const session = await signInThrough(app.send, "planted-visitor@secret.example", "198.51.100.1");
        const planted = {
          authorization: `Bearer oa_at_${hex}`,
          cookie: `oa_access_token=oa_at_${hex}; oa_refresh_token=oa_rt_${hex}; other=planted-cookie`,
          "x-xsrf-token": "planted-xsrf",
          "x-csrf-token": "planted-csrf",
          "svix-signature": "v1,planted-svix",
          "x-oa-internal-signature": "planted-signature",
          "x-oa-smoke-secret": "planted-smoke",
          "user-agent": `curl/8 Bearer planted-agent oa_pat_${hex}`,
          "x-client": `7|${"aB3d".repeat(12)}`,
          "x-request-id": `oa_at_${hex}`,
        };
        const query =
          "?code=planted-1&state=planted-2&token=planted-3&signature=planted-4&maintenance_bypass=planted-5&key=planted-6" +
          "&secret=planted-7&access_token=planted-8&refresh_token=planted-9&email=planted-10";
        for (const path of [
          "/api/me",
          "/",
          "/login",
          "/chat/x",
          "/nope",
          "/api/nope",
          "/internal/test-login",
          "/metrics",
        ])
          for (const method of ["GET", "POST", "HEAD", "OPTIONS"])
            await app.send(method, path + query, { headers: planted });
        for (const path of [
          `/login/link/oa_ll_${hex}`,
          `/api/pair/oa_dc_${hex}`,
          `/api/tokens/7%7C${"aB3d".repeat(12)}`,
        ])
          await app.send("GET", path, { as: ann });
        const bodies: [path: string, body: Record<string, unknown>][] = [
          ["/api/auth/verify", { code: "planted-code" }],
          ["/api/auth/refresh", { refresh_token: `oa_rt_${hex}` }],
          ["/api/auth/refresh", { refresh_token: session.refresh }],
          ["/api/tokens", { name: "planted-name", abilities: ["planted-ability"] }],
          ["/api/pair/token", { device_code: `oa_dc_${hex}` }],
          ["/api/telemetry/batch", { events: [{ event: "x", properties: { note: "planted-note" } }] }],
          ["/api/runtime/threads/t1/messages", { text: "planted-message" }],
        ];
        for (const [path, body] of bodies)
          for (const as of [ann, session.token, null]) await app.send("POST", path, { as, body });
        await app.ctx.log.flush();
        const text = app.log.join("");
        expect(linesOf(app.log).filter((line) => line.logger === "oa.access").length).toBeGreaterThan(50);
        for (const secret of ["planted", hex.slice(0, 12), ann.token, session.token, session.refresh, "aB3daB3d"])
          expect(text.split("\n").find((line) => line.includes(secret))).toBeUndefined();
        expect(text).toContain("secret.example");
      });

      test("the look at every line of every test sees one", () => {
        expect(() => checkLog([`{"message":"oa_at_${hex}"}`])).toThrow("a secret in the log");
      });
    });
  });
}
