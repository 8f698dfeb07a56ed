import type { Option } from "../command";

/** Options of commands that list (ops-data 2.9). */
export const limit: Option = { flags: "--limit <n>", text: "rows, 1 to 1000", fallback: "50" };
export const cursor: Option = { flags: "--cursor <cursor>", text: "go on after the page whose next_cursor this is" };
export const pages: Option[] = [limit, cursor];
