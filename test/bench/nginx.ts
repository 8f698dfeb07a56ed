/** nginx from Debian's packages (`nginx-light`) as a yardstick: one worker, one file that is compressed already. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./start";

/** Serves `gzipped` until `stop`; its files lie in `folder`, which the caller removes. */
export async function nginx(
  folder: string,
  gzipped: Uint8Array,
): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  if (!existsSync("/usr/sbin/nginx")) {
    const made = spawnSync("apt-get", ["install", "-y", "--no-install-recommends", "nginx-light"]);
    if (made.status !== 0) throw new Error("nginx is needed: apt-get install nginx-light");
  }
  const root = join(folder, "nginx");
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, "file.js"), Bun.gunzipSync(Uint8Array.from(gzipped)));
  writeFileSync(join(root, "file.js.gz"), gzipped);
  const port = freePort();
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${root}/${name};`,
  );
  const config = join(root, "nginx.conf");
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${root}/pid; error_log ${root}/error;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; gzip_static on; etag on; keepalive_requests 10000000;
  open_file_cache max=100; ${paths.join(" ")}
  types { text/javascript js; }
  server { listen 127.0.0.1:${port}; root ${root}; add_header cache-control "public, max-age=31536000, immutable"; }
}
`,
  );
  const child = Bun.spawn(["/usr/sbin/nginx", "-c", config, "-p", root], { stdout: "ignore", stderr: "inherit" });
  const url = `http://127.0.0.1:${port}/file.js`;
  while (!(await fetch(url).catch(() => null))?.ok) {
    if (child.exitCode !== null) throw new Error("nginx did not start");
    await Bun.sleep(5);
  }
  return {
    url,
    pid: child.pid,
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
