import { inspect } from 'node:util'

/**
 * A value that must not be seen. Everything that prints it (a template, JSON, `util.inspect`, pino) prints `***`; only
 * `reveal()` returns it, and a reviewer can find every call.
 */
export class Secret<T extends string = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  /** The value itself. Never log or keep the result. */
  reveal(): T {
    return this.#value
  }

  /** Compares the values. A deep comparison calls any two secrets equal, since they have no public member. */
  equals(other: Secret): boolean {
    return this.#value === other.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  static {
    // Isolated declarations cannot name a computed member.
    Object.defineProperty(Secret.prototype, inspect.custom, { value: () => '***' })
  }
}

/**
 * The address of a database: its password must not be seen, the rest may (a file's path is its label). Any other secret
 * is hidden whole, whatever it looks like: `tok:abc` is not an address.
 */
export class SecretAddress extends Secret {}
