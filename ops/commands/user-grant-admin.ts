import { changeAdmin } from "../change-admin";
import type { Call } from "../command";

export const run = (call: Call): Promise<void> => changeAdmin(call, true);
