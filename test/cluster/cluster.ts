/**
 * `npm run cluster -- patroni|galera [--minutes N] [--events a,b] [--layouts a,b] [--json FILE] [--readme]`: a real cluster of
 * three members, three services with clients, and faults, one after the other. Prints what each service saw, looks for
 * everything that was acknowledged, and ends with 1 when anything is not as it has to be.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withCleaning } from '../faults/schedule/run.ts'
import { repository } from '../support/process.ts'
import { Campaign, type LayoutRun } from './campaign.ts'
import type { ClusterKind, StartCluster } from './cluster-kind.ts'
import { startGalera } from './galera/galera-cluster.ts'
import { type ClusterOptions, readClusterOptions, usage } from './options.ts'
import { startPatroni } from './patroni/patroni-cluster.ts'
import { type ClusterReport, markdownOf, withRun, wrongIn } from './report.ts'
import { missingFor } from './requirement.ts'

const starters: Readonly<Record<ClusterKind, StartCluster>> = { patroni: startPatroni, galera: startGalera }

// What ends with this process is ended at its exit, which a signal alone would skip.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  let options: ClusterOptions | null
  try {
    options = readClusterOptions(args)
  } catch (error) {
    console.error((error as Error).message) // Of the reader of options.
    return 2
  }
  if (options === null) {
    console.log(usage)
    return 0
  }
  const missing = missingFor(options.kind)
  if (missing !== null) {
    console.error(missing)
    return 2
  }
  const report = await runCluster(options)
  const markdown = markdownOf(report)
  console.log(markdown)
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, jsonValue, 2)}\n`)
  if (options.readme) {
    const file = join(repository, `config/examples/${options.kind}/README.md`)
    writeFileSync(file, withRun(readFileSync(file, 'utf8'), markdown))
  }
  const wrong = wrongIn(report)
  for (const what of wrong) console.error(`WRONG ${what}`)
  return wrong.length === 0 ? 0 : 1
}

async function runCluster(options: ClusterOptions): Promise<ClusterReport> {
  if (options.logs !== null) mkdirSync(options.logs, { recursive: true })
  return await withCleaning(async (t) => {
    const cluster = await starters[options.kind](t)
    const layouts: LayoutRun[] = []
    for (const layout of options.layouts)
      layouts.push(
        await withCleaning((own) => new Campaign(cluster, options).run(own, layout, (line) => console.error(line))),
      )
    return { at: new Date().toISOString(), kind: options.kind, versions: cluster.versions, layouts }
  })
}

function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
