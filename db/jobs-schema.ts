import { getConstructionPlans } from "pg-boss";

/** The Postgres schema of pg-boss's tables. */
export const JOBS_SCHEMA = "jobs";

/** SQL that makes pg-boss's tables in an empty database, as pg-boss itself would at its first start. */
export const jobsSchema = (): string => getConstructionPlans(JOBS_SCHEMA);
