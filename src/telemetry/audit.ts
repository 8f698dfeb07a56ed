/** One fact of the audit trail (auth 3.14). Absent members are left out. */
export interface AuditRecord {
  event: string;
  requestId: string;
  outcome?: "success" | "failure" | "rejected";
  userId?: number;
  sessionId?: string;
  orgId?: string;
  deviceId?: string;
  attributes?: Record<string, string>;
}
