/**
 * What is asked several times under one key while the event loop delivers what has arrived is asked once: a page that opens
 * sends half a dozen requests at the same moment with the same cookie. The question goes out after the last of those requests
 * came in, so none of them is answered from before its time.
 */
export function together<Answer>(): (key: string, ask: () => PromiseLike<Answer>) => Promise<Answer> {
  const waiting = new Map<string, Promise<Answer>>();
  return (key, ask) => {
    const known = waiting.get(key);
    if (known) return known;
    const asked = new Promise<Answer>((done) => {
      setImmediate(() => {
        waiting.delete(key);
        done(ask());
      });
    });
    waiting.set(key, asked);
    return asked;
  };
}
