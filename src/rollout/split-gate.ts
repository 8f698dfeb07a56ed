import type { Context } from "../context";
import { baseHeaders, failure, respond } from "../http/answer";
import { errorAnswer } from "../http/errors";
import type { RequestState } from "../http/state";
import { expectsJson } from "../http/treatment";
import type { DecisionTrail } from "./decision-trail";
import { type Decision, decide } from "./route-split";
import type { Stored } from "./stored";

/** What a request counts as in a cohort: route key, device, address (http-platform 3.12). */
export const cohortKey = ({ headers }: Request, { facts }: RequestState): string =>
  headers.get("x-oa-route-key")?.trim() ||
  headers.get("x-device-id")?.trim() ||
  facts.ip ||
  facts.userAgent.trim() ||
  "anonymous";

interface SplitGateParts {
  stored: Stored;
  trail: DecisionTrail;
  /** Whether a path is a page's, as against a file, a route or a machine endpoint. */
  isPagePath(path: string): boolean;
  /** The shell with an error's status. */
  errorPage(request: Request, state: RequestState, status: number): Response;
}

/** Sends pages that another deployment serves there (http-platform 3.12). Null = this executable answers. */
export function splitGate(ctx: Context, { stored, trail, isPagePath, errorPage }: SplitGateParts) {
  const { config } = ctx;
  const base = config.OA_ROUTE_SPLIT_LEGACY_BASE_URL?.replace(/\/+$/, "") ?? null;

  const decisionOf = (request: Request, state: RequestState): Decision =>
    decide(config, stored.overrides(), { path: decoded(state.path), key: cohortKey(request, state), isRequest: true });

  return (request: Request, state: RequestState): Response | null => {
    if ((request.method !== "GET" && request.method !== "HEAD") || !isPagePath(state.path)) return null;
    const decision = decisionOf(request, state);
    trail.note(decision, state.facts);
    if (decision.target === "rust_shell") return null;
    if (base === null) {
      const answer = errorAnswer(503, "legacy_route_unavailable", "Legacy route target is not configured.");
      state.errorCode = "legacy_route_unavailable";
      return expectsJson(request)
        ? failure(config, request, state.path, state, answer)
        : errorPage(request, state, answer.status);
    }
    const query = request.url.indexOf("?");
    const location = `${base}${state.path}${query < 0 ? "" : request.url.slice(query)}`;
    return respond(null, 307, { ...baseHeaders(config, request, state.path, state), location }, state);
  };
}

const decoded = (path: string): string => {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};
