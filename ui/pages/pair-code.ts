/** The letters of a pairing code (remote-control 2): no vowels, so that no words come out. */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

/** What was typed as the code is shown: upper case, hyphen in the middle; at most eight letters. */
export function shownCode(typed: string): string {
  const letters = [...typed.toUpperCase()]
    .filter((char) => /[A-Z0-9]/.test(char))
    .slice(0, 8)
    .join("");
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}

/** Whether it can be a code at all. */
export const isCode = (typed: string): boolean => {
  const plain = shownCode(typed).replace("-", "");
  return plain.length === 8 && [...plain].every((char) => LETTERS.includes(char));
};
