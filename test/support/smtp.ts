/**
 * A mail server on loopback:
 *
 * ```ts
 * const smtp = await fakeSmtp();
 * // OA_MAIL_URL: smtp.url
 * smtp.mails            // what was delivered: from, to, subject, text, html
 * smtp.fault = "reject" // 550 to every recipient; "busy": 421 once connected; "hang": no answer; "drop": cut in mid-message
 * await smtp.close();
 * ```
 */
import { createServer, type Socket } from "node:net";

export interface ReceivedMail {
  from: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
  raw: string;
}

export interface FakeSmtp {
  url: string;
  mails: ReceivedMail[];
  /** Connections ever made, delivered or not. */
  connections: number;
  /** What AUTH PLAIN said last, decoded. */
  auth: string | null;
  fault: "reject" | "busy" | "hang" | "drop" | null;
  /** The first mail from `index` on, as soon as it is there. */
  mail(index?: number): Promise<ReceivedMail>;
  close(): Promise<void>;
}

export async function fakeSmtp(): Promise<FakeSmtp> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    fake.connections++;
    talk(fake, socket, () => {
      for (const wake of waiting.splice(0)) wake();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const fake: FakeSmtp = {
    url: `smtp://mailer:secret@127.0.0.1:${port}`,
    mails: [],
    connections: 0,
    auth: null,
    fault: null,
    async mail(index = 0) {
      while (fake.mails.length <= index) await new Promise<void>((done) => waiting.push(done));
      return fake.mails[index] as ReceivedMail;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
  return fake;
}

function talk(fake: FakeSmtp, socket: Socket, delivered: () => void): void {
  const say = (line: string) => socket.write(`${line}\r\n`);
  let buffer = "";
  let envelope = { from: "", to: [] as string[] };
  let inData = false;
  if (fake.fault === "hang") return;
  if (fake.fault === "busy") {
    say("421 too busy");
    socket.end();
    return;
  }
  say("220 fake ESMTP");

  const command = (line: string) => {
    const word = line.slice(0, 4).toUpperCase();
    if (word === "EHLO" || word === "HELO") return socket.write("250-fake\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n");
    if (word === "AUTH") {
      fake.auth = Buffer.from(line.split(" ")[2] ?? "", "base64")
        .toString("utf8")
        .replaceAll("\0", " ")
        .trim();
      return say("235 ok");
    }
    if (word === "MAIL") {
      envelope = { from: between(line), to: [] };
      return say("250 ok");
    }
    if (word === "RCPT") {
      if (fake.fault === "reject") return say("550 no such user");
      envelope.to.push(between(line));
      return say("250 ok");
    }
    if (word === "DATA") {
      if (fake.fault === "drop") return socket.destroy();
      inData = true;
      return say("354 go on");
    }
    if (word === "QUIT") {
      say("221 bye");
      return socket.end();
    }
    return say("250 ok");
  };

  socket.on("data", (chunk) => {
    buffer += chunk.toString("utf8");
    for (;;) {
      if (inData) {
        const end = buffer.indexOf("\r\n.\r\n");
        if (end < 0) return;
        const raw = buffer.slice(0, end).replaceAll("\r\n..", "\r\n.");
        buffer = buffer.slice(end + 5);
        inData = false;
        fake.mails.push({ ...envelope, ...parse(raw), raw });
        say("250 queued");
        delivered();
        continue;
      }
      const at = buffer.indexOf("\r\n");
      if (at < 0) return;
      const line = buffer.slice(0, at);
      buffer = buffer.slice(at + 2);
      command(line);
    }
  });
}

const between = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? "";

function parse(raw: string): Pick<ReceivedMail, "subject" | "text" | "html"> {
  const head = raw.slice(0, raw.indexOf("\r\n\r\n"));
  const subject = /^Subject: (.*(?:\r\n[ \t].*)*)/im.exec(head)?.[1]?.replace(/\r\n[ \t]+/g, " ") ?? "";
  const parts = raw.split(/\r\n--[^\r\n]+/);
  const bodyOf = (type: string) => {
    const part =
      parts.find(
        (candidate) => candidate.toLowerCase().includes(`content-type: ${type}`) && !candidate.includes("multipart/"),
      ) ?? "";
    const body = part.slice(part.indexOf("\r\n\r\n") + 4);
    if (/content-transfer-encoding: quoted-printable/i.test(part)) return quotedPrintable(body);
    if (/content-transfer-encoding: base64/i.test(part)) return Buffer.from(body, "base64").toString("utf8");
    return body;
  };
  return { subject, text: bodyOf("text/plain"), html: bodyOf("text/html") };
}

function quotedPrintable(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
