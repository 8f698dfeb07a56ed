import { createHash } from "node:crypto";
import { canonicalJson } from "../khala/canonical";
import type { Json } from "./json";

/** What makes two requests the same command (codex-chat 3.5): SHA-256 hex; source, version and time do not count. */
export const fingerprint = (request: {
  method: string;
  params: Json;
  session_id: string | null;
  thread_id: string | null;
}): string => createHash("sha256").update(canonicalJson(request)).digest("hex");
