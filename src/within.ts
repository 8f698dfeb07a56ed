/** Waits for `work`, but no longer than `ms`; what is not done by then goes on alone. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const cut = setTimeout(limit.resolve, ms);
  await Promise.race([work, limit.promise]);
  clearTimeout(cut);
}
