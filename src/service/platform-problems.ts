import { createProblem, type Problem } from '../config/problem.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import type { DatabaseConfig } from '../database/address/config.ts'
import { foreseenAdvice } from '../database/store/advice.ts'

/** Problems that follow from the platform, by code; documentation and tests read it. */
export const platformProblems = {
  ADDRESS_PLATFORM_LIMIT: 'A limit of the platform or the provider concerns the address; it is used.',
  HOST_LOOPBACK: 'HOST accepts connections of this container alone, which a Space cannot reach.',
} as const

/** What the platform is known for, reported before anything is opened. Pure. */
export function findPlatformProblems(resolved: ResolvedSettings, { primary }: DatabaseConfig): readonly Problem[] {
  const { settings } = resolved
  const isSpace = settings.platform.spaceId !== null
  const problems: Problem[] = []
  const add = (code: keyof typeof platformProblems, setting: string, part: string | null, texts: readonly string[]) => {
    const [message = '', suggestion = ''] = texts
    const severity = code === 'HOST_LOOPBACK' ? 'warning' : 'info'
    problems.push(
      createProblem(code, severity, setting, { origin: resolved.originOf(setting), part, message, suggestion }),
    )
  }
  if (primary !== null) {
    const setting = resolved.isSet('database.url') ? 'database.url' : 'database.driver'
    for (const { part, advice } of foreseenAdvice(primary.target, { isSpace })) {
      add('ADDRESS_PLATFORM_LIMIT', setting, part, [advice, 'If the database cannot be reached, change the address.'])
    }
  }
  const { host } = settings.http
  if (isSpace && /^(?:localhost|127\.[\d.]+|::1)$/.test(host)) {
    const message = `HOST is ${host}: only this container can connect, and the Space shows nothing.`
    add('HOST_LOOPBACK', 'http.host', null, [message, 'Unset HOST, or set it to 0.0.0.0.'])
  }
  return problems
}
