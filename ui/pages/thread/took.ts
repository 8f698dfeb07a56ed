import { duration } from "../../parts/clock";

/** How long something ran: short things in milliseconds, the rest as everywhere. */
export const took = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : duration(ms));
