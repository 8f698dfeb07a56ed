import type { Running } from "./serve";

const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

/** A signal stops gracefully, a second one at once; SIGUSR2 writes a line about the present state (ops-data 2.6). */
export function watchSignals(running: Running): void {
  let stopping = false;
  for (const signal of Object.keys(codes) as (keyof typeof codes)[]) {
    process.on(signal, () => {
      if (stopping) process.exit(codes[signal]);
      stopping = true;
      void running.stop(signal);
    });
  }
  process.on("SIGUSR2", () => void running.report());
  process.on("SIGPIPE", () => {});
}
