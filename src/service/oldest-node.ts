/** Imported first by the library's door, so that an old Node gets this sentence and not whatever it lacks. */

const oldest = [22, 17] as const

/** @throws Error on a Node that cannot run the library. Exported for its test. */
export function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new Error(`Holdfast needs Node ${oldest.join('.')} or newer, and this is ${version}.`)
}

requireNode(process.versions.node)
