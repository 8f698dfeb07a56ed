import { systemdUnit } from "../../deploy/systemd";
import type { Call } from "../command";

export async function run({ io, json }: Call): Promise<void> {
  const unit = systemdUnit(process.execPath);
  io.out(json ? `${JSON.stringify({ unit })}\n` : unit);
}
