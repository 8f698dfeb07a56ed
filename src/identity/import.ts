import type { Database } from "../../db/database";
import { orgMemberships, personalAccessTokens } from "../../db/schema/identity";
import { sha256 } from "./credentials";
import type { Membership } from "./memberships";
import { wholeSecond } from "./times";

/** Memberships as another system had them (auth.md 4): a row that is there takes their values. */
export async function importMemberships(db: Database, userId: number, memberships: Membership[]): Promise<void> {
  for (const { orgId, ...values } of memberships) {
    await db
      .insert(orgMemberships)
      .values({ userId, orgId, ...values })
      .onConflictDoUpdate({ target: [orgMemberships.userId, orgMemberships.orgId], set: values });
  }
}

/** A token that was kept in clear elsewhere; only its hash is stored (auth.md 3.4). Once is enough. */
export async function importToken(
  db: Database,
  { userId, name, secret, abilities, createdAt, expiresAt }: ImportedToken,
): Promise<void> {
  const at = createdAt && wholeSecond(createdAt);
  await db
    .insert(personalAccessTokens)
    .values({
      tokenableId: userId,
      name,
      token: sha256(secret),
      abilities: JSON.stringify(abilities),
      expiresAt: expiresAt && wholeSecond(expiresAt),
      createdAt: at,
      updatedAt: at,
    })
    .onConflictDoNothing({ target: personalAccessTokens.token });
}

export interface ImportedToken {
  userId: number;
  name: string;
  /** The bearer value, without an id in front. */
  secret: string;
  abilities: string[];
  createdAt: Date | null;
  expiresAt: Date | null;
}
