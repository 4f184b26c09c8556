import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What to do with a request instead of handing it on. */
export type Fault = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  /** Hands the request to the real server; resolves with its answer, which is not passed on yet. */
  forward: () => Promise<Answer>,
) => void | Promise<void>;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * A line that breaks on demand: stands before the real server, hands everything on, and meets
 * requests whose path matches with a fault.
 */
export class FaultProxy {
  readonly requests: { method: string; path: string; headers: IncomingHttpHeaders }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: { path: RegExp; run: Fault } | null = null;

  private constructor(private readonly target: string) {
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Meets matching requests with `run` until `heal`. */
  break(path: RegExp, run: Fault): void {
    this.#fault = { path, run };
  }

  heal(): void {
    this.#fault = null;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming;
    this.requests.push({ method, path, headers });
    const forward = () => this.#forward(incoming);
    try {
      if (this.#fault?.path.test(path)) {
        await this.#fault.run(incoming, outgoing, forward);
        return;
      }
      const answer = await forward();
      outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    } catch {
      outgoing.destroy();
    }
  }

  async #forward(incoming: IncomingMessage): Promise<Answer> {
    const body: Buffer[] = [];
    for await (const chunk of incoming) body.push(chunk as Buffer);
    const { hostname, port } = new URL(this.target);
    return new Promise((resolve, reject) => {
      const { method, url: path, headers } = incoming;
      const outgoing = request({ hostname, port, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      });
      outgoing.on('error', reject);
      outgoing.end(Buffer.concat(body));
    });
  }
}

/** Answers with a status and a body, of FHIR's type unless told otherwise. */
export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Fault {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return (_incoming, outgoing) => {
    outgoing.writeHead(status, { 'content-type': 'application/fhir+json', ...headers }).end(text);
  };
}

/** An OperationOutcome that says `diagnostics`. */
export const outcome = (diagnostics: string) => ({
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'invalid', diagnostics }],
});
