/** An event before it is numbered: which stream it goes to and what it says (khala 3.5). */
export interface NewEvent {
  /** Stream name, such as `u:7:codex.events`; made on first use. Build with `khala/streams.ts`. */
  stream: string;
  kind: string;
  docKey: string;
  docVersion: number;
  payload: unknown;
  /** User the stream belongs to, where its name does not tell (`w:…`, `r:…`): the stream is removed with the account. */
  owner?: number | null;
}
