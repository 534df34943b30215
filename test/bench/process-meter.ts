import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Megabytes of memory that a process holds. */
export function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

/** Milliseconds of processor time that the threads of a process have used, to the microsecond. */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  // Not `/proc/<pid>/stat`, which counts in steps of 10 ms: a hundredth of a short measurement.
  return readdirSync(tasks).reduce((sum, task) => sum + Number.parseInt(readSchedule(join(tasks, task)), 10) / 1e6, 0)
}

function readSchedule(task: string): string {
  try {
    return readFileSync(join(task, 'schedstat'), 'latin1')
  } catch {
    return '0' // The thread has just ended.
  }
}
