import { isEmail } from "../../src/http/rules";
import { mintLoginLink } from "../../src/identity/login-links";
import { providerOf } from "../../src/identity/providers";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure } from "../failure";
import { time } from "../print";
import { whole } from "../values";

export async function run(call: Call): Promise<void> {
  const { ctx, options, io, json, quiet } = call;
  const provider = providerOf(ctx.config);
  if (provider !== "local") {
    throw new Failure(
      2,
      "wrong_provider",
      `sign-in links are for the local provider; this server's is ${provider}`,
      "people sign in by the codes that it mails them",
    );
  }
  const { email, name, admin } = options as { email?: string; name?: string; admin?: boolean };
  if (email !== undefined && !isEmail(email.trim())) throw new Failure(1, "invalid_email", "Invalid email address.");
  const minutes = whole("--minutes", options.minutes, 1, 10_080);
  const requestId = requestIdOf();
  const link = await mintLoginLink(ctx, {
    email: email?.trim() ?? null,
    name: name?.trim() || null,
    isAdmin: admin === true,
    minutes,
    requestId,
  });
  await ctx.commit(async (unit) =>
    auditOps(unit, call, requestId, { minutes: String(minutes), admin: String(admin === true) }),
  );
  if (json)
    return io.out(`${JSON.stringify({ url: link.url, email: link.email, expires_at: time(link.expiresAt) })}\n`);
  io.out(`${link.url}\n`);
  if (!quiet) io.err(`Signs in ${link.email ?? "the owner"}, once, within ${minutes} min.\n`);
}
