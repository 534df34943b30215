import { inspect } from 'node:util'

/**
 * A value that must not be seen. Whatever prints it (a template, JSON, `util.inspect`, pino) prints `***`; only
 * `reveal()` gives it, and a reviewer can find each place that calls it.
 */
export class Secret<T extends string = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  /** The value itself, for the one place that needs it. Never log or keep the result. */
  reveal(): T {
    return this.#value
  }

  /** Compare with this: two secrets have no public member, so a deep comparison calls any two equal. */
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
    // Not a computed member: isolated declarations cannot name one.
    Object.defineProperty(Secret.prototype, inspect.custom, { value: () => '***' })
  }
}

/**
 * The address of a database: its password must not be seen, the rest may be known (a file's path is its label). Any other
 * secret is hidden whole, whatever it looks like: `tok:abc` is no address.
 */
export class SecretAddress extends Secret {}
