import { Client } from "../khala/live";

/** Opens a socket with a sync token and asks to join, without waiting for the answer. */
export async function connectSocket(url: string, token: string): Promise<Client> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/sync/socket/websocket?token=${token}`);
  const client = new Client(socket);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("no socket"));
  });
  if (socket.readyState === WebSocket.OPEN) client.post("phx_join", {});
  return client;
}
