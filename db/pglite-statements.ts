import { protocol } from "@electric-sql/pglite";

interface Message {
  name: string;
  length: number;
}

type Send<O, M> = (message: Uint8Array, options: O) => Promise<M[]>;

/** First bytes of the protocol's messages (PostgreSQL, "Message Formats"). */
const PARSE = 0x50;
const DESCRIBE = 0x44;
const BIND = 0x42;
const EXECUTE = 0x45;
const SYNC = 0x53;
const QUERY = 0x51;

/** Longer texts are lists of values written out, which hardly come a second time. */
const longest = 8192;

/** Statements that are kept, those used last; the engine's memory holds a plan of each. */
const most = 400;

/** What may change the columns that a kept statement answers with. */
const changesTables = /\b(create|alter|drop|truncate)\b/i;

interface Statement {
  key: string;
  name: string;
  /** Types of its parameters and columns. */
  described: Message[] | null;
}

/** The one statement that is under way: PGlite sends the messages of one after the other. */
interface Current {
  statement: Statement;
  bind: Uint8Array;
  synced: boolean;
}

/**
 * Keeps statements prepared in the embedded engine. PGlite sends six messages for every statement, each a call of its own
 * into the engine, and has it parsed and planned anew; of a statement that is known only its values go in, in one call.
 */
export function keepStatements<O, M extends Message>(send: Send<O, M>): Send<O, M> {
  const known = new Map<string, Statement>();
  /** Names the engine may let go of. */
  let gone: string[] = [];
  let counter = 0;
  let current: Current | null = null;

  const forget = ({ key, name }: Statement): void => {
    known.delete(key);
    gone.push(name);
  };

  const forgetAll = () => {
    for (const statement of known.values()) forget(statement);
  };

  const begin = async (message: Uint8Array, options: O): Promise<M[]> => {
    current = null;
    const key = Buffer.from(message.buffer, message.byteOffset, message.length).toString("latin1");
    const found = known.get(key);
    if (found) {
      known.delete(key);
      known.set(key, found);
      current = { statement: found, bind: message, synced: false };
      return [];
    }
    if (changesTables.test(key)) forgetAll();
    else if (message.length <= longest) {
      const [oldest] = known.size < most ? [] : known.values();
      if (oldest) forget(oldest);
      const statement: Statement = { key, name: `kept_${++counter}`, described: null };
      const answer = await send(named(message, 5, statement.name), options);
      current = { statement, bind: message, synced: false };
      return answer;
    }
    return send(message, options);
  };

  const describe = async (statement: Statement, options: O): Promise<M[]> => {
    if (statement.described) return statement.described as M[];
    try {
      const answer = await send(protocol.serialize.describe({ type: "S", name: statement.name }), options);
      statement.described = answer;
      known.set(statement.key, statement);
      return answer;
    } catch (error) {
      forget(statement);
      throw error;
    }
  };

  const execute = async (now: Current, message: Uint8Array, options: O): Promise<M[]> => {
    now.synced = true;
    const closes = gone.map((name) => protocol.serialize.close({ type: "S", name }));
    gone = [];
    try {
      return await send(Buffer.concat([...closes, now.bind, message, protocol.serialize.sync()]), options);
    } catch (error) {
      // "cached plan must not change result type": the next time it is prepared anew.
      if ((error as { code?: unknown }).code === "0A000") forget(now.statement);
      throw error;
    }
  };

  return async (message, options) => {
    const type = message[0];
    if (type === PARSE) return begin(message, options);
    if (type === QUERY && changesTables.test(Buffer.from(message.subarray(5)).toString("latin1"))) forgetAll();
    const now = current;
    if (!now) return send(message, options);
    if (type === DESCRIBE) return describe(now.statement, options);
    if (type === EXECUTE) return execute(now, message, options);
    if (type === BIND) {
      now.bind = named(message, 6, now.statement.name);
      return [];
    }
    current = null;
    return type === SYNC && now.synced ? [] : send(message, options);
  };
}

/** A message that leaves its statement without a name, with the name put in at `at`. */
function named(message: Uint8Array, at: number, name: string): Uint8Array {
  const out = Buffer.concat([message.subarray(0, at), Buffer.from(name), message.subarray(at)]);
  out.writeInt32BE(out.length - 1, 1);
  return out;
}
