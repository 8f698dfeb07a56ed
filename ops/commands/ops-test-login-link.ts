import { isEmail } from "../../src/http/rules";
import { testLoginLink } from "../../src/identity/test-login";
import { type auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure } from "../failure";
import { time } from "../print";

export async function run(call: Call): Promise<void> {
  const {
    ctx,
    arguments: [given = ""],
    options,
    io,
    json,
    quiet,
  } = call;
  const { config } = ctx;
  const email = given.trim().toLowerCase();
  if (!isEmail(email)) throw new Failure(1, "invalid_email", "Invalid email address.");
  const minutes = Number(options.minutes);
  if (!/^\d+$/.test(String(options.minutes)) || minutes < 1 || minutes > 1440) {
    throw new Failure(1, "invalid_minutes", "--minutes must be between 1 and 1440.");
  }
  const key = config.OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY;
  if (!key) throw new Failure(78, "configuration", "OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY is not set.");
  const expires = Math.floor(ctx.now().getTime() / 1000) + minutes * 60;
  const name = (options.name as string | undefined)?.trim();
  const base = (options.baseUrl as string | undefined)?.trim() || ctx.appUrl();
  const url = testLoginLink(key, base, { email, expires, ...(name ? { name } : {}) });
  const enabled = config.OA_AUTH_LOCAL_TEST_LOGIN_ENABLED;
  const allowed = config.OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS.map((entry) => entry.toLowerCase());
  const why = [
    enabled ? "" : "OA_AUTH_LOCAL_TEST_LOGIN_ENABLED is off in this environment. Enable it for this URL to work.",
    config.APP_ENV === "production" ? "APP_ENV is production: the route answers 404." : "",
    allowed.includes(email) ? "" : `${email} is not in OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS.`,
  ].filter(Boolean);
  const domain = email.split("@").at(-1) ?? "unknown";
  await ctx.commit(async (unit) => auditCreated(unit, call, domain, minutes));
  for (const line of why) io.err(`warning: ${line}\n`);
  if (json) return io.out(`${JSON.stringify({ url, email, expires_at: time(new Date(expires * 1000)), enabled })}\n`);
  io.out(quiet ? `${url}\n` : `Signed maintenance test-login URL:\n${url}\n`);
}

const auditCreated = (unit: Parameters<typeof auditOps>[0], call: Call, domain: string, minutes: number): void =>
  unit.audit({
    event: "ops.test_login_link.created",
    requestId: requestIdOf(),
    attributes: {
      email_domain: domain,
      minutes: String(minutes),
      actor: "ops",
      os_user: `os:${call.io.user}`,
      host: call.io.host,
    },
  });
