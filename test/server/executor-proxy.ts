import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A way to a server that can be closed. */
export interface Proxy {
  readonly url: string;
  /** Cuts all connections that are open. */
  sever(): void;
  /** Cuts them and takes no new ones. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
}

/** Opens a way to the server of this URL. */
export async function startProxy(target: URL): Promise<Proxy> {
  const open = new Set<Socket>();
  const listen = (port: number) =>
    new Promise<Server>((resolve) => {
      const server = createServer((near) => {
        const far = connect(Number(target.port), target.hostname);
        for (const socket of [near, far]) {
          open.add(socket);
          // What a cut connection says is the matter of whoever uses it.
          socket.on("error", () => undefined);
        }
        near.on("close", () => far.destroy());
        far.on("close", () => near.destroy());
        near.pipe(far);
        far.pipe(near);
      });
      server.listen(port, "127.0.0.1", () => resolve(server));
    });
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const sever = () => {
    for (const socket of open) socket.destroy();
    open.clear();
  };
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    sever,
    refuse: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        sever();
      }),
    accept: async () => {
      server = await listen(port);
    },
  };
}
