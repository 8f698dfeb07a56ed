import { readdirSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge } from "prom-client";
import type { Metrics } from "./metrics";

interface Process {
  version: string;
  buildId: string;
  /** Requests being answered now. */
  inFlight(): number;
  /** Connections of the database that have work; 0 where there is no pool. */
  poolInUse(): Promise<number>;
}

/** Metrics of the process as a whole, read when somebody asks for them (http-platform 3.10). */
export function processMetrics({ registry, gauge }: Metrics, { version, buildId, inFlight, poolInUse }: Process): void {
  const registers = [registry];
  const read = (name: string, help: string, value: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await value());
      },
    });
  const total = (name: string, help: string, value: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });

  gauge("build_info", 1, { version, build_id: buildId });
  read("http_requests_in_flight", "requests being answered", inFlight);
  read("db_pool_in_use", "connections that have work", () => poolInUse().catch(() => 0));
  total("process_cpu_user_seconds_total", "CPU time in user mode", () => process.cpuUsage().user / 1e6);
  total("process_cpu_system_seconds_total", "CPU time in system mode", () => process.cpuUsage().system / 1e6);
  total("process_cpu_seconds_total", "CPU time", () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6);
  read("process_resident_memory_bytes", "resident memory", () => process.memoryUsage.rss());
  read("process_start_time_seconds", "start of the process, epoch", () => performance.timeOrigin / 1000);
  read("process_open_fds", "open file descriptors", openFiles);
  read("process_max_fds", "most file descriptors", mostFiles);

  let delays: ReturnType<typeof monitorEventLoopDelay> | null = null;
  new Gauge({
    name: "event_loop_delay_seconds",
    help: "how late the event loop was since it was last asked",
    labelNames: ["quantile"],
    registers,
    collect() {
      // Watching costs a timer, so it begins with the first who asks.
      if (!delays) {
        delays = monitorEventLoopDelay({ resolution: 50 });
        delays.enable();
      }
      for (const percent of [50, 99, 100]) {
        const late = delays.count ? delays.percentile(percent) / 1e9 : 0;
        this.set({ quantile: String(percent / 100) }, late);
      }
      delays.reset();
    },
  });
}

/** 0 where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

function mostFiles(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
