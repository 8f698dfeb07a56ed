/**
 * What the app takes from outside and a test may replace before `boot()`: clock, chance, network.
 * Read through this object everywhere, never the globals, so that a replaced one is seen.
 */
export const world = {
  now: (): number => Date.now(),
  random: (): number => Math.random(),
  fetch: (input: string, init?: RequestInit): Promise<Response> => fetch(input, init),
  wait: (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms)),
};

/** A random id in the shape the contracts use: `prefix` and 32 lower-case hex digits. */
export const freshId = (prefix: string): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};
