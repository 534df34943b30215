/** One instruction: `COPY src ./src` is `{ name: 'COPY', text: 'src ./src' }`. */
export interface Instruction {
  readonly name: string
  readonly text: string
}

/** One `FROM` with what follows it. */
export interface Stage {
  /** `AS name`, or its number. */
  readonly name: string
  readonly base: string
  readonly instructions: readonly Instruction[]
}

/** Reads the stages of a Dockerfile: comments go, lines that end in a backslash go on. */
export function parseDockerfile(text: string): Stage[] {
  const stages: (Stage & { instructions: Instruction[] })[] = []
  const lines = text
    .replace(/^\s*#.*$/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
  for (const line of lines) {
    const match = /^\s*([A-Z]+)\s+(.*\S)\s*$/.exec(line)
    if (!match?.[1] || match[2] === undefined) {
      if (line.trim() !== '') throw new Error(`Not an instruction: ${line}`)
      continue
    }
    const [, name, rest] = match
    if (name === 'FROM') {
      const [base = '', , alias] = rest.split(/\s+/)
      stages.push({ name: alias ?? String(stages.length), base, instructions: [] })
    } else {
      const stage = stages.at(-1)
      if (!stage) throw new Error(`Before the first FROM: ${line}`)
      stage.instructions.push({ name, text: rest })
    }
  }
  return stages
}

/** The texts of one kind of instruction. */
export function textsOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((one) => one.name === name).map((one) => one.text)
}

/** `COPY --from=build a b ./` in its parts. */
export function parseCopy(text: string): {
  readonly from: string | null
  readonly sources: string[]
  readonly to: string
} {
  const words = text.split(/\s+/)
  const options = words.filter((word) => word.startsWith('--'))
  const paths = words.filter((word) => !word.startsWith('--'))
  const to = paths.pop()
  if (to === undefined || paths.length === 0) throw new Error(`COPY ${text} copies nothing.`)
  const from = options.find((option) => option.startsWith('--from='))
  return { from: from ? from.slice('--from='.length) : null, sources: paths, to }
}

/** True when `.dockerignore` lets a path (with slashes, from the root) into the build: the last line that matches decides. */
export function isInContext(ignore: string, path: string): boolean {
  let included = true
  for (const raw of ignore.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const pattern = line.replace(/^!/, '').replace(/\/$/, '')
    if (pattern === '*' || path === pattern || path.startsWith(`${pattern}/`)) included = line.startsWith('!')
  }
  return included
}
