import { type Proxy, proxies } from "../../deploy/proxies";
import type { Call } from "../command";
import { Failure, usage } from "../failure";

export async function run({ arguments: [name = ""], io, json, config }: Call): Promise<void> {
  const proxy = proxies[name as Proxy];
  if (!proxy) throw usage(`there are files for ${Object.keys(proxies).join(" and ")}, not for '${name}'`);
  if (!config.APP_URL) {
    throw new Failure(
      78,
      "configuration",
      "APP_URL is not set",
      "set it to the address people will open, for example https://openagents.example",
    );
  }
  const text = proxy(new URL(config.APP_URL).host, `127.0.0.1:${config.PORT ?? 8787}`);
  io.out(json ? `${JSON.stringify({ file: text })}\n` : text);
}
