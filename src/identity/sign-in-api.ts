import { Elysia } from "elysia";
import type { Context } from "../context";
import { clearCookie } from "../http/cookies";
import { isForeign } from "../http/csrf";
import type { Facts } from "../http/facts";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import { invalid, Refusal, unauthorized } from "../refusal";
import { register, signUpIsOpen } from "./bootstrap";
import {
  CodeCheck,
  CodeRequest,
  CodeSent,
  Refreshed,
  RefreshRequest,
  Registered,
  Registration,
  SignedIn,
} from "./contract";
import { clearSessionCookies, setChallengeCookie, setCsrfCookie, setDeviceCookie, setSessionCookies } from "./cookies";
import { clientName, cookieDevice, deviceForCookie, deviceIdOf, signInDevice, tokenNameOf, webClient } from "./devices";
import type { Neighbours } from "./neighbours";
import { refreshSession } from "./refresh";
import { type SignedIn as Opened, requestCode, verifyCode } from "./sign-in";
import { zulu } from "./times";

type CodeBody = (typeof CodeCheck)["static"];

/** Who asks and from which device: body before header, and for browsers the cookie (auth.md 3.5). */
export function deviceOf(
  request: Request,
  facts: Facts,
  body: { device_id?: string | null; deviceId?: string | null },
) {
  const client = clientName(request.headers.get("x-client"));
  const said = deviceIdOf(body.device_id ?? body.deviceId ?? request.headers.get("x-device-id"));
  return {
    client,
    said,
    deviceId: signInDevice(said, client, facts.cookies.oa_device_id),
    tokenName: tokenNameOf(client),
  };
}

/** Runs the code check of a request (auth.md 2.2), for the API and the form alike. */
export function checkCode(
  ctx: Context,
  request: Request,
  facts: Facts,
  body: CodeBody,
  door: "api" | "web",
): Promise<Opened> {
  const { client, deviceId, tokenName } = deviceOf(request, facts, body);
  const challengeId = body.challenge_id ?? body.challengeId ?? facts.cookies.oa_magic_challenge ?? null;
  const lane = client === webClient || door === "web" ? "cookie" : "bearer";
  return verifyCode(ctx, { code: body.code, challengeId, deviceId, tokenName, client, lane }, door, facts);
}

/** The cookies of a browser that has signed in; the device's only when it had none. */
export function welcome(ctx: Context, request: Request, facts: Facts, opened: Opened): void {
  setSessionCookies(ctx, request, { access: opened.accessToken, refresh: opened.refreshToken });
  if (cookieDevice(facts.cookies.oa_device_id) === null)
    setDeviceCookie(request, deviceForCookie(opened.session.deviceId));
  setCsrfCookie(request);
  clearCookie(request, "oa_magic_challenge");
}

