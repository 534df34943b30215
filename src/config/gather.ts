import type { JsonDuplicate } from './json-fault.ts'
import type { Environment, Layers, RawValue, SecretFile, SettingsFile } from './layers.ts'
import { show } from './mask.ts'
import { nearest } from './nearest.ts'
import { createProblem, formatOrigin, hiddenText, type Origin, type Problem } from './problem.ts'
import { FlatNames } from './schema/flat-names.ts'
import type { SettingMap } from './settings-schema.ts'
import { walkTree } from './tree.ts'

/**
 * The values given for each setting, lowest layer first, and the problems with names that belong to no setting. `drivers`:
 * those whose settings the schema contains; null before they are loaded.
 */
export function gather(
  layers: Layers,
  settings: SettingMap,
  drivers: readonly string[] | null,
): { given: RawValue[]; problems: Problem[] } {
  const problems: Problem[] = []
  const given: RawValue[] = []
  for (const { origin, content, duplicates = [] } of layers.files) {
    problems.push(...duplicates.map((duplicate) => duplicateName(origin, duplicate)))
    if (typeof content === 'function') {
      const walked = walkTree(content(), origin, settings, drivers)
      given.push(...walked.given)
      problems.push(...walked.problems)
    } else {
      problems.push(unreadableFile(origin, content))
    }
  }
  for (const [key, { env, sensitive }] of settings) {
    const inEnvironment = valueInEnvironment(key, env, sensitive === true, layers.environment)
    if (inEnvironment !== null) given.push(inEnvironment)
    const file = layers.secretFiles.find((one) => one.env === env)
    if (file !== undefined) given.push(valueInSecretFile(key, file))
  }
  return { given, problems }
}

/** A blank variable counts as unset, like an empty one; in a secret every character counts. */
function valueInEnvironment(key: string, name: string, isSecret: boolean, environment: Environment): RawValue | null {
  const value = environment.value(name)
  if (value === undefined || (!isSecret && value.trim() === '')) return null
  return { key, name, origin: { from: 'environment', name }, value: () => value }
}

function valueInSecretFile(key: string, { env, shown, content }: SecretFile): RawValue {
  const name = `${env}_FILE`
  return { key, name, origin: { from: 'secret-file', name, path: shown }, value: content }
}

function duplicateName(origin: Origin, { name, line, column }: JsonDuplicate): Problem {
  const path = formatOrigin(origin)
  return createProblem('SETTING_DUPLICATE', 'warning', path, {
    origin,
    part: `${line}:${column}`,
    message: `The settings file ${path} has ${show(name)} twice in one object (line ${line}, column ${column}). The last one is used.`,
    suggestion: 'Remove one of the two.',
  })
}

function unreadableFile(origin: Origin, { reason, fault }: Exclude<SettingsFile['content'], () => unknown>): Problem {
  const isHidden = origin.from === 'file' && origin.path === hiddenText
  const path = isHidden ? 'that CONFIG_FILE names' : formatOrigin(origin)
  const where = fault === null ? '' : ` (line ${fault.line}, column ${fault.column}: ${fault.hint})`
  return {
    code: fault === null ? 'FILE_UNREADABLE' : 'FILE_INVALID',
    severity: 'error',
    setting: isHidden ? 'config.file' : path,
    origin,
    part: fault === null ? null : `${fault.line}:${fault.column}`,
    message: `The settings file ${path} ${reason}${where}. The whole file is ignored.`,
    suggestion:
      fault === null ? 'Correct the path, or make it a readable JSON file.' : 'Fix the JSON at that position.',
  }
}

