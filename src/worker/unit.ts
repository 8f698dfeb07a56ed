import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The bridge as a service of the user's own: a systemd user unit, a launchd agent on macOS (remote-control 2). */

const unitPath = () =>
  join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "systemd/user/openagents-worker.service");
const agentPath = () => join(homedir(), "Library/LaunchAgents/com.openagents.worker.plist");
const isMac = process.platform === "darwin";

export const servicePath = (): string => (isMac ? agentPath() : unitPath());

/** An argument as systemd reads it. */
const quoted = (word: string) =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `"${word.replace(/(["\\])/g, "\\$1").replaceAll("%", "%%")}"`;

export const systemdUnit = (command: string[]): string => `[Unit]
Description=OpenAgents worker
After=network-online.target

[Service]
ExecStart=${command.map(quoted).join(" ")}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 3 4

[Install]
WantedBy=default.target
`;

const xml = (text: string) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

export const launchAgent = (command: string[]): string => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
  <key>Label</key><string>com.openagents.worker</string>
  <key>ProgramArguments</key><array>${command.map((word) => `<string>${xml(word)}</string>`).join("")}</array>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
</dict></plist>
`;

const manager = (...args: string[]): string =>
  execFileSync(isMac ? "launchctl" : "systemctl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Writes and starts the service; `command` is what it runs. Throws where there is nothing to run it. */
export function install(command: string[]): string {
  const program = isMac ? "launchctl" : "systemctl";
  if (!Bun.which(program))
    throw new Error(`${program} is not on this machine; let what starts your services run: ${command.join(" ")}`);
  const path = servicePath();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, isMac ? launchAgent(command) : systemdUnit(command), { mode: 0o600 });
  if (isMac) manager("load", "-w", path);
  else {
    manager("--user", "daemon-reload");
    manager("--user", "enable", "--now", "openagents-worker.service");
  }
  return path;
}

/** Stops and removes the service; false when there was none. */
export function uninstall(): boolean {
  const path = servicePath();
  if (!existsSync(path)) return false;
  try {
    if (isMac) manager("unload", path);
    else manager("--user", "disable", "--now", "openagents-worker.service");
  } finally {
    rmSync(path, { force: true });
  }
  return true;
}

/** `active`, `inactive`, or `not installed`. */
export function serviceState(): string {
  if (!existsSync(servicePath())) return "not installed";
  try {
    if (!isMac) return manager("--user", "is-active", "openagents-worker.service").trim();
    manager("list", "com.openagents.worker");
    return "active";
  } catch {
    return "inactive";
  }
}

/** The command that shows the service's log. */
export const logCommand = (): string[] =>
  isMac
    ? ["log", "show", "--predicate", 'process == "openagents"', "--last", "1h"]
    : ["journalctl", "--user", "-u", "openagents-worker.service", "-n", "200", "--no-pager"];
