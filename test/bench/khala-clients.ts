/** Many sockets in a process of their own: `bun khala-clients.ts URL COUNT bare|khala`. Talks over its standard streams. */
export {};

const [url = "", count = "1", mode = "bare"] = process.argv.slice(2);
const sockets = Number(count);
const topic = "runtime.codex_worker_events";
let ready = 0;
let got = 0;
let wanted = Number.POSITIVE_INFINITY;
let closed = 0;
let delays: number[] = [];

const now = () => performance.timeOrigin + performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);

/** A batch from another node may hold several updates. */
function take(text: string) {
  const time = now();
  for (let at = text.indexOf('"at":'); at > 0; at = text.indexOf('"at":', at + 5)) {
    delays.push(time - Number.parseFloat(text.slice(at + 5, at + 25)));
  }
  let updates = 0;
  for (let at = text.indexOf('"doc_key":'); at > 0; at = text.indexOf('"doc_key":', at + 10)) updates++;
  const before = got;
  got += updates;
  if (before < wanted && got >= wanted) say("done");
}

for (let i = 0; i < sockets; i++) {
  const socket = new WebSocket(url);
  socket.onopen = () => {
    if (mode === "bare") {
      if (++ready === sockets) say("ready");
      return;
    }
    socket.send('[null,"1","sync:v1","phx_join",{"frames":"batch"}]');
    socket.send(
      JSON.stringify([null, "2", "sync:v1", "sync:subscribe", { topics: [topic], resume_after: { [topic]: "head" } }]),
    );
  };
  socket.onmessage = ({ data }) => {
    const text = String(data);
    if (text.startsWith('[null,"2"')) {
      if (++ready === sockets) say("ready");
    } else if (text.startsWith('[null,null,"sync:v1","sync:update_batch"')) take(text);
  };
  socket.onclose = () => {
    if (++closed === sockets) say("closed");
  };
}

for await (const line of console) {
  if (line.startsWith("expect ")) {
    got = 0;
    delays = [];
    wanted = Number(line.slice(7));
    say("expecting");
  } else if (line === "delays") {
    const sorted = delays.toSorted((a, b) => a - b);
    say(`delays ${sorted[Math.floor(sorted.length * 0.5)]} ${sorted[Math.floor(sorted.length * 0.99)]}`);
  }
}
