import { canMount } from '../../process/mounts.ts'
import type { Cleanup } from '../../support/temp.ts'
import { type ArchiveStage, ArchiveWorld } from './archive-world.ts'
import { type ArchiveKind, makePlace } from './place.ts'
import type { ArchiveSchedule } from './schedule/archive-schedule.ts'
import { noFaultyDisk } from './schedule/disk-faults.ts'

/** Why a schedule cannot run on this machine; false: it can. */
export function whyNotHere({ mounts, needsFaultyDisk }: ArchiveSchedule): string | false {
  if (mounts === true && !canMount) return 'disks cannot be mounted here'
  return needsFaultyDisk === true && noFaultyDisk
}

/** Runs one schedule on a target of its own. Rejects when it ends otherwise than it has to. */
export async function runArchiveSchedule(
  t: Cleanup,
  { run }: ArchiveSchedule,
  stage: ArchiveStage,
  kind: ArchiveKind,
): Promise<void> {
  const world = new ArchiveWorld(t, stage, await makePlace(t, kind))
  try {
    await run(world)
  } catch (error) {
    if (error instanceof Error) error.message += `\n${world.logs()}`
    throw error
  }
}
