import type { Postgres } from '../support/servers/postgres.ts'
import type { Behaviour, TcpProxy } from '../support/servers/tcp-proxy.ts'
import type { Random } from './random.ts'

/** What faults are done to. */
export interface Scene {
  readonly server: Postgres
  /** Between the service and the server. */
  readonly proxy: TcpProxy
  /** The service's own role, its password and its database. */
  readonly role: string
  readonly password: string
  readonly database: string
}

/** Something that goes wrong. Resolves when everything is as it was before. */
export type Fault = (scene: Scene, random: Random) => Promise<void>

/** A statement of the data API, prepared or by its text. */
const statement = /insert into "feedback"|update "feedback"|delete from "feedback"|holdfast_[0-9a-f]{32}/i

/** All of them by name. */
export const faults: Readonly<Record<string, Fault>> = {
  kill: async ({ server }, random) => {
    await server.kill()
    await pause(random.between(0, 3_000))
    await server.start()
  },
  stop: async ({ server }, random) => {
    server.pause()
    await pause(random.between(1_000, 4_000))
    server.resume()
  },
  restart: async ({ server }) => {
    await server.stop()
    await server.start()
  },
  terminate,
  cut: async ({ proxy }) => brief(proxy, 'cut', 50),
  reset: async ({ proxy }) => proxy.dropAll(),
  'cut for a while': async ({ proxy }, random) =>
    brief(proxy, random.pick(['cut', 'reset']), random.between(500, 3_000)),
  refuse: async ({ proxy }, random) => {
    await proxy.refuse()
    proxy.dropAll()
    await pause(random.between(1_000, 3_000))
    await proxy.accept()
  },
  'refuse new': async ({ proxy }, random) => {
    await proxy.refuse()
    await pause(random.between(1_000, 3_000))
    await proxy.accept()
  },
  'black hole': async ({ proxy }, random) => brief(proxy, 'swallow', random.between(1_000, 4_000)),
  'lost answers': async ({ proxy }, random) => brief(proxy, 'mute', random.between(300, 3_000)),
  delay: async ({ proxy }, random) => {
    proxy.delay(random.between(20, 800))
    await pause(random.between(500, 3_000))
    proxy.delay(0)
  },
  'at a statement': ({ proxy }, random) => atNext(proxy, statement, random.pick(['cut', 'reset', 'swallow', 'mute'])),
  'at BEGIN': ({ proxy }, random) => atNext(proxy, /\bbegin\b/i, random.pick(['cut', 'reset', 'swallow', 'mute'])),
  'at COMMIT': ({ proxy }, random) => atNext(proxy, /\bcommit\b/i, random.pick(['cut', 'reset', 'swallow', 'mute'])),
  'all connections taken': async (scene) => {
    await asSuperuser(scene, `alter role ${scene.role} connection limit 0`)
    await terminate(scene)
    await pause(2_000)
    await asSuperuser(scene, `alter role ${scene.role} connection limit -1`)
  },
  'password changed': async (scene, random) => {
    await asSuperuser(scene, `alter role ${scene.role} password 'another'`)
    await terminate(scene)
    await pause(random.between(500, 2_000))
    await asSuperuser(scene, `alter role ${scene.role} password '${scene.password}'`)
  },
  'read only': async (scene) => {
    await asSuperuser(scene, 'alter system set default_transaction_read_only = on')
    await asSuperuser(scene, 'select pg_reload_conf()')
    await pause(2_000)
    await asSuperuser(scene, 'alter system reset default_transaction_read_only')
    await asSuperuser(scene, 'select pg_reload_conf()')
  },
}

/** Ends every connection of the service at the server. */
export async function terminate(scene: Scene): Promise<void> {
  await asSuperuser(scene, `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${scene.role}'`)
}

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function asSuperuser({ server }: Scene, text: string): Promise<void> {
  await server.query(text)
}

async function brief(proxy: TcpProxy, behaviour: Behaviour, ms: number): Promise<void> {
  proxy.behave(behaviour)
  await pause(ms)
  proxy.behave('pass')
}

const waited = new Set<RegExp>()

/** Once, when the text comes next; it is not waited for longer than four seconds, and then stays set. */
async function atNext(proxy: TcpProxy, pattern: RegExp, behaviour: Behaviour): Promise<void> {
  if (waited.has(pattern)) return
  waited.add(pattern)
  const met = proxy.once(pattern, behaviour).then(() => waited.delete(pattern))
  await Promise.race([met, pause(4_000)])
}
