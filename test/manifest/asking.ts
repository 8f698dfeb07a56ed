import { type ManifestRow, manifestRows } from "../../src/http/manifest";
import { exampleOf } from "../../src/http/openapi-schema";
import type { Route } from "../../src/http/routes";
import type { Answer, Sent } from "../support/app";
import type { Engine } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";
import { type Callers, type Credentials, createCallers } from "./callers";

/** A secret of its own kind in each place where one stands; none may come out anywhere. */
export const planted = "c0ffee5ec2e7c0ffee5ec2e7c0ffee5e";

const env = {
  OA_AUTH_PROVIDER_MODE: "mock",
  OA_AUTH_API_SIGNUP_ENABLED: "true",
  OA_METRICS_TOKEN: `metrics-${planted}`,
  OA_SMOKE_SECRET: `smoke-${planted}`,
  OA_MAINTENANCE_BYPASS_TOKEN: `bypass-${planted}`,
  OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: `signing-${planted}`,
};

/** One route of the manifest. */
export interface Case {
  key: string;
  row: ManifestRow;
  route: Route;
}

/** How a route is asked; `as` absent: by somebody who may. */
export interface Asked extends Omit<Sent, "as" | "peer"> {
  method?: string;
  path?: string;
  as?: Credentials;
}

export interface Asking {
  app: WholeApp;
  callers: Callers;
  cases: Case[];
  /** Routes with a body, those that are answered before any body is read left out. */
  bodied: Case[];
  /** Asks a route and notes what no answer may have; `what` says how it was asked. */
  ask(one: Case, what: string, asked?: Asked): Promise<Answer>;
  /** Notes a problem unless both are alike. */
  same(about: string, found: unknown, wanted: unknown): void;
  /** The first problems since it was last asked. */
  problems(): string[];
}

/** A path of the route's form. */
export const pathOf = (row: ManifestRow, part = "1"): string => row.path.replace(/\{\w+\}/g, part);

/** A body that the route accepts. */
export const exampleFor = ({ route }: Case): unknown => (route.body ? exampleOf(route.body) : {});

/** Bodies that are not the standard one (http-platform 2.8). */
const ownErrors = /^(POST \/api\/pair\/token 400|GET \/api\/chat\/guest-session 410)$/;
const insides =
  /\bat \S+ \(|\n\s+at |node_modules|\.ts:\d+|\bselect .* from |\binsert into |Failed query|PostgresError/i;
const isFile = /^\/(assets\/|sw\.js|metrics$)/;

/** The statuses that the API document states for each operation it has. */
function documented(app: WholeApp): Map<string, Set<string>> {
  const { paths } = JSON.parse(app.app.openapi()) as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]): [string, Set<string>] => [
      `${method.toUpperCase()} ${path}`,
      new Set(Object.keys(responses)),
    ]),
  );
  return new Map(rows);
}

/** What no answer may have, whatever was asked. */
function faults({ key, row }: Case, { status, headers, text, json }: Answer): string[] {
  const found: string[] = [];
  const no = (bad: boolean, what: string) => bad && found.push(what);
  no(status >= 500, "a server error");
  no(!headers.get("x-request-id"), "no request id");
  no(headers.get("x-content-type-options") !== "nosniff", "no nosniff");
  no(headers.has("access-control-allow-credentials"), "credentials across origins");
  no(
    headers.getSetCookie().some((cookie) => /;\s*domain=/i.test(cookie)),
    "a cookie with a domain",
  );
  no(headers.has("x-planted"), "a header made of a value");
  no(text.includes(planted), "a secret");
  no(!isFile.test(row.path) && insides.test(text), "insides");
  if (status < 400 || headers.get("content-type")?.startsWith("text/html")) return found;
  no(headers.get("cache-control") !== "no-store", "an error that may be cached");
  if (!ownErrors.test(`${key} ${status}`) && text) {
    const { message, error } = (json ?? {}) as { message?: string; error?: { code?: string; message?: string } };
    no(typeof message !== "string" || error?.message !== message, "another envelope");
    no(!/^[a-z_]+$/.test(error?.code ?? ""), "no code");
  }
  return found;
}

/** The whole surface, ready to be asked. */
export async function startAsking(engine: Engine): Promise<Asking> {
  const app = await wholeApp(engine, env, { unlimited: true });
  const callers = createCallers(app);
  const cases = manifestRows(app.app.routes, app.ctx.config.OA_HTTP_MAX_BODY_BYTES).map((row): Case => {
    const key = `${row.method} ${row.path}`;
    return { key, row, route: app.app.routes.get(key.replace(/\{(\w+)\}/g, ":$1")) as Route };
  });
  const stated = documented(app);
  let noted: string[] = [];

  /** Undoes what holds for the whole server: maintenance, and which deployment answers. */
  const restore = async (): Promise<void> => {
    const headers = await callers.of({ auth: "admin" });
    const undo = (path: string, body: object) => app.send("POST", `/api/v1/control/${path}`, { body, headers });
    await undo("maintenance", { enabled: false });
    for (const domain of [undefined, "auth_entry", "account_settings_admin", "billing_l402", "chat_pilot"]) {
      await undo("route-split/override", { target: "clear", ...(domain ? { domain } : {}) });
    }
  };

  return {
    app,
    callers,
    cases,
    bodied: cases.filter(({ row }) => row.method !== "GET" && row.domain !== "shell"),
    async ask(one, what, { method, path, body, headers, as } = {}) {
      const { row } = one;
      const answer = await app.send(method ?? row.method, path ?? pathOf(row), {
        body,
        headers: { accept: "application/json", ...(as ?? (await callers.of(row))), ...headers },
        peer: callers.peer(),
      });
      if (!as && row.method !== "GET" && answer.status < 400) callers.spend(row);
      if (row.path.startsWith("/api/v1/control/") && row.method !== "GET" && answer.status < 400) await restore();
      const bad = faults(one, answer);
      // 421 is the server's, whatever is asked.
      const own = (method === undefined || method === row.method) && answer.status !== 421;
      if (own && stated.get(one.key)?.has(String(answer.status)) === false) bad.push("a status that is not documented");
      if (bad.length)
        noted.push(
          `${bad.join(", ")}: ${one.key}, ${what.slice(0, 80)}: ${answer.status} ${answer.text.slice(0, 200)}`,
        );
      return answer;
    },
    same(about, found, wanted) {
      if (!Bun.deepEquals(found, wanted)) {
        noted.push(
          `${about.slice(0, 120)}: ${JSON.stringify(found)?.slice(0, 300)}, not ${JSON.stringify(wanted)?.slice(0, 300)}`,
        );
      }
    },
    problems() {
      const first = noted.slice(0, 20);
      noted = [];
      return first;
    },
  };
}
