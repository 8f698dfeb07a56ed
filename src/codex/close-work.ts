import type { Database } from "../../db/database";
import type { Context } from "../context";
import { fillBook, nothingWanted, openBook } from "./book";
import { saveBook } from "./book-save";
import { closeWork } from "./projection";
import type { Worker } from "./worker-state";

/**
 * Ends in the read-model whatever runs on a locked worker: turns in progress get `status` with `why` as their error, open
 * questions expire (codex-chat 2.7, 3.12).
 */
export async function closeOpenWork(
  ctx: Context,
  db: Database,
  worker: Worker,
  now: Date,
  status: "failed" | "interrupted",
  why: string | null,
): Promise<void> {
  const wanted = { ...nothingWanted(), exits: true };
  const book = await openBook(db, worker, now, wanted);
  await fillBook(ctx, db, book, wanted);
  closeWork(book, status, why);
  await saveBook(db, book);
}
