import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { Settings } from '../../../src/config/settings.ts'
import { dataRoutes } from '../../../src/http/data/data-routes.ts'
import { everything, feedback, type House, openHouse } from '../../collection/support.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { createAuthenticator } from '../auth/support.ts'
import { httpDefaults, serve } from '../support.ts'

/** Headers of the admin. */
export const admin: Readonly<Record<string, string>> = { 'holdfast-token': 'the-token' }

/** The data API over HTTP. */
export interface Api {
  readonly base: string
  readonly port: number
  readonly house: House
  /** One request; a body that is no string is sent as JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

/** What a request has besides method and path. */
export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of an answer, looked into by each test.
  readonly json: any
}

/** The data API on a real SQLite file, on a free port. Closed when the test ends. */
export async function openApi(
  t: Cleanup,
  collections: readonly Collection[] = [feedback, everything],
  http: Partial<Settings['http']> = {},
): Promise<Api> {
  const house = openHouse(t, await makeTempDir(t), collections)
  const settings = { ...httpDefaults, ...http }
  const served = await serve(
    t,
    (app) =>
      dataRoutes(app, {
        collections: () => house.all,
        settings: () => settings,
        authenticator: createAuthenticator('the-token'),
        trustedProxies: () => settings.trustedProxies ?? 0,
        now: () => performance.now(),
      }),
    { http },
  )
  return {
    base: served.base,
    port: served.port,
    house,
    call: async (method, path, { body, headers = {} } = {}) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const type = text === undefined ? {} : { 'content-type': 'application/json' }
      const init = { method, headers: { ...type, ...headers }, ...(text === undefined ? {} : { body: text }) }
      const response = await fetch(served.base + path, init)
      const answered = await response.text()
      const isJson = /^application\/(?:problem\+)?json/.test(response.headers.get('content-type') ?? '')
      const json = isJson && answered !== '' ? JSON.parse(answered) : null
      return { status: response.status, headers: response.headers, text: answered, json }
    },
  }
}
