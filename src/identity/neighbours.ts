import type { SQL, SQLWrapper } from "drizzle-orm";
import type { Unit } from "../context";
import type { ChatThread, CodexAccess } from "./contract";
import type { OwnsRun } from "./memberships";
import type { ForeignWorker } from "./pairing";
import type { UserRow } from "./users";

/** What `GET /api/me` shows of the Codex domain, read in the statement that finds out who asks: one round trip in all. */
export interface MeView {
  /** A JSON column over the statement's user id and limit. */
  column(userId: SQLWrapper, limit: SQLWrapper): SQL<unknown>;
  read(stored: unknown, limit: number): { chatThreads: ChatThread[]; codexAccess: CodexAccess };
}

/** What identity's routes need of other domains, handed in by `app.ts`, so that there is no circle. */
export interface Neighbours {
  /** The conversations of `GET /api/me` (auth.md 2.7), at most `limit`. */
  chatThreads(userId: number, limit: number): Promise<ChatThread[]>;
  /** State of the person's Codex account (auth.md 3.10). */
  codexAccess(userId: number): Promise<CodexAccess>;
  /** Both of them for `GET /api/me`, when the guards were made with it. */
  meView?: MeView;
  /** Whether somebody else's worker has this id. */
  foreignWorker?: ForeignWorker;
  /** Whether a run is the user's; without a runtime domain none is. */
  ownsRun?: OwnsRun;
  /** Makes the autopilot that `POST /api/auth/register` may ask for. */
  makeAutopilot?: (unit: Unit, user: UserRow, displayName: string) => Promise<unknown>;
  /** Whether a path is a page of the web app: only there a return path may lead. */
  isPage?: (path: string) => boolean;
  /** Told when a sign-in link was used: the owner link's file can go (ops-data 2.3). */
  linkUsed?: () => void;
}
