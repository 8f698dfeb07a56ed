import type { Unit } from "../src/context";
import type { AuditRecord } from "../src/telemetry/audit";
import type { Call } from "./command";

/** The id that an operator command's audit rows and events carry. */
export const requestIdOf = (): string => `ops-${crypto.randomUUID()}`;

/** Keeps in the audit trail who ran this command (ops-data 2.9). */
export function auditOps(
  unit: Unit,
  { command, io }: Call,
  requestId: string,
  attributes: Record<string, string> = {},
  user?: number,
): void {
  const record: AuditRecord = {
    event: `ops.${command.name.replace(/^ops:/, "").replaceAll(":", ".")}`,
    requestId,
    attributes: { ...attributes, actor: "ops", os_user: `os:${io.user}`, host: io.host },
  };
  if (user !== undefined) record.userId = user;
  unit.audit(record);
}
