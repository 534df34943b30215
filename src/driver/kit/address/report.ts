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

/** Reports blanks and quotes in a name as it is written, which are valid and rarely meant unless they are encoded. */
export function reportUnusualName(report: Report, name: string): void {
  const found = [/\s/.test(name) ? 'a blank' : null, /["'`]/.test(name) ? 'a quote' : null].filter(
    (one) => one !== null,
  )
  if (found.length === 0) return
  const message = `The database name contains ${found.join(' and ')}; it is used unchanged.`
  report('ADDRESS_NAME_UNUSUAL', 'warning', 'name', message, 'Nothing to do if that is its name; otherwise remove it.')
}
