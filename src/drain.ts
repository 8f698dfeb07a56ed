/** One step of a graceful stop. */
export interface Step {
  name: string;
  run(): Promise<unknown>;
}

/**
 * Runs the steps in order within `limitMs` (ops-data 2.6). Resolves to 0, or to 1 when the limit cut something off; `onError`
 * is told what was still open.
 */
export async function drain(steps: Step[], limitMs: number, onError: (line: string) => void): Promise<number> {
  let timer: Timer | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), limitMs);
  });
  let code = 0;
  for (const [i, { name, run }] of steps.entries()) {
    const done = await Promise.race([
      run().then(
        () => "done" as const,
        (error: unknown) => {
          onError(`stopping ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
          code = 1;
          return "done" as const;
        },
      ),
      late,
    ]);
    if (done === "late") {
      onError(
        `still open when the time was up: ${steps
          .slice(i)
          .map((step) => step.name)
          .join(", ")}`,
      );
      code = 1;
      break;
    }
  }
  clearTimeout(timer);
  return code;
}
