import type { ConnectionReport, FallbackState, PrimaryTrial, ShownFault } from './connect.ts'
import { wrap } from './layout.ts'
import type { Paint } from './paint.ts'

const indent = 15

/** What trying to connect has shown, for a person. */
export function connectionText({ primary, fallback, advice }: ConnectionReport, paint: Paint): string[] {
  return [
    paint('heading', 'Connection'),
    ...(primary === null
      ? named('primary', 'not tried: none is declared that can be used')
      : primaryLines(primary, paint)),
    ...(fallback === null ? [] : named('fallback', fallbackWords(fallback))),
    '',
    paint('heading', 'Advice'),
    ...(advice.length === 0 ? ['  none'] : advice.flatMap((text) => named('-', text, 4))),
  ]
}

function primaryLines(trial: PrimaryTrial, paint: Paint): string[] {
  const { outcome, tried, fault } = trial
  if (outcome === 'not-tried') return named('primary', 'a file of this machine: looked at, not opened')
  const before = tried.filter((one) => one.fault !== null && (outcome === 'reached' || tried.length > 1))
  const passed = before.flatMap((one) => named('passed over', `${one.label}: ${faultWords(one.fault)}`))
  if (outcome === 'failed') {
    return [
      `  ${paint('error', 'primary'.padEnd(indent - 2))}was tried, and cannot serve`,
      ...named('fault', faultWords(fault)),
      ...wrap(`-> ${fault?.hint ?? ''}`, indent),
      ...passed,
    ]
  }
  const roundTrip = trial.roundTripMs === null ? '' : `; a round trip takes ${trial.roundTripMs} ms`
  const pairs: readonly (readonly [string, string | null])[] = [
    ['primary', `${tried.at(-1)?.label} was reached in ${trial.connectMs} ms${roundTrip}`],
    ['version', trial.version],
    ['encryption', encryptionWords(trial.encryption)],
    ['pooler', trial.pooled ? 'yes: connections are shared between transactions' : 'none seen'],
    ['tables', tablesWords(trial)],
    ['own tables', ownTablesWords(trial)],
    ['writes', trial.isReadOnly ? 'none are taken, as the address wants it' : null],
  ]
  return [...pairs.flatMap(([name, text]) => (text === null ? [] : named(name, text))), ...passed]
}

function encryptionWords(encryption: string | null): string | null {
  if (encryption === 'none') return 'none: the connection is in clear'
  return encryption === 'local' ? 'none needed: a socket of this machine' : encryption
}

function tablesWords({ mayMakeTables, schema }: PrimaryTrial): string | null {
  if (mayMakeTables === null) return null
  const where = schema === null ? '' : ` in "${schema}"`
  return mayMakeTables ? `the role may make tables${where}` : `the role may not make tables${where}`
}

function ownTablesWords({ ownTables, mayMakeTables, mayWriteOwnTables }: PrimaryTrial): string | null {
  switch (ownTables) {
    case 'ours':
      return "Holdfast's tables are there, and take its inserts and deletes"
    case 'newer':
      return "Holdfast's tables are there, made by a later release"
    case 'absent':
      if (mayWriteOwnTables !== null) return "Holdfast's tables are there, and the role may not use them"
      return mayMakeTables ? "Holdfast's tables are not there yet" : "Holdfast's tables are not there"
    default:
      return null
  }
}

function fallbackWords({ path, bytes }: FallbackState): string {
  if (path === null) return 'kept in no file: it is made when it is needed'
  return bytes === null
    ? 'its file is not there yet: it is made when it is needed'
    : `its file is there (${bytes} bytes)`
}

function faultWords(fault: ShownFault | null): string {
  return fault === null ? '' : `${fault.kind} ${fault.code}: ${fault.summary}`
}

function named(name: string, text: string, margin = indent): string[] {
  const [first = '', ...rest] = wrap(text, margin)
  return [`  ${name.padEnd(margin - 2)}${first.trimStart()}`, ...rest]
}
