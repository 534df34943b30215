import { execFileSync } from 'node:child_process'
import { isRoot } from '../support/process.ts'

/** True where tests may mount disks. Root in a container may still not. */
export const canMount: boolean = isRoot && mayMount()

function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/tmp'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
