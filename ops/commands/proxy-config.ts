import { type ProxyName, proxies } from "../../deploy/proxies";
import type { Call } from "../command";
import { Failure, usage } from "../failure";

export async function run({ arguments: [name = ""], io, json, config }: Call): Promise<void> {
  const make = proxies[name as ProxyName];
  if (!make) throw usage(`there are files for ${Object.keys(proxies).join(" and ")}, not for '${name}'`);
  if (!config.APP_URL) {
    const hint = "set it to the address people will open, for example https://openagents.example";
    throw new Failure(78, "configuration", "APP_URL is not set", hint);
  }
  const text = make(new URL(config.APP_URL).host, `127.0.0.1:${config.PORT ?? 8787}`);
  io.out(json ? `${JSON.stringify({ file: text })}\n` : text);
}
