import type { Config } from "../config";
import { failure } from "./answer";
import type { Peer } from "./entry";
import { errorAnswer } from "./errors";
import type { RouteTable } from "./routes";
import type { RequestState } from "./state";

/** The server layer closes a connection that was silent for a minute, also while a handler works on it. */
const stretchMs = 30_000;

/**
 * The time that a request may take once its body is there, `OA_HTTP_HANDLER_TIMEOUT_MS` (http-platform 5): then it is answered
 * with 504, and its work goes on. Routes that declare `patient` are waited for.
 */
export function handlerLimit(config: Config, routes: RouteTable) {
  const limitMs = config.OA_HTTP_HANDLER_TIMEOUT_MS;
  const firstMs = Math.min(limitMs || stretchMs, stretchMs);
  let late = 0;

  const isPatient = (request: Request, { route }: RequestState): boolean =>
    limitMs === 0 ||
    routes.get(`${request.method === "HEAD" ? "GET" : request.method} ${route}`)?.declared.patient === true;

  return {
    /** Requests that were answered already while their work goes on. */
    late: () => late,
    watch(answered: Promise<Response>, request: Request, state: RequestState, server: Peer): Promise<Response> {
      return new Promise((resolve, reject) => {
        let overdue = false;
        const look = () => {
          server.timeout?.(request, 0);
          const left = Math.max(state.facts.startedAt, state.bodyAt) + limitMs - performance.now();
          if (isPatient(request, state)) return;
          if (left > 0) {
            timer = setTimeout(look, Math.min(left, Math.max(limitMs, 1)));
            return;
          }
          overdue = true;
          late++;
          const error = errorAnswer(504, "timeout", "The request took too long.");
          resolve(failure(config, request, state.path, state, error));
        };
        let timer = setTimeout(look, firstMs);
        const settle = (tell: () => void) => {
          clearTimeout(timer);
          if (overdue) late--;
          else tell();
        };
        answered.then(
          (response) => settle(() => resolve(response)),
          (error) => settle(() => reject(error)),
        );
      });
    },
  };
}
