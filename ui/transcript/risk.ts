/** What a person should see before saying yes: patterns that destroy, publish, or reach out (web-ui 16.2). */
export interface Risk {
  /** A few words for the hint. */
  why: string;
  level: "danger" | "care";
}

const patterns: [RegExp, Risk][] = [
  [/\brm\s+(?:-\w*\s+)*-\w*(?:r\w*f|f\w*r)\w*\b|\brm\s+(?:-\w+\s+)*--recursive\b/i, danger("Deletes files for good")],
  [/\bgit\s+push\b.*(?:\s--force(?:-with-lease)?\b|\s-\w*f\b|\s\+\S)/, danger("Rewrites the remote branch")],
  [/\bgit\s+(?:reset\s+--hard|clean\s+-\w*f|checkout\s+--\s|branch\s+-D)\b/, danger("Throws away local work")],
  [/\b(?:mkfs(?:\.\w+)?|fdisk|parted|shred|wipefs)\b|\bdd\b.*\bof=/, danger("Overwrites a disk or file")],
  [/\b(?:sudo|doas|su\s+-)\b/, danger("Runs as administrator")],
  [/\bchmod\s+(?:-\w+\s+)*(?:777|a\+rwx)\b|\bchown\s+-R\b/, danger("Changes permissions widely")],
  [/\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b/, danger("Runs a script from the network")],
  [/\b(?:drop|truncate)\s+(?:table|database|schema)\b/i, danger("Deletes data")],
  [/:\(\)\s*\{.*\};\s*:/, danger("Never ends")],
  [/\b(?:shutdown|reboot|halt|poweroff|kill\s+-9\s+-1)\b/, danger("Stops the machine")],
  [/\b(?:npm|pnpm|yarn|cargo|gem|twine|docker)\s+(?:publish|push|upload)\b/, danger("Publishes to the outside")],
  [/\bgit\s+push\b/, care("Pushes to a remote")],
  [/\b(?:curl|wget|ssh|scp|rsync|nc|telnet|ftp)\b/, care("Uses the network")],
  [
    /\b(?:npm|pnpm|yarn|bun)\s+(?:i|install|add|ci)\b|\b(?:pip3?|uv|apt(?:-get)?|brew|cargo|go|gem)\s+(?:install|add|get)\b/,
    care("Downloads and installs packages"),
  ],
];

function danger(why: string): Risk {
  return { why, level: "danger" };
}
function care(why: string): Risk {
  return { why, level: "care" };
}

/** The hints for a command, the gravest first; none for what looks harmless. A hint, not a guarantee. */
export function risksOf(command: string): Risk[] {
  const found: Risk[] = [];
  for (const [pattern, risk] of patterns) {
    if (pattern.test(command) && !found.some(({ why }) => why === risk.why)) found.push(risk);
  }
  const pushes = found.some(({ why }) => why === "Rewrites the remote branch");
  return found.filter(({ why }) => !(pushes && why === "Pushes to a remote"));
}
