/** What a person at the terminal is told. */
export interface Screen {
  /** Something worth a line; `facts` go with it as JSON. */
  say(line: string, facts?: Record<string, unknown>): void;
  debug(line: string): void;
}

/** Prints lines for people, or one JSON object a line. */
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