/** Variables of libpq and of other software that are not read, with what to use. */
const notRead: Readonly<Record<string, string>> = {
  PGHOST: 'the host in DATABASE_URL, or DATABASE_HOST',
  PGHOSTADDR: 'the host in DATABASE_URL, or DATABASE_HOST',
  PGPORT: 'the port in DATABASE_URL, or DATABASE_PORT',
  PGUSER: 'the user in DATABASE_URL, or DATABASE_USERNAME',
  PGPASSWORD: 'the password in DATABASE_URL, or DATABASE_PASSWORD',
  PGPASSFILE: 'DATABASE_URL_FILE or DATABASE_PASSWORD_FILE',
  PGDATABASE: 'the name in DATABASE_URL, or DATABASE_NAME',
  PGSERVICE: 'DATABASE_URL',
  PGSSLMODE: 'the parameter sslmode in DATABASE_URL',
  PGSSLROOTCERT: 'POSTGRESQL_SSL_ROOT_CERT',
  PGSSLCERT: 'POSTGRESQL_SSL_CERT',
  PGSSLKEY: 'POSTGRESQL_SSL_KEY',
  PGCHANNELBINDING: 'the parameter channel_binding in DATABASE_URL',
  PGOPTIONS: 'the parameter options in DATABASE_URL',
  PGAPPNAME: 'the parameter application_name in DATABASE_URL',
  PGCONNECT_TIMEOUT: 'the parameter connect_timeout in DATABASE_URL',
  PGTARGETSESSIONATTRS: 'the parameter target_session_attrs in DATABASE_URL',
  POSTGRES_URL: 'DATABASE_URL',
  POSTGRESQL_URL: 'DATABASE_URL',
  MYSQL_URL: 'DATABASE_URL',
  MARIADB_URL: 'DATABASE_URL',
  DB_URL: 'DATABASE_URL',
  DB_URI: 'DATABASE_URL',
  SQLALCHEMY_DATABASE_URI: 'DATABASE_URL',
  DB_HOST: 'DATABASE_HOST',
  DB_PORT: 'DATABASE_PORT',
  DB_USER: 'DATABASE_USERNAME',
  DB_USERNAME: 'DATABASE_USERNAME',
  DB_PASSWORD: 'DATABASE_PASSWORD',
  DB_PASS: 'DATABASE_PASSWORD',
  DB_NAME: 'DATABASE_NAME',
  DB_DATABASE: 'DATABASE_NAME',
  DB_DRIVER: 'DATABASE_DRIVER',
  DB_POOL_SIZE: 'POOL_SIZE',
  DB_ECHO: 'ECHO_SQL',
  MYSQL_PWD: 'DATABASE_PASSWORD',
}

/** Reports variables of other software that a deployer may expect Holdfast to read; it does not read them. */
export function unreadNames(present: readonly string[]): Problem[] {
  return present.flatMap((name) => {
    const instead = Object.hasOwn(notRead, name) ? notRead[name] : undefined
    // A whole address leaves nothing open, except what libpq's own variables would add.
    const isSettled = instead !== undefined && present.includes('DATABASE_URL') && !name.startsWith('PG')
    if (instead === undefined || isSettled || present.includes(instead)) return []
    return createProblem('SETTING_NOT_READ', 'info', name, {
      origin: { from: 'environment', name },
      message: `${name} is set, but Holdfast does not read it.`,
      suggestion: `Use ${instead}.`,
    })
  })
}

/** Shorter names are close to names that mean something else. */
const nameMinLength = 6
const reportsMax = 20

/**
 * Reports variables whose names nearly match a setting that is not set. Holdfast does not read their values: another program
 * may own them. Each is an error, because the intended value is not in use. For a certificate or key the problem names its
 * setting: without it a connection could be weaker.
 */
export function misspeltNames(present: readonly string[], settings: SettingMap): Problem[] {
  const named = [...settings].filter(([, { env }]) => env !== '')
  const certificates = new Map(named.flatMap(([key, one]) => (one.format === 'holdfast:pem' ? [[one.env, key]] : [])))
  // `NAME_FILE` of secrets included.
  const ours = named.flatMap(([, { env, sensitive }]) => (sensitive ? [env, `${env}_FILE`] : [env]))
  const known = new Set(ours)
  const set = new Set(present)
  const candidates = ours.filter((name) => name.length >= nameMinLength && !set.has(name))
  const flatNames = new FlatNames(settings)
  const reports: Problem[] = []
  for (const name of present) {
    if (
      known.has(name) ||
      Object.hasOwn(notRead, name) ||
      name.length < nameMinLength ||
      name.length > 80 ||
      reports.length >= reportsMax
    )
      continue
    // Two letters may differ, where a settings file of ours allows three: this namespace is shared.
    const other = flatNames.meaningInEnvironment(name)
    const meant = other === undefined ? nearest(name, candidates, 2) : settings.get(other ?? '')?.env
    if (meant && !set.has(meant)) reports.push(misspelt(name, meant, certificates.get(meant.replace(/_FILE$/, ''))))
  }
  return reports
}

function misspelt(name: string, meant: string, certificate: string | undefined): Problem {
  return createProblem('SETTING_MISSPELT', 'error', certificate ?? name, {
    origin: { from: 'environment', name },
    message: `${name} is not a setting. Did you mean ${meant}, which is not set?`,
    suggestion: `If so, rename ${name} to ${meant}; if ${name} belongs to other software, set ${meant} as well.`,
  })
}
