import type { Context } from "../context";
import { appKeys, open, seal } from "../keys";

/** One message; both bodies say the same. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
}

const mailJob = "identity.mail";

interface MailPayload {
  /** The message, sealed: it holds a code or a link that signs somebody in. */
  sealed: string;
}

/**
 * What `enqueue` takes to send a message after the commit. `deliver` false makes a job that sends nothing, so that a request
 * for an unknown address costs the same as one for a known one (auth.md 3.16).
 */
export const mailPayload = (ctx: Context, mail: Mail, deliver = true): [kind: string, payload: MailPayload] => [
  mailJob,
  { sealed: seal(JSON.stringify({ ...mail, deliver }), appKeys(ctx.config)[0] as Buffer) },
];

/** Declares the job that sends mail. */
export function defineMail(ctx: Context): void {
  ctx.jobs.define<MailPayload>({
    kind: mailJob,
    tries: 4,
    backoffSeconds: 5,
    double: true,
    run: async ({ sealed }) => {
      const mail = JSON.parse(open(sealed, appKeys(ctx.config)).text) as Mail & { deliver: boolean };
      if (!mail.deliver) return;
      try {
        await sendMail(ctx, mail);
        ctx.metrics.event("identity.mail.sent");
      } catch (error) {
        ctx.metrics.event("identity.mail.failed");
        throw new Error(`mail was not sent: ${reasonOf(error)}`);
      }
    },
  });
}

/** The failure without addresses or credentials, which a mail server may echo. */
const reasonOf = (error: unknown): string => {
  const { code, responseCode } = (error ?? {}) as { code?: unknown; responseCode?: unknown };
  if (code === undefined && error instanceof MailRefused) return error.message;
  return [code, responseCode].filter((part) => part !== undefined).join(" ") || "unknown reason";
};

class MailRefused extends Error {}

/** Sends one message by `OA_MAIL_URL`: `smtp://`, `smtps://` or `resend://API_KEY`. */
async function sendMail(ctx: Context, mail: Mail): Promise<void> {
  const { OA_MAIL_URL: url, OA_MAIL_FROM: from } = ctx.config;
  if (!url || !from) throw new MailRefused("mail is not configured");
  if (url.startsWith("resend://")) return sendByResend(ctx, url.slice("resend://".length), from, mail);
  const { to, subject, text, html } = mail;
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    ...smtpOptions(url),
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 20_000,
  });
  try {
    await transport.sendMail({ from, to: { name: "", address: to }, subject, text, html });
  } finally {
    transport.close();
  }
}

/** `smtp://user:pass@host:587`: plain or STARTTLS as the server offers; `smtps://`: TLS from the start. */
function smtpOptions(text: string) {
  const url = new URL(text);
  const secure = url.protocol === "smtps:";
  const auth = url.username
    ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }
    : {};
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    ...auth,
  };
}

async function sendByResend(ctx: Context, key: string, from: string, { to, subject, text, html }: Mail): Promise<void> {
  const response = await ctx.outbound.call({
    service: "resend",
    method: "POST",
    url: `${ctx.config.RESEND_API_BASE_URL.replace(/\/+$/, "")}/emails`,
    headers: { authorization: `Bearer ${decodeURIComponent(key)}`, "content-type": "application/json" },
    json: { from, to: [to], subject, text, html },
    timeoutMs: 10_000,
  });
  if (response.status < 200 || response.status >= 300) throw new MailRefused(`Resend answered ${response.status}`);
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const page = (lines: string[]): string =>
  `<!doctype html><html><body style="font-family:system-ui,sans-serif;color:#111">${lines.map((line) => `<p>${line}</p>`).join("")}</body></html>`;

/** The mail with a sign-in code (auth.md 3.16). */
export function codeMail(appName: string, to: string, code: string, minutes: number): Mail {
  const lines = [
    `Your ${appName} sign-in code is ${code}.`,
    `It is good for ${minutes} minutes and works once.`,
    "If you did not ask for it, you need do nothing: nobody can sign in without it.",
  ];
  return {
    to,
    subject: `${code} is your OpenAgents code`,
    text: `${lines.join("\n\n")}\n`,
    html: page([
      `Your ${escaped(appName)} sign-in code:`,
      `<strong style="font-size:2rem;letter-spacing:.2em">${code}</strong>`,
      ...lines.slice(1).map(escaped),
    ]),
  };
}

/** The mail with an invitation. `url` signs in whoever opens it, once. */
export function inviteMail(appName: string, to: string, url: string, inviter: string): Mail {
  const lines = [
    `${inviter} invites you to ${appName}.`,
    `Open this link to sign in. It works once, within 7 days:`,
    url,
  ];
  return {
    to,
    subject: `${inviter} invites you to ${appName}`,
    text: `${lines.join("\n\n")}\n`,
    html: page([
      escaped(lines[0] as string),
      escaped(lines[1] as string),
      `<a href="${escaped(url)}">${escaped(url)}</a>`,
    ]),
  };
}
