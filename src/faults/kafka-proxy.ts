/**
 * A broker's network, to be broken: a proxy in front of the tests' Kafka. Clients stay behind it, because the port in
 * the broker's own answers is replaced by the proxy's.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export const PRODUCE = 0;
export const OFFSET_COMMIT = 8;

export interface KafkaProxy {
  readonly brokers: string[];
  /** Refuses and cuts every connection. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Takes everything and answers nothing. */
  hang(): void;
  wake(): void;
  /** The broker acts on the next such request, and the connection breaks before its answer arrives. */
  loseAnswerTo(apiKey: number): void;
  /** Called with the kind of each request that was passed on. */
  onRequest: (apiKey: number) => void;
}

export async function startKafkaProxy(broker: string): Promise<KafkaProxy & { stop(): Promise<void> }> {
  const [host, port] = broker.split(':') as [string, string];
  const sockets = new Set<Socket>();
  const hung: Buffer[][] = [];
  let isHung = false;
  let toLose: number | undefined;
  let server: Server;
  let ownPort = 0;

  const listen = () =>
    new Promise<void>((resolve) => {
      server = createServer(accept).listen(ownPort, '127.0.0.1', () => {
        ownPort = (server.address() as AddressInfo).port;
        resolve();
      });
    });

  const proxy: KafkaProxy = {
    get brokers() {
      return [`127.0.0.1:${ownPort}`];
    },
    async goAway() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    comeBack: listen,
    hang() {
      isHung = true;
    },
    wake() {
      isHung = false;
      for (const socket of sockets) socket.destroy();
      hung.length = 0;
    },
    loseAnswerTo(apiKey) {
      toLose = apiKey;
    },
    onRequest: () => undefined,
  };

  function accept(client: Socket): void {
    const upstream = connect(Number(port), host);
    const lost = new Set<number>();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on(
      'data',
      frames((frame) => {
        if (isHung) return;
        const apiKey = frame.readInt16BE(4);
        if (apiKey === toLose) {
          lost.add(frame.readInt32BE(8));
          toLose = undefined;
        }
        upstream.write(frame);
        proxy.onRequest(apiKey);
      }),
    );
    upstream.on(
      'data',
      frames((frame) => {
        if (isHung) return;
        if (lost.has(frame.readInt32BE(4))) client.destroy();
        else client.write(withOwnPort(frame));
      }),
    );
  }

  /** Answers name the broker as host, then port in four bytes. */
  function withOwnPort(frame: Buffer): Buffer {
    const named = Buffer.concat([Buffer.from(host), int32(Number(port))]);
    for (let at = frame.indexOf(named); at >= 0; at = frame.indexOf(named, at + 1)) {
      int32(ownPort).copy(frame, at + host.length);
    }
    return frame;
  }

  await listen();
  return Object.assign(proxy, { stop: () => proxy.goAway() });
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Cuts a stream at the lengths that Kafka writes before each request and answer. */
function frames(onFrame: (frame: Buffer) => void): (data: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      onFrame(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
  };
}
