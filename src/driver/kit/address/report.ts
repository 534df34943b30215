import type { Problem, Severity } from '../../../config/problem.ts'
import type { Address, Parsed, Target } from '../../address.ts'
import type { AddressCode } from './problems.ts'

/** Adds a problem with an address, or with the setting named by `at`; `Own` are codes of one driver alone. */
export type Report<Own extends string = never> = (
  code: AddressCode | Own,
  severity: Severity,
  part: string | null,
  message: string,
  suggestion: string,
  at?: Pick<Problem, 'setting' | 'origin'>,
) => void

/**
 * Runs `read` on an address and collects what it reports; the target counts only where no problem is an error. `read`
 * returns null after it has reported an error.
 */
export function parseWith<T extends Target, Own extends string = never>(
  driver: string,
  { setting, origin }: Address,
  read: (report: Report<Own>) => T | null,
): Parsed<T> {
  const problems: Problem[] = []
  const target = read((code, severity, part, message, suggestion, at) => {
    problems.push({ code, severity, driver, setting, origin, part, message, suggestion, ...at })
  })
  if (target !== null && !problems.some(({ severity }) => severity === 'error')) return { target, problems }
  const [first, ...more] = problems
  if (first === undefined) throw new Error('unreachable: an address without a target has a problem')
  return { problems: [first, ...more] }
}
