import { Agent, request } from 'node:http'

/** An answer, read whole. Status 0: none came. */
export interface Reply {
  readonly status: number
  readonly code: string | null
  readonly store: string | null
  readonly durability: string | null
  readonly body: Readonly<Record<string, unknown>> | null
}

/** How long a client waits. Longer than the service may take for anything. */
const patienceMs = 60_000

const none: Reply = { status: 0, code: null, store: null, durability: null, body: null }

/** Sends requests to one service over connections that are kept. `fetch` would take half of the machine's time. */
export class Asking {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 })
  readonly #port: number
  readonly #token: string

  constructor(port: number, token: string) {
    this.#port = port
    this.#token = token
  }

  send(method: string, path: string, body?: unknown): Promise<Reply> {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers: Record<string, string> = { 'holdfast-token': this.#token }
    if (text !== '') Object.assign(headers, { 'content-type': 'application/json', 'content-length': text.length })
    return new Promise((resolve) => {
      const where = { host: '127.0.0.1', port: this.#port, agent: this.#agent, timeout: patienceMs }
      const sent = request({ ...where, method, path, headers }, (response) => {
        let read = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          read += part
        })
        response.on('end', () => resolve(replyOf(response.statusCode ?? 0, response.headers, read)))
        response.on('error', () => resolve(none))
      })
      sent.on('timeout', () => sent.destroy())
      sent.on('error', () => resolve(none))
      sent.end(text)
    })
  }

  end(): void {
    this.#agent.destroy()
  }
}

function replyOf(status: number, headers: Readonly<Record<string, unknown>>, text: string): Reply {
  const body = text.startsWith('{') ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : null // An object.
  return {
    status,
    code: status < 400 ? null : String(body?.code),
    store: String(headers['holdfast-store'] ?? '').split(';')[0] || null,
    durability: String(headers['holdfast-durability'] ?? '') || null,
    body,
  }
}
