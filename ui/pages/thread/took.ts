import { duration } from "../../parts/clock";

/** How long something ran: short things in milliseconds, the rest as everywhere; nothing where it was not measured. */
export const took = (ms: number): string => (ms < 1 ? "" : ms < 1000 ? `${Math.round(ms)} ms` : duration(ms));
