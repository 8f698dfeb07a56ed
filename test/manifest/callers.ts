import type { ManifestRow } from "../../src/http/manifest";
import { peers, signInThrough } from "../identity/app";
import type { WholeApp } from "../support/whole";

/** Headers that let a request in. */
export type Credentials = Record<string, string>;

const bearer = (token: string): Credentials => ({ authorization: `Bearer ${token}` });

/**
 * Somebody who may call a route, made when first asked for; `spend` forgets whom a change has
 * signed out or deleted.
 * Needs the mock provider.
 */
export function createCallers(app: WholeApp) {
  const peer = peers();
  let count = 0;
  const known = new Map<string, Credentials>();

  const session = async (email: string): Promise<Credentials> =>
    bearer((await signInThrough(app.send, email, peer(), {})).token);

  const make: Record<string, (email: string) => Promise<Credentials>> = {
    user: async (email) => bearer((await app.person(email)).token),
    "user, worker": async (email) => bearer((await app.person(email)).token),
    session,
    admin: async (email) => bearer((await app.person(email, { isAdmin: true })).token),
    "sync token": async (email) => {
      const { token } = await app.person(email);
      const { json } = await app.send("POST", "/api/sync/token", { as: token, body: {} });
      return bearer(json.data.token);
    },
  };
  make["public or user"] = make.user as (typeof make)[string];
  make.page = session;

  return {
    /** Nobody, where a route asks for no caller. */
    async of({ auth }: Pick<ManifestRow, "auth">): Promise<Credentials> {
      const ready = known.get(auth);
      if (ready) return ready;
      const fresh = (await make[auth]?.(`caller${++count}@a.example`)) ?? {};
      known.set(auth, fresh);
      return fresh;
    },
    spend({ auth, path }: Pick<ManifestRow, "auth" | "path">) {
      if (/tokens|logout|revoke|profile/.test(path)) known.delete(auth);
    },
    session,
    peer,
  };
}

export type Callers = ReturnType<typeof createCallers>;
