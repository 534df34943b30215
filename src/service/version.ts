/**
 * Imported first by `index.ts`, so that an old Node fails with a sentence about itself. It must import nothing, and no other
 * module may import by name what an old Node's modules lack: Node links all of them before it runs the first.
 */

/** The release; a test compares it with package.json, which lies at different depths from the bundle and the modules. */
export const version: string = '0.1.0'

const oldestNode = [22, 17] as const

/** @throws Error on a Node that cannot run the library. Exported for its test. */
export function requireNode(running: string): void {
  const [major = 0, minor = 0] = running.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  throw new Error(`Holdfast needs Node ${oldestNode.join('.')} or newer; this is Node ${running}.`)
}

requireNode(process.versions.node)
