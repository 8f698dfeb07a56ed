/** What a message that begins with a slash can do instead of being sent. */
export interface SlashCommand {
  name: string;
  text: string;
  run: () => void;
}

/** The commands that a text may still become; none when it is an ordinary message. */
export function matching(text: string, commands: SlashCommand[]): SlashCommand[] {
  const typed = /^\/([a-z]*)$/i.exec(text.trimEnd());
  if (!typed) return [];
  const start = (typed[1] ?? "").toLowerCase();
  return commands.filter(({ name }) => name.startsWith(start));
}
