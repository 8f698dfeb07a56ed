import type { Call } from "../command";
import { showJobs } from "./queue-list";

export const run = (call: Call): Promise<void> => showJobs(call, "dead");
