/** W3C trace context (http-platform 2.5): what came in, as far as it is valid. */

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeros = /^0+$/;
const longestState = 512;
const visible = /^[\x20-\x7e]+$/;

/** Who asks, in a trace: its id, the span that asks, and whether that is recorded. */
export interface Parent {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

/** What a `traceparent` names; null when it is absent or invalid: then a new trace begins. */
export function parentOf(header: string | null): Parent | null {
  const [, version, traceId = "", spanId = "", flags = "", more] = (header && form.exec(header)) || [];
  if (!version || version === "ff" || zeros.test(traceId) || zeros.test(spanId)) return null;
  // Version 00 ends here; later ones may say more.
  if (version === "00" && more !== undefined) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The `tracestate` that goes with a valid `traceparent`; null otherwise. */
export const traceStateOf = (parent: string | null, state: string | null): string | null =>
  state !== null && state.length <= longestState && visible.test(state) && parentOf(parent) !== null ? state : null;
