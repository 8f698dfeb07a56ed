import type { Caller } from "./caller";
import type { Facts } from "./facts";

/** What the platform knows of a request while it is being treated. */
export interface RequestState {
  facts: Facts;
  /** The path as sent, without query. */
  path: string;
  caller: Caller | null;
  /** Route template, `-` until one matched. */
  route: string;
  /** Further headers that every answer of this request carries (rate limits). */
  headers: Record<string, string> | null;
  /** `Set-Cookie` values, in the order they were set. */
  cookies: string[] | null;
  /** Bytes of the body as they came, for raw routes. */
  raw: Uint8Array | null;
  /** When the body was there, as `performance.now()`; infinite while it arrives. */
  bodyAt: number;
  /** Bytes of the bodies, as far as they are read and written whole. */
  bytesIn: number;
  bytesOut: number;
  limiter: string | null;
  errorCode: string | null;
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

/** Adds headers to whatever answer this request gets. */
export function addHeaders(state: RequestState, headers: Record<string, string>): void {
  state.headers = state.headers ? Object.assign(state.headers, headers) : { ...headers };
}
