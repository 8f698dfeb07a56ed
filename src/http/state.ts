import type { Caller } from "./caller";
import type { Facts } from "./facts";

/** What the platform knows of a request while it is being treated. */
export interface RequestState {
  facts: Facts;
  caller: Caller | null;
  /** Route template, `-` until one matched. */
  route: string;
  /** Headers that every answer of this request carries (rate limits, CORS, cookies set by guards). */
  headers: Headers;
  /** Bytes of the body as they came, for raw routes. */
  raw: Uint8Array | null;
  limiter: string | null;
  errorCode: string | null;
  /** The path as sent, without query. */
  path: string;
}

const states = new WeakMap<Request, RequestState>();

export const remember = (request: Request, state: RequestState): RequestState => {
  states.set(request, state);
  return state;
};

/** The state of a request inside its handler. */
export function stateOf(request: Request): RequestState {
  const state = states.get(request);
  if (!state) throw new Error("request was not received through the platform");
  return state;
}
