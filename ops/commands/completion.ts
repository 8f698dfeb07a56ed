import type { Call } from "../command";
import { completions, type Shell } from "../completions";
import { usage } from "../failure";

export async function run({ arguments: [shell = ""], commands, io, json }: Call): Promise<void> {
  const script = completions[shell as Shell]?.(commands.filter(({ hidden }) => !hidden));
  if (script === undefined)
    throw usage(`there are completions for ${Object.keys(completions).join(", ")}, not for '${shell}'`);
  io.out(json ? `${JSON.stringify({ script })}\n` : script);
}
