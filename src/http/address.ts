import { isIP } from "node:net";

/** A set of addresses: CIDR blocks, or everything. */
export interface AddressSet {
  any: boolean;
  has(address: string): boolean;
}

const words: Record<string, string[]> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"],
  none: [],
};

/** An address as 16 bytes, IPv4 mapped, or null when it is none. */
function bytesOf(address: string): Uint8Array | null {
  const kind = isIP(address);
  if (!kind) return null;
  const bytes = new Uint8Array(16);
  if (kind === 4) {
    bytes[10] = bytes[11] = 0xff;
    address.split(".").forEach((part, i) => {
      bytes[12 + i] = Number(part);
    });
    return bytes;
  }
  const bare = address.split("%")[0] as string;
  const dotted = bare.match(/^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/);
  const [, prefix = "", a, b, c, d] = dotted ?? [];
  const hex = (high: unknown, low: unknown) => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted ? `${prefix}${hex(a, b)}:${hex(c, d)}` : bare;
  const [left = "", right] = text.split("::");
  const head = left ? left.split(":") : [];
  const tail = right ? right.split(":") : [];
  const groups =
    right === undefined ? head : [...head, ...new Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  groups.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}

const isMapped = (bytes: Uint8Array) =>
  bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);

/** Remembers what a pure function said of short texts; the same few addresses and hosts come with every request. */
export function remembering<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined || known.has(text)) return before as T;
    const fresh = work(text);
    if (text.length > 255) return fresh;
    if (known.size >= 2000) known.clear();
    known.set(text, fresh);
    return fresh;
  };
}

/** An address in RFC 5952 form, IPv4-mapped IPv6 as IPv4; null when it is no address (http-platform 2.4). */
export const canonicalAddress = remembering(canonical);

function canonical(address: string): string | null {
  const trimmed = address.trim().replace(/^\[(.*)\]$/, "$1");
  const bytes = bytesOf(trimmed);
  if (!bytes) return null;
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { at: i, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.at < 0) return text.join(":");
  return `${text.slice(0, best.at).join(":")}::${text.slice(best.at + best.length).join(":")}`;
}

/** The /64 network of an IPv6 address, an IPv4 address as it is (throttle keys, http-platform 3.3). */
export function networkOf(address: string): string {
  const bytes = bytesOf(address);
  if (!bytes || isMapped(bytes)) return address;
  return canonicalAddress(
    `${Array.from({ length: 4 }, (_, i) => (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16)).join(":")}::`,
  ) as string;
}

/** Reads a list of CIDR blocks and the words `loopback`, `private`, `none`, `*`. Unknown entries throw. */
export function addressSet(entries: string[]): AddressSet {
  const blocks: { bytes: Uint8Array; bits: number }[] = [];
  for (const block of entries.flatMap((entry) => (entry === "*" ? [] : (words[entry] ?? [entry])))) {
    const [address = "", length] = block.split("/");
    const bytes = bytesOf(address);
    if (!bytes) throw new Error(`OA_TRUSTED_PROXIES: '${block}' is no address, network or known word`);
    const full = isIP(address) === 4 ? 32 : 128;
    const own = length === undefined ? full : Number(length);
    if (!Number.isInteger(own) || own < 0 || own > full)
      throw new Error(`OA_TRUSTED_PROXIES: '${block}' has no valid length`);
    blocks.push({ bytes, bits: own + (128 - full) });
  }
  return {
    any: entries.includes("*"),
    has(address) {
      const bytes = bytesOf(address);
      return !!bytes && blocks.some((block) => inside(bytes, block.bytes, block.bits));
    },
  };
}

function inside(address: Uint8Array, network: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== network[i]) return false;
  const rest = bits & 7;
  if (!rest) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((address[whole] as number) & mask) === ((network[whole] as number) & mask);
}

const peers = new WeakMap<AddressSet, Map<string, { own: string; believes: boolean }>>();

/** A peer's own address and whether it is trusted; the same few peers come again and again. */
function known(peer: string | null, trusted: AddressSet): { own: string | null; believes: boolean } {
  if (peer === null) return { own: null, believes: true };
  let map = peers.get(trusted);
  if (!map || map.size > 5000) {
    map = new Map();
    peers.set(trusted, map);
  }
  let entry = map.get(peer);
  if (!entry) {
    const own = canonicalAddress(peer) ?? peer;
    entry = { own, believes: trusted.any || trusted.has(own) };
    map.set(peer, entry);
  }
  return entry;
}

/** The client's address: the trusted-proxy walk over `X-Forwarded-For` (http-platform 2.4). `peer` null = Unix socket. */
export function clientAddress(
  peer: string | null,
  headers: Headers,
  trusted: AddressSet,
): { ip: string; trusted: boolean } {
  const { own, believes } = known(peer, trusted);
  if (!believes) return { ip: own as string, trusted: false };
  const here = own ?? "127.0.0.1";
  const list = headers.get("x-forwarded-for");
  if (list === null) {
    const real = headers.get("x-real-ip");
    return { ip: (real && canonicalAddress(real)) || here, trusted: true };
  }
  const entries = list.split(",");
  let last = here;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = canonicalAddress(stripPort(entries[i] as string));
    if (!entry) break;
    last = entry;
    if (trusted.any || !trusted.has(entry)) break;
  }
  return { ip: last, trusted: true };
}

const stripPort = (entry: string): string => {
  const text = entry.trim();
  const bracket = text.match(/^\[([^\]]+)\](:\d+)?$/);
  if (bracket) return bracket[1] as string;
  return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(text) ? text.slice(0, text.lastIndexOf(":")) : text;
};
