import { registerHooks } from 'node:module'

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/** What a plugin may import of ours, beside this file. */
const own: ReadonlyMap<string, string> = new Map(
  [
    ['holdfast/driver', './driver'],
    ['holdfast/conformance', '../conformance/conformance'],
  ].map(([name = '', path]) => [name, new URL(`${path}.${extension}`, import.meta.url).href]),
)

let isOffered = false

/**
 * From now on `holdfast/driver` and `holdfast/conformance` mean the modules of this very process, wherever a plugin lies:
 * one that is named by path has no `node_modules` with us in it, and another copy's FaultError would not be ours.
 */
export function offerOwnModules(): void {
  if (isOffered) return
  isOffered = true
  registerHooks({
    resolve(specifier, context, next) {
      const url = own.get(specifier)
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
    },
  })
}
