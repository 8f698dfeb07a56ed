import { Elysia } from "elysia";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { platform } from "../http/platform";
import {
  ActiveOrg,
  ActiveOrgChoice,
  Deleted,
  Invite,
  Invited,
  Me,
  Memberships,
  MeQuery,
  PolicyAnswer,
  PolicyQuestion,
  Profile,
  ProfileDeletion,
  ProfileUpdate,
  ProfileUpdated,
} from "./contract";
import { clearAccountCookies } from "./cookies";
import { chatLimitOf, viewOf } from "./guard";
import { invite } from "./login-links";
import { decide, membershipsOf } from "./memberships";
import type { Neighbours } from "./neighbours";
import { chooseOrganisation, membershipView } from "./organisations";
import { confirmDeletion, deleteUser, noteProfileRead, renameUser } from "./profile";
import { whoOf } from "./sessions";
import { sixDigitsOrNull, zulu } from "./times";
import type { UserRow } from "./users";

const profileOf = ({ id, name, email, avatar }: Pick<UserRow, "id" | "name" | "email" | "avatar">) => ({
  id,
  name,
  email,
  avatar,
});

/** The answer of PATCH: without `createdAt`, as the baseline has it. */
export const updatedProfile = (row: UserRow) => ({
  data: { ...profileOf(row), updatedAt: sixDigitsOrNull(row.updatedAt) },
});

const textOf = (items: (string | null)[] | null | undefined): string[] => (items ?? []).map((item) => item ?? "");

/** `/api/me`, profile, organisations, policy, invites (auth.md 2.7, 2.10, 2.11, 3.16). */
export const profileApi = (ctx: Context, neighbours: Neighbours) => {
  const { chatThreads, codexAccess, meView, ownsRun = async () => false } = neighbours;
  const codexOf = async (request: Request, userId: number) => {
    const read = viewOf(request);
    if (meView && read) return meView.read(read.stored, read.limit);
    const limit = chatLimitOf(request);
    return { chatThreads: await chatThreads(userId, limit), codexAccess: await codexAccess(userId) };
  };
  const memberships = async ({ user }: Caller) => membershipsOf(ctx.db, user.id, user.email);

  return new Elysia()
    .use(platform)
    .get(
      "/api/me",
      async ({ request, caller }) => {
        const { user } = caller;
        const codex = await codexOf(request, user.id);
        return {
          data: {
            user: {
              id: user.id,
              name: user.name,
              email: user.email,
              handle: user.handle,
              avatar: user.avatar,
              createdAt: sixDigitsOrNull(user.createdAt),
              updatedAt: sixDigitsOrNull(user.updatedAt),
              workosId: user.workosId,
            },
            chatThreads: codex.chatThreads,
            isAdmin: user.isAdmin,
            codexAccess: codex.codexAccess,
          },
        };
      },
      {
        user: "worker",
        query: MeQuery,
        response: { 200: Me },
        detail: { operationId: "me", summary: "Show the signed-in user", tags: ["Auth"] },
      },
    )
    .get(
      "/api/settings/profile",
      async ({ caller, facts }) => {
        await noteProfileRead(ctx, caller, facts);
        const { user } = caller;
        return {
          data: {
            ...profileOf(user),
            createdAt: sixDigitsOrNull(user.createdAt),
            updatedAt: sixDigitsOrNull(user.updatedAt),
          },
        };
      },
      {
        user: true,
        response: { 200: Profile },
        detail: { operationId: "settingsProfileShow", summary: "Show own profile", tags: ["Profile"] },
      },
    )
    .patch(
      "/api/settings/profile",
      async ({ caller, facts, body }) => updatedProfile(await renameUser(ctx, caller, body.name, "api", facts)),
      {
        user: true,
        body: ProfileUpdate,
        response: { 200: ProfileUpdated },
        detail: { operationId: "settingsProfileUpdate", summary: "Change own name", tags: ["Profile"] },
      },
    )
    .delete(
      "/api/settings/profile",
      async ({ request, caller, facts, body }) => {
        confirmDeletion(caller, body.email);
        await deleteUser(ctx, caller.user, { source: "api", visit: facts, who: whoOf(caller) });
        clearAccountCookies(request);
        return { data: { deleted: true } };
      },
      {
        user: true,
        body: ProfileDeletion,
        response: { 200: Deleted },
        detail: { operationId: "settingsProfileDelete", summary: "Delete own account", tags: ["Profile"] },
      },
    )
    .get(
      "/api/orgs/memberships",
      async ({ caller }) => ({
        data: { activeOrgId: caller.activeOrgId, memberships: (await memberships(caller)).map(membershipView) },
      }),
      {
        user: true,
        response: { 200: Memberships },
        detail: { operationId: "orgMemberships", summary: "List own memberships", tags: ["Policy"] },
      },
    )
    .post(
      "/api/orgs/active",
      async ({ caller, facts, body }) => {
        const found = await chooseOrganisation(ctx, caller, body.org_id, facts);
        return { ok: true, activeOrgId: body.org_id, memberships: found.map(membershipView) };
      },
      {
        user: "session",
        body: ActiveOrgChoice,
        response: { 200: ActiveOrg },
        detail: { operationId: "setActiveOrg", summary: "Choose the active organization", tags: ["Policy"] },
      },
    )
    .post(
      "/api/policy/authorize",
      async ({ caller, body }) => {
        const question = {
          userId: caller.user.id,
          activeOrgId: caller.activeOrgId,
          orgId: body.org_id ?? null,
          scopes: textOf(body.required_scopes),
          topics: textOf(body.requested_topics),
        };
        const decision = await decide(await memberships(caller), question, ownsRun);
        return {
          data: {
            allowed: decision.allowed,
            resolved_org_id: decision.orgId,
            granted_scopes: decision.granted,
            denied_reasons: decision.denied,
          },
        };
      },
      {
        user: true,
        body: PolicyQuestion,
        response: { 200: PolicyAnswer },
        detail: { operationId: "policyAuthorize", summary: "Ask what the policy allows", tags: ["Policy"] },
      },
    )
    .post(
      "/api/admin/invites",
      async ({ caller, facts, body, status }) => {
        const wanted = { email: body.email, name: body.name ?? null, isAdmin: body.admin === true };
        const link = await invite(ctx, caller.user, wanted, facts);
        return status(201, { data: { url: link.url, expiresAt: zulu(link.expiresAt) } });
      },
      {
        user: "admin",
        fails: [404],
        body: Invite,
        response: { 201: Invited },
        detail: { operationId: "adminInvite", summary: "Invite somebody", tags: ["Control"] },
      },
    );
};
