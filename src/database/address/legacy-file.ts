import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../../config/problem.ts'
import type { DatabaseConfig } from './config.ts'
import { targetFiles } from './target-files.ts'

/** Where a deployment before the data directory kept its rows: beside the application. */
const legacyName = 'production.db'

/**
 * Says that a database of an earlier deployment lies in the working directory, when none of the databases of `config`
 * would use it; null else. It is left alone. Never rejects.
 */
export async function legacyFileProblem(cwd: string, config: DatabaseConfig): Promise<Problem | null> {
  const path = join(cwd, legacyName)
  const used = [config.primary, config.fallback].flatMap(targetFiles)
  if (used.includes(path) || !(await hasContent(path))) return null
  return {
    code: 'LEGACY_FILE',
    severity: 'info',
    setting: 'fallback.url',
    origin: null,
    part: null,
    message: `${path} is a database of an earlier deployment; it is left alone, because files of ours are in DATA_DIR.`,
    suggestion: `To use it: SQLITE_ALLOW_PATHS=${cwd} FALLBACK_DATABASE_URL=sqlite:///${path}`,
  }
}

async function hasContent(path: string): Promise<boolean> {
  try {
    const found = await stat(path)
    return found.isFile() && found.size > 0
  } catch {
    return false
  }
}
