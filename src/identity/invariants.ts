import { sql } from "drizzle-orm";
import type { Invariant } from "../../db/invariants";

/** What holds of identity's tables (ops-data 3.4). */
export const identityInvariants: Invariant[] = [
  {
    id: "refs",
    broken: sql`select 'personal_access_tokens ' || t.id as key from personal_access_tokens t
      where not exists (select 1 from users u where u.id = t.tokenable_id)`,
  },
  {
    id: "users.email",
    broken: sql`select lower(email) as key from users group by lower(email) having count(*) > 1
      union all select id::text from users where handle !~ '^[a-z0-9:_-]{1,64}$'`,
  },
  {
    id: "sessions.unique",
    broken: sql`select user_id || ' ' || device_id as key from auth_sessions where status = 'active'
      group by user_id, device_id having count(*) > 1
      union all select s.id from auth_sessions s where s.status = 'active'
        and not exists (select 1 from auth_refresh_tokens r where r.session_id = s.id and r.state = 'active')`,
  },
];
