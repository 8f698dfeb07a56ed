import type { Screen } from "./bridge";

/** What the bridge prints: lines for people, or one JSON object a line. */
export function createScreen({ json, verbose }: { json: boolean; verbose: boolean }): Screen {
  const time = () => new Date().toTimeString().slice(0, 8);
  return {
    say(line, facts = {}) {
      if (json)
        process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message: line, ...facts })}\n`);
      else process.stdout.write(`${time()}  ${line}\n`);
    },
    debug(line) {
      if (verbose) process.stderr.write(`${time()}  ${line}\n`);
    },
  };
}
