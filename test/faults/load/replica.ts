import type { TcpProxy } from '../../support/servers/tcp-proxy.ts'
import type { Actor } from '../stage/actor.ts'
import type { StartOptions, World } from '../stage/world.ts'

/** One service under load, with its own way to the server; the process is replaced when it was killed. */
export class Replica {
  readonly proxy: TcpProxy
  readonly #world: World
  readonly #options: StartOptions
  #actor: Actor

  constructor(world: World, actor: Actor, proxy: TcpProxy, options: StartOptions) {
    this.#world = world
    this.#actor = actor
    this.proxy = proxy
    this.#options = options
  }

  get actor(): Actor {
    return this.#actor
  }

  /** SIGKILL, and a new process in the same directory. */
  async replace(): Promise<void> {
    const { dir } = this.#actor.service
    await this.#actor.kill()
    this.#actor = await this.#world.start({ ...this.#options, dir, proxy: this.proxy })
  }
}
