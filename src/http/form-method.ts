import { bodyLimit, lenientBody, readBytes } from "./body";
import { methodsOf, type RouteTable } from "./routes";
import { type RequestState, remember } from "./state";

const meant = new Set(["PUT", "PATCH", "DELETE"]);
const formType = /^(application\/x-www-form-urlencoded|multipart\/form-data)/i;

/** Whether a request may be a form that stands for another method: a POST to a web route, never to `/api/*`. */
export const isFormPost = (request: Request, { path }: RequestState): boolean =>
  request.method === "POST" && !path.startsWith("/api/") && formType.test(request.headers.get("content-type") ?? "");

/**
 * The request that a form means: with its field `_method`, if that is `PUT`, `PATCH` or `DELETE`, since browsers' forms know
 * only GET and POST (http-platform 2.2). Its body has been read; `usualLimit` is `OA_HTTP_MAX_BODY_BYTES`.
 */
export async function formRequest(
  request: Request,
  state: RequestState,
  routes: RouteTable,
  usualLimit: number,
): Promise<Request> {
  if (!methodsOf(routes, state.path).length) return request;
  state.bodyAt = Number.POSITIVE_INFINITY;
  const bytes = await readBytes(request, bodyLimit(state.path, usualLimit));
  state.bodyAt = performance.now();
  state.bytesIn = bytes.byteLength;
  const { _method: named } = await lenientBody(bytes, request.headers.get("content-type"));
  const word = typeof named === "string" ? named.trim().toUpperCase() : "";
  const method = meant.has(word) ? word : "POST";
  const { url, headers } = request;
  const inner = new Request(url, { method, headers, body: bytes as Uint8Array<ArrayBuffer> });
  remember(inner, state);
  return inner;
}
