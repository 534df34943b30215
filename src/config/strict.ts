import type { Problem } from './problem.ts'

/** The process's exit code in strict mode and of `holdfast check`: 2 when a value was not used or replaced, else 0. */
export function exitCodeFor(problems: readonly Problem[]): 0 | 2 {
  return problems.some((problem) => problem.severity === 'error') ? 2 : 0
}
