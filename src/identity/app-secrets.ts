import { eq } from "drizzle-orm";
import { appSecrets } from "../../db/schema/identity";
import type { Context } from "../context";
import { appKeys, open, seal } from "../keys";
import { randomToken } from "./credentials";
import { wholeSecond } from "./times";

const known = new WeakMap<Context["store"], Map<string, Promise<string>>>();

/**
 * A key that the server made for itself: 32 bytes as base64url, made once, sealed with the app key, the same on all nodes.
 * Read once a process.
 */
export function appSecret(ctx: Context, name: string): Promise<string> {
  const secrets = known.get(ctx.store) ?? new Map<string, Promise<string>>();
  known.set(ctx.store, secrets);
  const found = secrets.get(name);
  if (found) return found;
  const read = readOrMake(ctx, name);
  secrets.set(name, read);
  read.catch(() => secrets.delete(name));
  return read;
}

async function readOrMake(ctx: Context, name: string): Promise<string> {
  const keys = appKeys(ctx.config);
  const stored = await readSecret(ctx, name);
  if (stored !== undefined) return open(stored, keys).text;
  await ctx.db
    .insert(appSecrets)
    .values({ name, value: seal(randomToken(), keys[0] as Buffer), createdAt: wholeSecond(ctx.now()) })
    .onConflictDoNothing();
  return open((await readSecret(ctx, name)) as string, keys).text;
}

async function readSecret(ctx: Context, name: string): Promise<string | undefined> {
  const [row] = await ctx.db.select({ value: appSecrets.value }).from(appSecrets).where(eq(appSecrets.name, name));
  return row?.value;
}

/** Names of kept secrets that no key opens: none, unless the app key was lost. */
export async function unreadableSecrets(store: Context["store"], keys: Buffer[]): Promise<string[]> {
  const rows = await store.db.select({ name: appSecrets.name, value: appSecrets.value }).from(appSecrets);
  return rows.flatMap(({ name, value }) => {
    try {
      open(value, keys);
      return [];
    } catch {
      return [name];
    }
  });
}
