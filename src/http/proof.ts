import { tooMany } from "../refusal";
import { limits } from "./limits";
import { addHeaders, type RequestState } from "./state";
import { secondsLeft, type Throttle, throttleKey } from "./throttle";

/**
 * Counts failed proofs of a secret by address: throws 429 once there were 30 in a minute, also for a right one, so that
 * nobody can go on guessing (http-platform 3.3, `internal.auth`). Right proofs are not counted. `now` in epoch ms.
 */
export async function countProof(throttle: Throttle, state: RequestState, now: number, right: boolean): Promise<void> {
  const { limiter, limit, seconds } = limits.internalAuth;
  state.limiter = limiter;
  const key = throttleKey(limits.internalAuth, null, state.facts);
  const window = await throttle.hit(limiter, key, limit, seconds, 0);
  const over = window.remaining === 0;
  if (!over && !right) await throttle.hit(limiter, key, limit, seconds);
  addHeaders(state, {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(over ? 0 : window.remaining - (right ? 0 : 1)),
  });
  if (!over) return;
  addHeaders(state, { "x-ratelimit-reset": String(Math.ceil(window.endsAt / 1000)) });
  throw tooMany("Too Many Attempts.", secondsLeft(window.endsAt, now));
}
