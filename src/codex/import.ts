import type { Database } from "../../db/database";
import { codexThreadMessages, codexThreads, type Role } from "../../db/schema/codex";
import { cut } from "./json";

export interface ImportedThread {
  id: string;
  userId: number;
  orgId: string;
  title: string | null;
  autopilotId: string | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface ImportedMessage {
  id: string;
  threadId: string;
  role: string;
  text: string;
  createdAt: Date;
}

const isSpoken = (role: string): role is Role => role === "user" || role === "assistant";

/**
 * Threads of another system with what was said in them (codex-chat 4), by id: again changes nothing but what has changed
 * there. Only the user's and the assistant's messages count.
 */
export async function importThreads(
  db: Database,
  origin: "legacy_import" | "rust_import",
  threads: ImportedThread[],
  messages: ImportedMessage[],
): Promise<void> {
  for (const { id, createdAt, ...thread } of threads) {
    const spoken = messages.filter((message) => message.threadId === id && isSpoken(message.role));
    const first = spoken.find(({ role }) => role === "user")?.text;
    const values = {
      ...thread,
      preview: first === undefined ? null : cut(first, 500),
      messageCount: spoken.length,
      lastMessageAt: spoken.at(-1)?.createdAt ?? null,
    };
    await db
      .insert(codexThreads)
      .values({ threadId: id, origin, createdAt, ...values })
      .onConflictDoUpdate({ target: codexThreads.threadId, set: values });
    for (const message of spoken) {
      const content = { role: message.role as Role, text: message.text, updatedAt: message.createdAt };
      await db
        .insert(codexThreadMessages)
        .values({
          messageId: message.id,
          threadId: id,
          userId: thread.userId,
          createdAt: message.createdAt,
          ...content,
        })
        .onConflictDoUpdate({ target: codexThreadMessages.messageId, set: content });
    }
  }
}
