import { Elysia, type TSchema, t } from "elysia";
import type { Context } from "../context";
import { clearCookie, setCookie } from "../http/cookies";
import type { Facts } from "../http/facts";
import type { Guards } from "../http/guards";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import { type Schema, translate } from "../http/translate";
import { expectsJson } from "../http/treatment";
import { invalidFields, notFound, Refusal } from "../refusal";
import { CodeCheck, CodeRequest, ProfileUpdate, WebDeletion } from "./contract";
import { clearAccountCookies, clearSignInCookies, returnPath, setChallengeCookie, setFlash } from "./cookies";
import { signInDevice } from "./devices";
import { noteRefusal } from "./guard";
import { useLoginLink } from "./login-links";
import type { Neighbours } from "./neighbours";
import { confirmDeletion, deleteUser, renameUser } from "./profile";
import { updatedProfile } from "./profile-api";
import { providerOf } from "./providers";
import { signOut, signOutByRefresh, whoOf } from "./sessions";
import { requestCode } from "./sign-in";
import { checkCode, deviceOf, welcome } from "./sign-in-api";
import { testLogin, testLoginPath } from "./test-login";

interface Going {
  status?: number | string;
  headers: Record<string, string | number>;
}

/** A redirect with an empty body; `Location` is a bare path, as the baseline's tests compare it. */
function go(set: Going, to: string, status = 302): undefined {
  set.status = status;
  set.headers.location = to;
  return undefined;
}

/** A form checked in the handler, because its failure is a page and not an answer. Throws 422. */
function formOf<T extends TSchema>(schema: T, body: unknown): T["static"] {
  const { errors, value } = translate(schema as Schema, (body ?? {}) as Record<string, unknown>);
  if (Object.keys(errors).length) throw invalidFields(errors);
  return value;
}

const flashFor = (refusal: Refusal, field: string): Record<string, string> => {
  const [found, messages] = Object.entries(refusal.detail.errors ?? {})[0] ?? [];
  return { [found && found === field ? found : field]: messages?.[0] ?? refusal.message };
};

