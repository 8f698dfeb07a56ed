import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./context";
import { mintOwnerLink } from "./identity/login-links";

/** How the owner is told to sign in: a URL for the terminal, or where to find it. */
export type OwnerLink = { url: string } | { file: string } | { command: string } | null;

const fileOf = (folder: string) => join(folder, "owner-link");

/**
 * While there are no users: a link on a terminal; elsewhere a log would keep a credential, so it goes into a 0600 file, or,
 * with `DATABASE_URL`, the operator mints one (ops-data 2.3, auth 3.16).
 */
export async function announceOwner(ctx: Context, folder: string): Promise<OwnerLink> {
  const terminal = process.stdout.isTTY === true;
  if (!terminal && ctx.config.DATABASE_URL) return { command: "openagents ops login-link" };
  const link = await mintOwnerLink(ctx);
  if (!link) return null;
  if (terminal) return { url: link.url };
  const file = fileOf(folder);
  rmSync(file, { force: true });
  writeFileSync(file, `${link.url}\n`, { mode: 0o600, flag: "wx" });
  return { file };
}

/** The link was used: its file goes. */
export const forgetOwnerLink = (folder: string): void => rmSync(fileOf(folder), { force: true });
