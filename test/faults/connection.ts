import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import type { Side } from './ledger.ts'
import type { Tally } from './tally.ts'

/** Where a connection goes, and what is noted of it. */
export interface ConnectionParts {
  readonly port: number
  readonly token: string
  /** An answer that comes later is a hang. */
  readonly limitMs: number
  readonly tally: Tally
}

/** An answer whose body, when there is one, is JSON. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>> | null
}

/** After this nobody waits any more; that it came late was noted before. */
const patienceMs = 30_000

/** One connection that is kept. Notes each answer, those that come late, and refusals without a code. */
export class Connection {
  readonly #parts: ConnectionParts
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  end(): void {
    this.#agent.destroy()
  }

  /** Sends one request. Rejects when the connection breaks, which no fault behind the service may do. */
  async send(
    method: string,
    path: string,
    body?: Readonly<Record<string, unknown>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { tally, limitMs } = this.#parts
    const beganMs = performance.now()
    const late = setTimeout(() => tally.violate(`no answer to ${method} ${path} within ${limitMs} ms`), limitMs)
    try {
      const answer = await this.#exchange(method, path, body, headers)
      const code = answer.status >= 400 ? ` ${answer.body?.code}` : ''
      const store = answer.headers['holdfast-store']
      const named = store === undefined ? null : String(store)
      tally.answered(`${method} ${answer.status}${code}`, named, performance.now() - beganMs, answer.status < 500)
      if (answer.status >= 400 && typeof answer.body?.code !== 'string') {
        tally.violate(`${method} ${path} was answered ${answer.status} without a code`)
      }
      return answer
    } finally {
      clearTimeout(late)
    }
  }

  async #exchange(
    method: string,
    path: string,
    body: Readonly<Record<string, unknown>> | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const { port, token } = this.#parts
    const content = body === undefined ? undefined : JSON.stringify(body)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const sent = request(
      {
        ...{ host: '127.0.0.1', port, method, path, agent: this.#agent, signal: AbortSignal.timeout(patienceMs) },
        headers: { 'holdfast-token': token, ...(content === undefined ? {} : jsonHeaders(content)), ...headers },
      },
      resolve,
    )
    sent.on('error', (error) => reject(new Error(`${method} ${path}: the connection broke: ${error.message}`)))
    sent.end(content)
    const answer = await promise
    let text = ''
    for await (const part of answer.setEncoding('utf8')) text += part
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
  }
}

/** The side that answered; null when none is named. @throws when a write is said to be worth what that side cannot give. */
export function sideOf(headers: IncomingHttpHeaders): Side | null {
  const { 'holdfast-store': named, 'holdfast-durability': durability } = headers
  const store = String(named)
  const side = store.startsWith('primary;') ? 'primary' : store.startsWith('fallback;') ? 'fallback' : null
  if (durability !== undefined && (durability === 'primary') !== (side === 'primary')) {
    throw new Error(`a write of the store "${store}" is said to be "${durability}"`)
  }
  return side
}

function jsonHeaders(content: string): Readonly<Record<string, string | number>> {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }
}
