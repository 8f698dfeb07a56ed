/** What a session is called: pure, from what its client said about itself. */
export interface Device {
  name: string;
  form: "computer" | "phone";
}

const BROWSERS: [RegExp, string][] = [
  [/\bEdgi?A?(?:OS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\bHeadlessChrome\//, "Headless Chrome"],
  [/\b(?:Chrome|CriOS|Chromium)\//, "Chrome"],
  [/\bVersion\/[\d.]+.*\bSafari\//, "Safari"],
];

const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/** The clients that name themselves in `token_name` (auth 3.5). */
const CLIENTS: Record<string, Device> = {
  "mobile:autopilot-ios": { name: "Autopilot for iOS", form: "phone" },
  "mobile:openagents-expo": { name: "OpenAgents for mobile", form: "phone" },
  "desktop:autopilot-desktop": { name: "Autopilot for desktop", form: "computer" },
  "desktop:openagents-desktop": { name: "OpenAgents for desktop", form: "computer" },
};

const found = (list: [RegExp, string][], text: string): string | null =>
  list.find(([form]) => form.test(text))?.[1] ?? null;

export function deviceOf(session: { user_agent: string | null; token_name: string; device_id: string }): Device {
  const client = CLIENTS[session.token_name];
  if (client) return client;
  const agent = session.user_agent?.trim() ?? "";
  const browser = found(BROWSERS, agent);
  const system = found(SYSTEMS, agent);
  const form = system === "iPhone" || /\bMobile\b/.test(agent) ? "phone" : "computer";
  if (browser && system) return { name: `${browser} on ${system}`, form };
  // Programs say `curl/8.1`; what is no product token is told by its device id.
  const program = /^([A-Za-z][\w .-]*)\/[\d.]+/.exec(agent)?.[1];
  return { name: browser ?? system ?? (program && program !== "Mozilla" ? program : session.device_id), form };
}

/** When a session was last seen, as the server tells it. */
export const lastSeen = (session: {
  last_used_at: string | null;
  last_refreshed_at: string | null;
  issued_at: string;
}): string =>
  [session.last_used_at, session.last_refreshed_at, session.issued_at]
    .filter((at) => at !== null)
    .reduce((latest, at) => (Date.parse(at) > Date.parse(latest) ? at : latest));
