import type { ArchiveSchedule } from './archive-schedule.ts'
import { diskFaults } from './disk-faults.ts'
import { fences } from './fences.ts'
import { limits } from './limits.ts'
import { starts } from './starts.ts'
import { steps } from './steps.ts'
import { targets } from './targets.ts'

/** Every directed schedule of archives. */
export const archiveSchedules: readonly ArchiveSchedule[] = [
  ...starts,
  ...targets,
  ...fences,
  ...limits,
  ...steps,
  ...diskFaults,
]
