import type { Command } from "./command";
import { chat } from "./table/chat";
import { jobs } from "./table/jobs";
import { contract, database, machine, runtime } from "./table/machine";
import { users } from "./table/users";

/** Every operator command. Help, completion scripts and parsing come from here (ops-data 2.3). */
export const commands: Command[] = [...users, ...chat, ...runtime, ...database, ...jobs, ...contract, ...machine];