/** Forms and redirects of sign-in, sign-out and profile (auth.md 2.10, 2.12, 3.16). */
export const webApi = (ctx: Context, guards: Guards, { isPage = () => true, linkUsed }: Neighbours) => {
  /** Runs a form; refused, a browser goes back with the reason on its field, and a script gets the refusal itself. */
  const onForm = async (
    request: Request,
    facts: Facts,
    set: Going,
    form: { field: string; back: string; backStatus?: number; failed?: string },
    work: () => Promise<undefined>,
  ): Promise<undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (form.failed) await noteRefusal(ctx, form.failed, error, facts);
      if (expectsJson(request)) throw error;
      setFlash(request, { errors: flashFor(error, form.field) });
      return go(set, form.back, form.backStatus);
    }
  };

  const arrive = (request: Request, facts: Facts): string => {
    const wanted = facts.cookies.oa_return_to;
    if (wanted !== undefined) clearCookie(request, "oa_return_to", true);
    return returnPath(wanted, isPage);
  };

  return new Elysia({ tags: ["Auth"] })
    .use(platform)
    .get("/register", ({ set }) => go(set, "/login"), { guest: true, page: true, detail: { hide: true } })
    .get("/authenticate", ({ set }) => go(set, "/login"), { guest: true, page: true, detail: { hide: true } })
    .post(
      "/login/email",
      ({ request, facts, body, set }) =>
        onForm(request, facts, set, { field: "email", back: "/login", failed: "auth.challenge.failed" }, async () => {
          const { email } = formOf(CodeRequest, body);
          setChallengeCookie(ctx, request, await requestCode(ctx, email, "web", facts));
          setFlash(request, { status: "code-sent" });
          return go(set, "/login");
        }),
      { guest: true, csrf: true, page: true, throttle: limits.signInMail, detail: { hide: true } },
    )
    .post(
      "/login/verify",
      ({ request, facts, body, set }) =>
        onForm(request, facts, set, { field: "code", back: "/login", failed: "auth.verify.failed" }, async () => {
          const opened = await checkCode(ctx, request, facts, formOf(CodeCheck, body), "web");
          welcome(ctx, request, facts, opened);
          return go(set, arrive(request, facts));
        }),
      { guest: true, csrf: true, page: true, throttle: limits.signInCode, detail: { hide: true } },
    )
    .post(
      "/login/link/:token",
      async ({ request, facts, params, set }) => {
        if (providerOf(ctx.config) !== "local") throw notFound();
        const { deviceId, client, tokenName } = deviceOf(request, facts, {});
        const opened = await useLoginLink(ctx, params.token, { deviceId, client, tokenName, visit: facts });
        if (!opened) {
          setFlash(request, { errors: { email: "This sign-in link has expired. Ask for a new one." } });
          return go(set, "/login", 303);
        }
        linkUsed?.();
        welcome(ctx, request, facts, opened);
        return go(set, arrive(request, facts), 303);
      },
      {
        guest: true,
        csrf: true,
        page: true,
        throttle: limits.loginLink,
        params: t.Object({ token: t.String() }),
        detail: { hide: true },
      },
    )
    .post(
      "/logout",
      async ({ request, facts, set }) => {
        const caller = await guards.caller(request, facts).catch((error: unknown) => {
          if (error instanceof Refusal) return null;
          throw error;
        });
        const { oa_refresh_token: refresh } = facts.cookies;
        if (caller?.credential === "session") {
          await signOut(ctx, caller, facts);
          clearSignInCookies(request);
          setFlash(request, { status: "signed-out" });
          return go(set, "/");
        }
        if (refresh) await signOutByRefresh(ctx, refresh, facts);
        clearSignInCookies(request);
        return go(set, "/login");
      },
      { csrf: true, proof: "session cookie", page: true, detail: { hide: true } },
    )
    .get(
      testLoginPath,
      async ({ request, facts, set }) => {
        const at = request.url.indexOf("?");
        const deviceId = signInDevice(null, null, facts.cookies.oa_device_id);
        const query = at < 0 ? "" : request.url.slice(at + 1);
        const opened = await testLogin(ctx, query, { deviceId, visit: facts });
        welcome(ctx, request, facts, opened);
        setCookie(request, "oa_local_test_auth", "1", { maxAge: 2_592_000 });
        return go(set, "/");
      },
      { guest: true, proof: "signed URL", page: true, throttle: limits.signUp, detail: { hide: true } },
    )
    .patch(
      "/settings/profile",
      async ({ request, caller, facts, body, set }) => {
        if (expectsJson(request)) {
          return updatedProfile(await renameUser(ctx, caller, formOf(ProfileUpdate, body).name, "web", facts));
        }
        const back = { field: "name", back: "/settings/profile", backStatus: 303 };
        return onForm(request, facts, set, back, async () => {
          await renameUser(ctx, caller, formOf(ProfileUpdate, body).name, "web", facts);
          setFlash(request, { status: "profile-updated" });
          return go(set, "/settings/profile", 303);
        });
      },
      { user: "session", page: true, detail: { hide: true } },
    )
    .delete(
      "/settings/profile",
      async ({ request, caller, facts, body, set }) => {
        const remove = async () => {
          const { email } = formOf(WebDeletion, body);
          if (email) confirmDeletion(caller, email);
          await deleteUser(ctx, caller.user, { source: "web", visit: facts, who: whoOf(caller) });
          clearAccountCookies(request);
        };
        if (expectsJson(request)) {
          await remove();
          return { data: { deleted: true } };
        }
        const back = { field: "email", back: "/settings/profile", backStatus: 303 };
        return onForm(request, facts, set, back, async () => {
          await remove();
          setFlash(request, { status: "profile-deleted" });
          return go(set, "/", 303);
        });
      },
      { user: "session", page: true, detail: { hide: true } },
    );
};
