import { asc } from "drizzle-orm";
import { auditEvents } from "../../db/schema/platform";
import type { Config } from "../../src/config";
import { identityApi, identityJobs } from "../../src/identity";
import type { CodexAccess } from "../../src/identity/contract";
import type { Neighbours } from "../../src/identity/neighbours";
import { type Answer, type TestApp, testApp } from "../support/app";
import type { Engine } from "../support/database";

export const codexAccess: CodexAccess = {
  status: "no_worker",
  workerId: null,
  account: null,
  linkState: "unknown",
  chatgptLinked: false,
  checkedAt: null,
  policy: "chatgpt_required",
};

export interface IdentityApp extends TestApp {
  analytics: { id: string; event: string; properties: Record<string, unknown> | undefined }[];
  neighbours: Neighbours;
  /** Settings for the time of `work` only. */
  withConfig<T>(over: Partial<{ -readonly [N in keyof Config]: Config[N] }>, work: () => Promise<T>): Promise<T>;
  /** Signs in with the mock provider, as an API client unless `client` says. */
  signIn(email: string, how?: SignInHow): Promise<Session>;
  audit(): Promise<
    { event: string; outcome: string; requestId: string; attributes: Record<string, string>; userId: number | null }[]
  >;
  /** An address that no throttle has seen. */
  peer(): string;
  /** Runs the jobs of a kind that wait, in order. */
  runJobs(kind: string): Promise<void>;
}

export interface Session {
  id: number;
  email: string;
  token: string;
  refresh: string;
  sessionId: string;
  /** Cookie header of the browser that signed in. */
  cookie: string;
  answer: Answer;
}

/** `name=value` pairs of an answer's cookies, those that were cleared left out. */
export const cookiesOf = (answer: Answer): string =>
  answer.headers
    .getSetCookie()
    .filter((line) => !line.includes("Max-Age=0"))
    .map((line) => line.split(";")[0])
    .join("; ");

/** The whole `Set-Cookie` line of a name. */
export const setCookieOf = (answer: Answer, name: string): string | undefined =>
  answer.headers.getSetCookie().find((line) => line.startsWith(`${name}=`));

interface SignInHow {
  device?: string;
  client?: string;
}

/** Signs in with the mock provider through any surface. `from` is an address that no throttle has seen. */
export async function signInThrough(
  send: TestApp["send"],
  email: string,
  from: string,
  { device, client }: SignInHow = {},
): Promise<Session> {
  const sent = await send("POST", "/api/auth/email", { body: { email }, peer: from });
  const answer = await send("POST", "/api/auth/verify", {
    body: { code: "123456", challenge_id: sent.json.challengeId, ...(device ? { device_id: device } : {}) },
    headers: client ? { "x-client": client } : {},
    peer: from,
  });
  if (answer.status !== 200) throw new Error(`sign-in failed: ${answer.text}`);
  const { user, token, refreshToken, sessionId } = answer.json;
  return { id: user.id, email: user.email, token, refresh: refreshToken, sessionId, cookie: cookiesOf(answer), answer };
}

/** Addresses, each given once. */
export function peers(): () => string {
  let given = 0;
  return () => {
    given++;
    return `198.51.${100 + (given >> 8)}.${given & 255}`;
  };
}

/** Identity's routes on a fresh database, with the mock provider unless `env` says otherwise. */
export async function identityApp(
  engine: Engine,
  { env = {}, ...over }: Partial<Neighbours> & { env?: Record<string, string> } = {},
): Promise<IdentityApp> {
  const analytics: IdentityApp["analytics"] = [];
  const neighbours: Neighbours = { chatThreads: async () => [], codexAccess: async () => codexAccess, ...over };
  const app = await testApp(engine, {
    env: { APP_ENV: "testing", OA_AUTH_PROVIDER_MODE: "mock", ...env },
    domains(ctx) {
      ctx.analytics = {
        on: true,
        capture: (id, event, properties) => void analytics.push({ id, event, properties }),
        identify: (id, set) => void analytics.push({ id, event: "$identify", properties: set }),
        flush: async () => {},
      };
      identityJobs(ctx);
      return [identityApi(ctx, neighbours)];
    },
  });
  const peer = peers();
  const { config } = app.ctx;
  return Object.assign(app, {
    analytics,
    neighbours,
    peer,
    async withConfig<T>(changes: Partial<Config>, work: () => Promise<T>): Promise<T> {
      const before = { ...config };
      Object.assign(config, changes);
      try {
        return await work();
      } finally {
        Object.assign(config, before);
      }
    },
    signIn: (email: string, how: SignInHow = {}) => signInThrough(app.send, email, peer(), how),
    async audit() {
      const rows = await app.ctx.db.select().from(auditEvents).orderBy(asc(auditEvents.id));
      return rows.map((row) => ({
        event: row.eventName,
        outcome: row.outcome,
        requestId: row.requestId,
        attributes: row.attributes as Record<string, string>,
        userId: row.userId,
      }));
    },
    async runJobs(kind: string) {
      const waiting = app.jobs.filter((job) => job.kind === kind);
      for (const job of waiting) {
        app.jobs.splice(app.jobs.indexOf(job), 1);
        const run = app.kinds.get(kind)?.run as (payload: unknown, job: unknown) => Promise<void>;
        await run(job.payload, { id: "1", try: 1, signal: new AbortController().signal });
      }
    },
  });
}
