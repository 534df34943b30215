import { archivedEntries } from './archived-entries.ts'
import { carrying } from './carrying.ts'
import { copies } from './copying.ts'
import { files } from './files.ts'
import { keyed } from './keyed.ts'
import { killed } from './killed.ts'
import { lostReplies } from './lost-reply.ts'
import type { Schedule } from './schedule.ts'
import { settling } from './settling.ts'
import { strandedWrites } from './stranded.ts'
import { switching } from './switching.ts'

/** Every directed schedule. */
export const schedules: readonly Schedule[] = [
  ...lostReplies,
  ...strandedWrites,
  ...killed,
  ...files,
  ...carrying,
  ...switching,
  ...settling,
  ...copies,
  ...keyed,
  ...archivedEntries,
]

/** The schedule of this name. */
export function scheduleNamed(name: string): Schedule {
  const found = schedules.find((schedule) => schedule.name === name)
  if (found === undefined) throw new Error(`There is no schedule "${name}".`)
  return found
}
