import type { Call } from "../command";

const rules = [
  "Every message and every approval shows where it is: stored, on the machine, applied.",
  "Nothing typed is ever lost.",
  "Nothing that must survive lives in a process.",
  "There is one path, so replay and live cannot differ.",
  "The first answer wins, and later ones are told so.",
];

export async function run({ io, json }: Call): Promise<void> {
  const rule = rules[Math.floor(Math.random() * rules.length)];
  io.out(json ? `${JSON.stringify({ rule })}\n` : `${rule}\n`);
}
