import { isEmail } from "../../src/http/rules";
import { mintByOperator, operatorUser } from "../../src/identity/operator";
import { requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure } from "../failure";

const sixDigits = (at: Date): string => `${at.toISOString().slice(0, 19)}.000000Z`;

/** Each value split at commas; blanks and duplicates dropped, order kept. */
function abilitiesOf(given: string[]): string[] {
  const all = given.flatMap((value) => value.split(",")).map((ability) => ability.trim());
  const kept = [...new Set(all.filter(Boolean))];
  return kept.length ? kept : ["*"];
}

export async function run({
  ctx,
  arguments: [given = "", wantedName = "ops-cli"],
  options,
  io,
  json,
  quiet,
}: Call): Promise<void> {
  const email = given.trim().toLowerCase();
  if (!isEmail(email)) throw new Failure(1, "invalid_email", "Invalid email address.");
  const name = wantedName.trim();
  if (!name) throw new Failure(1, "invalid_name", "Token name cannot be empty.");
  if ([...name].length > 100)
    throw new Failure(1, "invalid_name", "Token name must not be greater than 100 characters.");
  const user = await operatorUser(ctx, email);
  if (!user) throw new Failure(1, "user_not_found", `User not found for email: ${email}`);
  const days = options.expiresDays as string | undefined;
  if (days !== undefined && (!/^\d+$/.test(days) || Number(days) < 1 || Number(days) > 3650)) {
    throw new Failure(1, "invalid_expiry", "--expires-days must be between 1 and 3650 when provided.");
  }
  const abilities = abilitiesOf((options.abilities as string[] | undefined) ?? []);
  const now = Math.floor(ctx.now().getTime() / 1000) * 1000;
  const expiresAt = days === undefined ? null : new Date(now + Number(days) * 86_400_000);
  const { row, bearer } = await ctx.commit((unit) =>
    mintByOperator(ctx, unit, { userId: user.id, name, abilities, expiresAt, requestId: requestIdOf() }),
  );
  const expires = expiresAt && sixDigits(expiresAt);
  if (json) {
    const made = {
      token: bearer,
      token_id: row.id,
      user_id: user.id,
      email: user.email,
      name,
      abilities,
      expires_at: expires,
    };
    return io.out(`${JSON.stringify(made)}\n`);
  }
  if (quiet) return io.out(`${bearer}\n`);
  io.out(`Token created successfully. Copy now; it will not be shown again:
${bearer}

metadata:
  user_id=${user.id}
  email=${user.email}
  name=${name}
  abilities=${abilities.join(",")}
  expires_at=${expires ?? "null"}
`);
}
