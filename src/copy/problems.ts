import { createProblem, type Problem } from '../config/problem.ts'
import { formatBytes } from '../config/quantity.ts'
import type { Fault } from '../driver/fault.ts'

/** Problems with the copy, by code; documentation and tests read it. */
export const copyProblems = {
  COPY_COLUMN_LEFT_OUT:
    'A table of the primary has columns that the declaration of its collection lacks. They are not copied.',
  COPY_ROW_REFUSED:
    'A row of the primary is one that the fallback cannot hold. An outage hides its collection until the row is changed.',
  COPY_ROW_UNFIT:
    'A row of the primary does not match the declaration of its collection. It is copied and shown as it is.',
  COPY_STOPPED: 'The copy cannot be written at the moment, because the disk is full or almost full. It is tried again.',
  COPY_TOO_LARGE: 'Collections take more than COPY_MAX_BYTES; the largest are not copied.',
} as const

/** A table that is left out for its size, in bytes. */
export interface LeftOut {
  readonly name: string
  readonly bytes: number
}

/** `sum`: of all tables that `COPY_MAX_BYTES` limits. */
export function tooLargeProblem(left: readonly LeftOut[], sum: number, maxBytes: number): Problem {
  const names = left.map(({ name, bytes }) => `${name} (${roundBytes(bytes)})`).join(', ')
  return createProblem('COPY_TOO_LARGE', 'info', 'copies.maxBytes', {
    message: `The collections take ${roundBytes(sum)}, and COPY_MAX_BYTES is ${formatBytes(maxBytes)}: not copied: ${names}.`,
    suggestion: 'Raise COPY_MAX_BYTES, or set "copy": true in the file of a collection that an outage must not hide.',
  })
}

/** `setting`: the declaration. `columns`: at least one. */
export function leftOutProblem(setting: string, table: string, columns: readonly string[]): Problem {
  const names = columns.map((name) => `"${name}"`).join(', ')
  const [noun, verb] = columns.length === 1 ? ['column', 'is'] : ['columns', 'are']
  return createProblem('COPY_COLUMN_LEFT_OUT', 'info', setting, {
    message: `Table "${table}" of the primary has the ${noun} ${names}, which ${verb} not declared and not copied.`,
    suggestion: 'Declare them as fields if an outage must show them.',
  })
}

/** `why`: a clause without a value of the row. */
export function unfitProblem(setting: string, table: string, key: string, why: string): Problem {
  return createProblem('COPY_ROW_UNFIT', 'info', setting, {
    message: `Rows of table "${table}" in the primary do not match the declaration, such as ${key}: ${why}.`,
    suggestion: 'Change the rows or the declaration. They are copied and shown as they are.',
  })
}

/** `why`: what the fallback's file says. */
export function refusedProblem(setting: string, table: string, key: string, why: string): Problem {
  return createProblem('COPY_ROW_REFUSED', 'warning', setting, {
    message: `The fallback cannot hold row ${key} of table "${table}" in the primary: ${why}.`,
    suggestion: 'Change or delete the row. Until then the copy of this collection is not complete.',
  })
}

/** `fault`: why it cannot be written. */
export function stoppedProblem({ summary }: Fault): Problem {
  return createProblem('COPY_STOPPED', 'warning', 'data.dir', {
    message: `The copy of the primary is not written. ${summary} Writes of clients come first.`,
    suggestion: 'Free space under DATA_DIR, lower COPY_MAX_BYTES, or set COPY=off. It goes on without a restart.',
  })
}

/** `2.1 GiB`: a size for people. */
export function roundBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  const value = bytes / 1024 ** at
  return `${value >= 10 || at === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[at]}`
}
