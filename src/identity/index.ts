import { Elysia } from "elysia";
import type { Context } from "../context";
import { createGuards } from "./guard";
import { defineMail } from "./mail";
import type { Neighbours } from "./neighbours";
import { pairingApi } from "./pairing-api";
import { defineWorkosDeletion } from "./profile";
import { profileApi } from "./profile-api";
import { definePruning } from "./prune";
import { sessionsApi } from "./sessions-api";
import { signInApi } from "./sign-in-api";
import { tokensApi } from "./tokens-api";
import { webApi } from "./web-api";

/** Identity's whole surface (auth.md 2, remote-control.md 2). */
export const identityApi = (ctx: Context, neighbours: Neighbours, guards = createGuards(ctx, neighbours.meView)) =>
  new Elysia({ name: "identity" })
    .use(signInApi(ctx, neighbours))
    .use(sessionsApi(ctx, neighbours))
    .use(tokensApi(ctx, neighbours))
    .use(profileApi(ctx, neighbours))
    .use(pairingApi(ctx, neighbours))
    .use(webApi(ctx, guards, neighbours));

/** Declares identity's jobs; before the runner starts. */
export function identityJobs(ctx: Context): void {
  defineMail(ctx);
  defineWorkosDeletion(ctx);
  definePruning(ctx);
}
