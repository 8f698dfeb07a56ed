/** At most `limit` jobs at once on this node, whatever their kind; first come, first served. */
export function createSlots(limit: number) {
  let taken = 0;
  const waiting: (() => void)[] = [];
  return {
    async take(): Promise<void> {
      if (taken < limit) {
        taken++;
        return;
      }
      await new Promise<void>((go) => waiting.push(go));
    },
    /** Hands the slot to who waits longest. */
    free(): void {
      const next = waiting.shift();
      if (next) next();
      else taken--;
    },
  };
}
