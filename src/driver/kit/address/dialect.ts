import type { Origin } from '../../../config/problem.ts'
import type { Secret } from '../../../config/secret.ts'
import type { Settings } from '../../../config/settings.ts'
import type { Target } from '../../address.ts'
import type { Host } from './hosts.ts'
import type { AddressOptions, ParameterTable } from './parameters.ts'
import type { FillIn } from './reading.ts'
import type { Report } from './report.ts'
import type { PartParameters } from './split.ts'
import type { Tls, TlsDialect } from './tls.ts'

/** A validated address of a database server. */
export interface ServerTarget extends Target {
  /** To be named in problems that only looking or connecting can find. */
  readonly setting: string
  readonly origin: Origin | null
  /** In the order to try. */
  readonly hosts: readonly [Host, ...Host[]]
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: Secret | null
  readonly encryption: Tls
  /** Milliseconds for one connection to one host; null: as the settings say. */
  readonly connectMs: number | null
  /** False: nothing may be created in this database. */
  readonly mayMakeTables: boolean
}

/** What distinguishes the addresses of one driver for database servers. */
export interface AddressDialect<O extends AddressOptions, T extends ServerTarget> {
  /** The driver's name. */
  readonly driver: string
  /** The scheme of corrected addresses. */
  readonly scheme: string
  /** Matches the schemes that a message may repeat; any other text may be a secret. */
  readonly knownSchemes: RegExp
  readonly defaultPort: number
  /** The parameters that may replace the host or the database. */
  readonly partParameters: PartParameters
  readonly parameters: ParameterTable<O>
  readonly tls: TlsDialect
  /** The parameter that names a Unix socket; `host` where absent. */
  readonly socketParameter?: string
  /** What the clients of this kind of server use where the address leaves out host or user; else both must be named. */
  readonly fillIn?: FillIn | null
  /** Which names a database may have: the test, and the rule as the end of the sentence "It must ...". */
  readonly databaseName: { isValid(name: string): boolean; readonly rule: string }
  formatHost(host: Host): string
  /** Removes from the text what only other clients understand, and reports it. */
  prepare?(text: string, report: Report): string
  /** The options before the parameters are read. */
  options(common: AddressOptions): O
  /** How many rounds the candidates may need, as `Candidate.round` has them; 1 where absent. */
  rounds?(options: O): number
  /** Completes the target. */
  complete(common: ServerTarget, options: O, settings: Settings): T
  /** The same for two targets exactly when they are the same database. */
  id(hosts: readonly Host[], database: string): string
}
