import type { Target } from '../address.ts'
import type { Candidate, Driver, Limits } from '../driver.ts'
import { type FindAddresses, hostsByAddress } from './address/addresses.ts'
import type { AddressDialect, ServerTarget } from './address/dialect.ts'
import type { AddressOptions } from './address/parameters.ts'
import { readAddress } from './address/reader.ts'
import { findTlsProblems } from './address/tls-files.ts'
import { type ClientPart, loadClient, missingClient } from './client-part.ts'

/** The module of a driver that loads its client. */
export interface CandidateModule<T extends Target> {
  createCandidates(target: T, limits: Limits): readonly Candidate[]
}

/**
 * The members that every driver for database servers has in the same form; `client` is the part that needs packages.
 * `resolves` false: something between resolves the names.
 */
export function serverMembers<O extends AddressOptions, T extends ServerTarget, F extends T = T>(
  dialect: AddressDialect<O, T>,
  client: ClientPart<CandidateModule<F>>,
  { resolves = true, find }: { readonly resolves?: boolean; readonly find?: FindAddresses } = {},
): Pick<Driver<F>, 'inspect' | 'describe' | 'connect'> & Pick<Driver<T>, 'parse'> {
  return {
    parse: (address, settings) => readAddress(dialect, address, settings),
    async inspect(target) {
      const missing = await missingClient(client, target)
      return { problems: [...missing, ...(await findTlsProblems(dialect.tls, target))], path: null }
    },
    describe: ({ driver, hosts, database }) =>
      `${driver} ${hosts.map((host) => dialect.formatHost(host)).join(',')}/${database}`,
    async connect(target, limits) {
      const { createCandidates } = await loadClient(client)
      const hosts = resolves ? await hostsByAddress(target.hosts, find) : target.hosts
      return createCandidates(hosts === target.hosts ? target : { ...target, hosts }, limits)
    },
  }
}
