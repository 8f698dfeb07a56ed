/** Every figure that this repository promises, each with its yardstick in the same run: `npm run bench [-- NAME…]`. */
import { benchBridge } from "./bridge";
import { benchHttp } from "./http";
import { benchKhala } from "./khala";
import { benchLogIns } from "./log-ins";
import { benchMiddleware } from "./middleware";
import { report } from "./report";
import { benchSize } from "./size";
import { benchStart } from "./start";
import { benchThread } from "./thread";
import { benchThrottle } from "./throttle";

const all: Record<string, () => Parameters<typeof report>[0]> = {
  size: benchSize,
  start: benchStart,
  http: benchHttp,
  middleware: benchMiddleware,
  throttle: benchThrottle,
  "log-ins": benchLogIns,
  bridge: benchBridge,
  thread: benchThread,
  khala: benchKhala,
};
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !all[name]);
if (unknown.length) {
  console.error(`no figures called ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`);
  process.exit(2);
}
console.log("figure  |  ours  |  yardstick  |  ratio  |  must be  |");
let missed = 0;
for (const [name, figures] of Object.entries(all)) {
  if (!asked.length || asked.includes(name)) missed += await report(figures());
}
process.exit(missed ? 1 : 0);
