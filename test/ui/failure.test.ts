import { describe, expect, test } from "bun:test";
import { failureOf } from "../../ui/failure";

const read = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  failureOf(status, new Headers(headers), typeof body === "string" ? body : JSON.stringify(body));
const house = (message: string, code = "x") => ({ message, error: { code, message } });

describe("what is shown of an answer", () => {
  test("fields first, then error.message, then message, then the status", () => {
    expect(read(422, { ...house("A (and 1 more error)"), errors: { email: ["A", "B"] } }).fields).toEqual({
      email: "A",
    });
    expect(read(409, { message: "outer", error: { code: "conflict", message: "inner" } }).message).toBe("inner");
    expect(read(409, { message: "outer" }).message).toBe("outer");
    expect(read(418, {}).message).toBe("Request failed (418)");
    expect(read(409, "").message).toBe("Request failed (409)");
  });

  test.each(["<!doctype html><h1>Oops</h1>", "<HTML>", "{ not json"])("markup is never shown: %p", (body) => {
    for (const status of [500, 502, 404]) expect(read(status, body).message).not.toContain("<");
    expect(read(500, body).message).toBe("Something went wrong on our side.");
    expect(read(422, { message: "<html>x" }).message).toBe("Request failed (422)");
  });

  test("a long text is cut at 400", () =>
    expect(read(409, house("é".repeat(401))).message).toBe(`${"é".repeat(400)}...`));
  test("a crash's own words are not shown, its reference is", () => {
    expect(read(500, house("Server Error"), { "x-request-id": "r1" })).toMatchObject({
      kind: "server",
      message: "Something went wrong on our side.",
      requestId: "r1",
    });
  });
  test("a 503 that explains itself does", () =>
    expect(read(503, house("Mail is not set up.", "service_unavailable")).message).toBe("Mail is not set up."));
  test("maintenance by header or by code, JSON or HTML", () => {
    expect(read(503, "<html>", { "x-oa-maintenance": "1" }).kind).toBe("maintenance");
    expect(read(503, house("x", "maintenance_mode")).kind).toBe("maintenance");
    expect(read(503, house("x")).kind).toBe("server");
  });
  test("429 counts from Retry-After, else 60", () => {
    expect(read(429, house("Too Many Attempts."), { "retry-after": "37" })).toMatchObject({
      retryAfter: 37,
      message: "Too many requests. Try again in 37s.",
    });
    expect(read(429, "").retryAfter).toBe(60);
    expect(read(429, "", { "retry-after": "soon" }).retryAfter).toBe(60);
  });
  test("410 takes the body's data.message", () =>
    expect(read(410, { data: { message: "Retired." } }).message).toBe("Retired."));
  test.each([
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "missing"],
    [409, "conflict"],
    [410, "gone"],
    [419, "csrf"],
    [422, "invalid"],
    [426, "upgrade"],
    [429, "limited"],
    [504, "server"],
    [413, "refused"],
  ] as const)("%p is %s", (status, kind) => expect(read(status, {}).kind).toBe(kind));
});
