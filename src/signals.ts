import type { Running } from "./serve";

const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

/**
 * A signal stops gracefully, a second one at once; SIGUSR2 writes a line about the present state (ops-data 2.6). Called before
 * the start, so that a signal in its middle is obeyed as soon as there is something to stop.
 */
export function watchSignals(): (running: Running) => void {
  let running: Running | null = null;
  let first: keyof typeof codes | null = null;
  for (const signal of Object.keys(codes) as (keyof typeof codes)[]) {
    process.on(signal, () => {
      if (first) process.exit(codes[signal]);
      first = signal;
      void running?.stop(signal);
    });
  }
  process.on("SIGUSR2", () => void running?.report());
  process.on("SIGPIPE", () => {});
  return (started) => {
    running = started;
    if (first) void started.stop(first);
  };
}
