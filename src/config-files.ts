import { join } from "node:path";

/** Where a configuration file is looked for when none is named, in this order (ops-data 2.4). */
export const configFiles = (cwd: string): string[] => [join(cwd, "openagents.env"), "/etc/openagents/openagents.env"];
