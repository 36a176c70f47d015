/** A network between a client and a server, to be cut: a TCP proxy on loopback with an address that stays. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface TcpProxy {
  readonly port: number;
  /** Where new connections go. */
  retarget(to: Target): void;
  /** Breaks every connection, and new ones at once. */
  cut(): void;
  /** Holds back all bytes of both ways, and new connections, as a network does that drops packets. */
  freeze(): void;
  mend(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(target: Target): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let to = target;
  let state: 'open' | 'cut' | 'frozen' = 'open';

  function join(client: Socket): void {
    const upstream = connect(to.port, to.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
    if (state === 'frozen') for (const socket of [client, upstream]) socket.pause();
  }

  const server = createServer((client) => {
    if (state === 'cut') client.resetAndDestroy();
    else join(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  function breakAll(): void {
    for (const socket of sockets) socket.resetAndDestroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    retarget(next) {
      to = next;
    },
    cut() {
      state = 'cut';
      breakAll();
    },
    freeze() {
      state = 'frozen';
      for (const socket of sockets) socket.pause();
    },
    mend() {
      // What was held back is lost with its connection, as after a long silence.
      if (state === 'frozen') breakAll();
      state = 'open';
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      breakAll();
      await closed;
    },
  };
}
