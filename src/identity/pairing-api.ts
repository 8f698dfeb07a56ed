import { Elysia, t } from "elysia";
import type { Context } from "../context";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import type { Neighbours } from "./neighbours";
import { approvePairing, denyPairing, type PollError, pollPairing, showPairing, startPairing } from "./pairing";
import {
  PairApproval,
  PairApproved,
  PairDenied,
  PairDevice,
  PairError,
  PairPoll,
  PairShown,
  PairStarted,
  PairToken,
} from "./pairing-contract";
import { zulu } from "./times";

const grantType = "urn:ietf:params:oauth:grant-type:device_code";

type WireError = PollError | "unsupported_grant_type" | "invalid_request";

const texts: Record<WireError, string> = {
  authorization_pending: "The code has not been allowed yet.",
  slow_down: "Polled too fast. Wait 5 seconds longer between polls.",
  access_denied: "The pairing was denied.",
  expired_token: "The code has expired or was used. Start again.",
  unsupported_grant_type: "The grant type is not supported.",
  invalid_request: "device_code and grant_type are required.",
};

/** The RFC's body with ours beside it (remote-control.md 2). */
const refused = (error: WireError): PairError => ({ error, error_description: texts[error], message: texts[error] });

const CodeParam = t.Object({ user_code: t.String() });

/** Pairing a machine: the device grant of RFC 8628 (remote-control.md 2). */
export const pairingApi = (ctx: Context, { foreignWorker = async () => false }: Neighbours) =>
  new Elysia({ tags: ["Auth"] })
    .use(platform)
    .post(
      "/api/pair/device",
      async ({ facts, body }): Promise<PairStarted> => {
        const started = await startPairing(ctx, {
          name: body.name,
          hostname: body.hostname,
          platform: body.platform,
          codexVersion: body.codex_version,
          bridgeVersion: body.bridge_version,
          workerId: body.worker_id ?? null,
          ipAddress: facts.ip,
        });
        const uri = `${ctx.appUrl()}/pair`;
        return {
          device_code: started.deviceCode,
          user_code: started.userCode,
          verification_uri: uri,
          verification_uri_complete: `${uri}?code=${started.userCode}`,
          expires_in: started.expiresIn,
          interval: started.interval,
        };
      },
      {
        throttle: limits.pairDevice,
        body: PairDevice,
        response: { 200: PairStarted },
        detail: { operationId: "pairDevice", summary: "Start pairing a machine" },
      },
    )
    .post(
      "/api/pair/token",
      async ({ facts, body, status }) => {
        const { device_code: code, grant_type: grant } = body;
        if (typeof code !== "string" || typeof grant !== "string") return status(400, refused("invalid_request"));
        if (grant !== grantType) return status(400, refused("unsupported_grant_type"));
        const polled = await pollPairing(ctx, code, facts);
        if ("error" in polled) return status(400, refused(polled.error));
        return {
          access_token: polled.accessToken,
          token_type: "Bearer",
          worker_id: polled.workerId,
          user: polled.user,
        };
      },
      {
        throttle: limits.pairToken,
        body: PairPoll,
        response: { 200: PairToken, 400: PairError },
        detail: { operationId: "pairToken", summary: "Poll for the token of a paired machine" },
      },
    )
    .get(
      "/api/pair/:user_code",
      async ({ caller, params }) => {
        const pairing = await showPairing(ctx, caller, params.user_code, foreignWorker);
        const { request } = pairing;
        return {
          data: {
            user_code: pairing.userCode,
            name: request.name,
            hostname: request.hostname,
            platform: request.platform,
            codex_version: request.codexVersion,
            ip_address: request.ipAddress,
            requested_at: zulu(pairing.requestedAt),
            expires_at: zulu(pairing.expiresAt),
            worker_id: pairing.workerId,
          },
        };
      },
      {
        user: "session",
        throttle: limits.pairCode,
        params: CodeParam,
        response: { 200: PairShown },
        detail: { operationId: "pairShow", summary: "Show the machine that asks to be paired" },
      },
    )
    .post(
      "/api/pair/:user_code/approve",
      async ({ caller, facts, params, body }) => {
        const workerId = await approvePairing(ctx, caller, params.user_code, body.name ?? null, foreignWorker, facts);
        return { data: { status: "approved", worker_id: workerId } };
      },
      {
        fails: [409],
        user: "session",
        throttle: limits.pairCode,
        params: CodeParam,
        body: PairApproval,
        response: { 200: PairApproved },
        detail: { operationId: "pairApprove", summary: "Allow a machine" },
      },
    )
    .post(
      "/api/pair/:user_code/deny",
      async ({ caller, facts, params }) => {
        await denyPairing(ctx, caller, params.user_code, facts);
        return { data: { status: "denied" } };
      },
      {
        fails: [409],
        user: "session",
        throttle: limits.pairCode,
        params: CodeParam,
        response: { 200: PairDenied },
        detail: { operationId: "pairDeny", summary: "Turn a machine away" },
      },
    );
