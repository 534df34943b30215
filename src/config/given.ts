import type { FlatSchema } from './flat.ts'
import type { Given } from './given-value.ts'
import type { Environment, Layers, SecretFile } from './layers.ts'
import type { Origin, Problem } from './problem.ts'
import { walkTree } from './tree.ts'

/** What was given for each setting, lowest layer first, and what was given for none. `drivers`: those whose settings the schema has; null before they are loaded. */
export function gather(
  layers: Layers,
  schema: FlatSchema,
  drivers: readonly string[] | null,
): { given: Given[]; problems: Problem[] } {
  const problems: Problem[] = []
  const given: Given[] = []
  for (const tree of layers.trees) {
    if (typeof tree.content === 'function') {
      const walked = walkTree(tree.content(), tree.origin, schema, drivers)
      given.push(...walked.given)
      problems.push(...walked.problems)
    } else {
      problems.push(unreadableTree(tree.origin, tree.content))
    }
  }
  for (const [key, { env, secret }] of schema) {
    const inEnvironment = givenByEnvironment(key, env, secret, layers.environment)
    if (inEnvironment !== null) given.push(inEnvironment)
    const file = layers.secretFiles.find((one) => one.env === env)
    if (file !== undefined) given.push(givenBySecretFile(key, file))
  }
  return { given, problems }
}

/** A blank variable is unset like an empty one; of a secret every character counts. */
function givenByEnvironment(key: string, name: string, isSecret: boolean, environment: Environment): Given | null {
  const value = environment.value(name)
  if (value === undefined || (!isSecret && value.trim() === '')) return null
  return { key, name, origin: { from: 'environment', name }, value: () => value }
}

function givenBySecretFile(key: string, { env, path, content }: SecretFile): Given {
  const name = `${env}_FILE`
  return { key, name, origin: { from: 'secret-file', name, path }, value: content }
}

function unreadableTree(
  origin: Origin,
  { reason, place }: { reason: string; place: { line: number; column: number; hint: string } | null },
): Problem {
  const path = origin.from === 'file' ? origin.path : origin.from
  const where = place === null ? '' : ` at line ${place.line}, column ${place.column}: ${place.hint}`
  return {
    code: place === null ? 'FILE_UNREADABLE' : 'FILE_MALFORMED',
    severity: 'error',
    setting: path,
    origin,
    part: place === null ? null : `${place.line}:${place.column}`,
    message: `The settings file ${path} ${reason}${where}. Nothing in it is used.`,
    suggestion:
      place === null ? 'Correct the path, or make it a readable JSON file.' : 'Correct the file at that place.',
  }
}
