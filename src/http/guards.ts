import type { Refusal } from "../refusal";
import type { Caller } from "./caller";
import type { Facts } from "./facts";

/** Who a request comes from; identity implements it and `app.ts` hands it to the platform. */
export interface Guards {
  /** The caller, or null without any credential. Throws a refusal for a credential that is present but bad (auth 2.0). */
  caller(request: Request, facts: Facts): Promise<Caller | null>;
  /** Keeps in the audit trail that a request to a route with `failure` was refused (auth 3.14). Never throws. */
  refused?(event: string, refusal: Refusal, facts: Facts): Promise<void>;
}
