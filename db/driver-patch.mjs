/**
 * Faults of postgres.js 3.4.9 when a connection is lost; run after `npm ci` and by `build.ts`. Its issues 1154 and 1208 tell of
 * some of them. Goes when a release has them.
 *
 * 1. A transaction whose connection was lost went on to use it: its `rollback` was written to no socket, which ends the process
 *    where no caller can catch it, and its later statements would run inside whatever the connection is given to next.
 * 2. A statement that was handed to a connection between its error and its close stayed in the queue of what was sent: the next
 *    ones got each other's answers, or none.
 * 3. What was about to be written when a connection closed kept the next one from ever writing.
 * 4. The server's word why it ended a connection was told to the first statement of the next one.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../node_modules/postgres/src/", import.meta.url));

const patches = [
  [
    "index.js",
    "new Promise((_, reject) => connection.onclose = reject)\n      ])",
    "new Promise((_, reject) => connection.onclose = e => {\n          lost = e\n          while (queries.length) queries.shift().reject(e)\n          reject(e)\n        })\n      ])",
  ],
  [
    "index.js",
    "      , connection\n      , prepare = null\n",
    "      , connection\n      , lost = null\n      , prepare = null\n",
  ],
  [
    "index.js",
    "        q.catch(e => uncaughtError || (uncaughtError = e))\n        c.queue",
    "        q.catch(e => uncaughtError || (uncaughtError = e))\n        if (lost)\n          return q.reject(lost)\n\n        c.queue",
  ],
  [
    "connection.js",
    "    clearImmediate(nextWriteTimer)\n    socket.removeListener",
    "    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = errorResponse = null\n    socket.removeListener",
  ],
  [
    "connection.js",
    "    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))\n",
    "    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))\n    query = null\n",
  ],
];

for (const [file, before, after] of patches) {
  const text = readFileSync(source + file, "utf8");
  if (text.includes(after)) continue;
  if (text.split(before).length !== 2)
    throw new Error(`db/driver-patch.mjs does not fit this release of postgres (${file})`);
  writeFileSync(
    source + file,
    text.replace(before, () => after),
  );
}
