/** What holds for every response and every log line of every test (http-platform 7, case 35). */
import type { Composed } from "../../src/http/compose";
import { redact } from "../../src/telemetry/redact";

type Fetch = Composed["fetch"];

function check(request: Request, response: Response | undefined): Response | undefined {
  if (!response) return response;
  const wrong: string[] = [];
  const { headers } = response;
  if (!headers.get("x-request-id")) wrong.push("no x-request-id");
  if (headers.get("x-content-type-options") !== "nosniff") wrong.push("no nosniff");
  if (headers.has("access-control-allow-credentials")) wrong.push("credentials are allowed across origins");
  for (const name of ["server", "x-powered-by"]) if (headers.has(name)) wrong.push(`a ${name} header`);
  for (const cookie of headers.getSetCookie()) if (/;\s*domain=/i.test(cookie)) wrong.push(`a cookie of a domain`);
  if (wrong.length) throw new Error(`${request.method} ${request.url} ${response.status}: ${wrong.join(", ")}`);
  return response;
}

/** `fetch`, whose every response is looked at. */
export const treated =
  (fetch: Fetch): Fetch =>
  (request, server) => {
    const answered = fetch(request, server);
    return answered instanceof Promise
      ? answered.then((response) => check(request, response))
      : check(request, answered);
  };

/** Throws when a line of a log holds what should have been cut out of it. */
export function checkLog(texts: string[]): void {
  for (const text of texts) {
    for (const line of text.split("\n")) if (redact(line) !== line) throw new Error(`a secret in the log: ${line}`);
  }
}