/** POST `/api/auth/email`, `verify`, `register`, `refresh`. */
export const signInApi = (ctx: Context, { makeAutopilot }: Neighbours) =>
  new Elysia({ tags: ["Auth"] })
    .use(platform)
    .post(
      "/api/auth/email",
      async ({ request, facts, body }): Promise<CodeSent> => {
        const challengeId = await requestCode(ctx, body.email, "api", facts);
        setChallengeCookie(ctx, request, challengeId);
        return { ok: true, status: "code-sent", email: body.email, challengeId };
      },
      {
        throttle: limits.signInMail,
        failure: "auth.challenge.failed",
        body: CodeRequest,
        response: { 200: CodeSent },
        detail: { operationId: "authEmail", summary: "Send a sign-in code by e-mail" },
      },
    )
    .post(
      "/api/auth/verify",
      async ({ request, facts, body }): Promise<SignedIn> => {
        const opened = await checkCode(ctx, request, facts, body, "api");
        const { session, user, newUser } = opened;
        if (!isForeign(request, facts, ctx.appUrl())) welcome(ctx, request, facts, opened);
        const tokens = {
          tokenType: "Bearer",
          token: opened.accessToken,
          tokenName: session.tokenName,
          refreshToken: opened.refreshToken,
          refreshTokenId: session.refreshTokenId,
        };
        return {
          ok: true,
          userId: String(user.id),
          status: "authenticated",
          user: { id: user.id, name: user.name, email: user.email, workosId: user.workosId },
          redirect: "/",
          ...(session.client === webClient ? {} : tokens),
          sessionId: session.id,
          newUser,
        };
      },
      {
        throttle: limits.signInCode,
        failure: "auth.verify.failed",
        body: CodeCheck,
        response: { 200: SignedIn },
        detail: { operationId: "authVerify", summary: "Sign in with the code" },
      },
    )
    .post(
      "/api/auth/register",
      async ({ facts, body, status }) => {
        const { email, name, tokenName, tokenAbilities, createAutopilot, autopilotDisplayName } = body;
        const wantsAutopilot = createAutopilot === true && makeAutopilot !== undefined;
        const registered = await register(
          ctx,
          {
            email,
            name: name ?? null,
            tokenName: tokenName ?? null,
            tokenAbilities: tokenAbilities ?? [],
            autopilot: wantsAutopilot
              ? (unit, user) => makeAutopilot(unit, user, autopilotDisplayName ?? "Autopilot")
              : null,
          },
          facts,
        );
        const { user, created, token, autopilot } = registered;
        return status(created ? 201 : 200, {
          data: {
            created,
            tokenType: "Bearer",
            token: token.bearer,
            tokenName: token.row.name,
            tokenAbilities: JSON.parse(token.row.abilities ?? "[]") as string[],
            user: { id: user.id, name: user.name, email: user.email, handle: user.handle },
            autopilot,
          },
        });
      },
      {
        open: () => signUpIsOpen(ctx.config),
        throttle: limits.signUp,
        body: Registration,
        response: { 200: Registered, 201: Registered },
        detail: { operationId: "authRegister", summary: "Register a test user (local and testing only)" },
      },
    )
    .post(
      "/api/auth/refresh",
      async ({ request, facts, body }): Promise<Refreshed> => {
        const bearer = /^bearer\s+(.+)$/i.exec(request.headers.get("authorization")?.trim() ?? "")?.[1];
        const cookie = facts.cookies.oa_refresh_token;
        const sent = body.refresh_token ?? bearer?.trim();
        const lane = sent ? "bearer" : "cookie";
        const token = sent ?? cookie;
        if (!token) throw unauthorized("Invalid refresh token.");
        if (body.rotate_refresh_token === false)
          throw invalid("rotate_refresh_token", "Refresh token rotation is required.");
        const deviceId = deviceIdOf(body.device_id ?? request.headers.get("x-device-id"));
        try {
          const { session, tokens, ...ids } = await refreshSession(ctx, { token, lane, deviceId, visit: facts });
          const open = lane === "bearer" && tokens;
          if (lane === "cookie" && tokens) setSessionCookies(ctx, request, tokens);
          return {
            ok: true,
            status: "active",
            ...(open ? { tokenType: "Bearer", token: open.access, refreshToken: open.refresh } : {}),
            refreshTokenId: ids.refreshTokenId,
            replacedRefreshTokenId: ids.replacedRefreshTokenId,
            sessionId: session.id,
            accessExpiresAt: zulu(session.accessExpiresAt),
            refreshExpiresAt: zulu(session.refreshExpiresAt),
          };
        } catch (error) {
          if (lane === "cookie" && error instanceof Refusal && error.kind === "unauthorized")
            clearSessionCookies(request);
          throw error;
        }
      },
      {
        failure: "auth.refresh.failed",
        proof: "refresh token",
        fails: [403],
        body: RefreshRequest,
        response: { 200: Refreshed },
        detail: { operationId: "authRefresh", summary: "Rotate a refresh token" },
      },
    )
    .get(
      "/sanctum/csrf-cookie",
      ({ request }) => {
        setCsrfCookie(request);
      },
      { detail: { operationId: "csrfCookie", summary: "Set the CSRF cookie" } },
    );
