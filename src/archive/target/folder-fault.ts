import { errorCodeOf } from '../../config/text-file.ts'
import { TargetError, type TargetFaultKind } from './target.ts'

const judgements: readonly (readonly [RegExp, TargetFaultKind, string])[] = [
  [/^(?:ENOSPC|EDQUOT|EFBIG)$/, 'full', 'Free space in the folder, or raise its quota.'],
  [/^(?:EACCES|EPERM)$/, 'auth', 'Let the user of this process write to the folder.'],
  [/^EROFS$/, 'auth', 'The folder is mounted read-only: mount it for writing.'],
  [/^(?:ENOENT|ENOTDIR)$/, 'missing', 'Create or mount the folder, or fix ARCHIVE_URL.'],
  [
    /^(?:ENOTCONN|ESTALE|ETIMEDOUT|EHOSTDOWN|ENODEV|ENXIO)$/,
    'unreachable',
    'The mount is gone: mount the folder again.',
  ],
  [/^(?:EIO|EMFILE|ENFILE|EBUSY|ENOMEM|EAGAIN)$/, 'busy', 'Holdfast tries again. Check the disk if it goes on.'],
]

/** The error for a failed operation in a folder. */
export function folderError(what: string, path: string, error: unknown): TargetError {
  if (error instanceof TargetError) return error
  const code = errorCodeOf(error)
  const found = judgements.find(([pattern]) => code !== null && pattern.test(code))
  const [, kind, hint] = found ?? [null, 'odd' as const, 'Check that ARCHIVE_URL names a folder on a usual disk.']
  return new TargetError(
    kind,
    `The archive's folder ${path} did not ${what}${code === null ? '' : `: ${code}`}.`,
    hint,
    error,
  )
}
