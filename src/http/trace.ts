/** W3C trace context (http-platform 2.5): what came in, as far as it is valid. */

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;
const zeros = /^0+$/;
const longestState = 512;
const visible = /^[\x20-\x7e]+$/;

/** The trace that a `traceparent` names; null when it is absent or invalid: then a new one begins. */
export function traceIdOf(header: string | null): string | null {
  const [, version, trace = "", span = "", more] = (header && form.exec(header)) || [];
  if (!version || version === "ff" || zeros.test(trace) || zeros.test(span)) return null;
  // Version 00 ends here; later ones may say more.
  return version === "00" && more !== undefined ? null : trace;
}

/** The `tracestate` that goes with a valid `traceparent`; null otherwise. */
export const traceStateOf = (parent: string | null, state: string | null): string | null =>
  state !== null && state.length <= longestState && visible.test(state) && traceIdOf(parent) !== null ? state : null;
