const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const pool = new Uint8Array(4096);
let taken = pool.length;

/** One random byte out of a pool: a call of the generator serves many of them, and none is given twice. */
function randomByte(): number {
  if (taken === pool.length) {
    crypto.getRandomValues(pool);
    taken = 0;
  }
  const byte = pool[taken] as number;
  pool[taken++] = 0;
  return byte;
}

/** `length` characters drawn evenly from `alphabet` (at most 256 letters). */
export function randomLetters(length: number, alphabet = alphanumerics): string {
  const fair = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    const byte = randomByte();
    if (byte < fair) text += alphabet[byte % alphabet.length];
  }
  return text;
}
