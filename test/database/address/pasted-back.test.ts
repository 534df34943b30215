import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import mysql from '../../../plugins/mysql/mysql.ts'
import neon from '../../../plugins/neon/neon.ts'
import postgresql from '../../../plugins/postgresql/postgresql.ts'
import { driver as sqlite } from '../../../plugins/sqlite/sqlite.ts'
import { Secret } from '../../../src/config/secret.ts'
import { type AddressReading, DatabaseUrlValidator } from '../../../src/database/address/validator.ts'
import type { Target } from '../../../src/driver/address.ts'
import type { Driver } from '../../../src/driver/driver.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import { settingsFromOptions } from '../../support/settings.ts'

const registry = new DriverRegistry()
for (const driver of [sqlite, postgresql, mysql, neon] as readonly Driver[]) registry.register(driver)
const validator = new DatabaseUrlValidator(registry, settingsFromOptions({}).settings)
const context = { role: 'primary', setting: 'database.url', origin: { from: 'options' }, folders: ['/data'] } as const

const password = 'hunter2Zq'
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Every text in the tests of addresses that may be one, whatever it is there for. */
async function addressesOfTheSuite(): Promise<ReadonlySet<string>> {
  const folders = [
    'database/address',
    'process',
    ...(await readdir(join(root, 'plugins'))).map((one) => `plugins/${one}`),
  ]
  const found = new Set<string>()
  for (const folder of folders) {
    const names = await readdir(join(root, folder)).catch(() => [])
    for (const name of names.filter((one) => one.endsWith('.test.ts'))) {
      const source = await readFile(join(root, folder, name), 'utf8')
      for (const { 2: text = '' } of source.matchAll(/(['`])((?:(?!\1)[^\\\n]|\\.)*)\1/g)) {
        const plain = text.replaceAll(/\$\{(?:secret|passwords\[user\])\}/g, password).replaceAll(/\\(['"`\\$])/g, '$1')
        if (/:\/\/|[\w)]@\w|(?:host|server)=|^(?:psql|mysql) /i.test(plain) && !plain.includes('${')) found.add(plain)
      }
    }
  }
  return found
}

/** The address in a suggestion with its secrets put back; null where there is none, or a pattern of one. */
function addressIn(suggestion: string, given: string, secret: string): string | null {
  const [shown] = /(?<![\w+.-])[a-z][a-z0-9+.-]*:\/\/[^\s,;"']+(?:,[^\s,;"']+)*/i.exec(suggestion) ?? []
  if (shown === undefined || /^scheme:|\/\/user:\*\*\*@|NAME/.test(shown)) return null
  const [before = '', ...query] = shown.replace(/\.$/, '').split('?')
  const put = query.join('?').replaceAll(/([\w.-]+)=\*\*\*/g, (whole, name: string) => {
    const [, value] = new RegExp(`[?&; ]${name}=([^&; ]*)`, 'i').exec(given) ?? []
    return value === undefined ? whole : `${name}=${value}`
  })
  return `${before.replace(':***@', `:${encodeURIComponent(secret)}@`)}${put === '' ? '' : `?${put}`}`
}

function passwordOf(target: Target | undefined): string | null {
  const secret = target !== undefined && 'password' in target ? target.password : null
  return secret instanceof Secret ? secret.reveal() : null
}

/** What an address means, secrets included. */
function meaningOf({ resolved }: AddressReading): unknown {
  if (resolved === null) return null
  const { driver, id, user, tls, host, port, database } = resolved.target
  return { driver, id, user, tls, host, port, database, password: passwordOf(resolved.target) }
}

test('every suggestion of an address, pasted back, is accepted and means the same', async () => {
  const plain = await addressesOfTheSuite()
  // What needs a repair may have an error as well.
  const texts = new Set([
    ...plain,
    ...[...plain].filter((text) => /^[a-z][\w+.-]*:\/\/[^'"\s]*$/.test(text)).map((text) => `psql '${text}'`),
  ])
  assert.ok(texts.size > 300, `${texts.size}`)
  const wrong: string[] = []
  let pasted = 0
  for (const text of texts) {
    const before = validator.read(text, context)
    const errors = before.problems.filter(({ severity }) => severity === 'error')
    for (const { code, part, suggestion } of before.problems) {
      const address = addressIn(suggestion, text, passwordOf(before.resolved?.target) ?? password)
      // Of a database in memory no other form would keep rows.
      if (address === null || code === 'SQLITE_MEMORY') continue
      pasted++
      const after = validator.read(address, context)
      const isRepeated = after.problems.some((one) => one.code === code && one.part === part)
      const failures = after.problems.filter(({ severity }) => severity === 'error')
      const isAccepted = errors.length > 1 ? failures.length < errors.length : failures.length === 0
      const isSame = before.resolved === null || JSON.stringify(meaningOf(before)) === JSON.stringify(meaningOf(after))
      if (isRepeated || !isAccepted || !isSame) {
        wrong.push(
          `${text}\n  ${code} ${part}: ${suggestion}\n  pasted as ${address}\n  ${JSON.stringify(meaningOf(before))}\n  ${JSON.stringify(meaningOf(after))} ${JSON.stringify(failures.map((one) => one.message))}`,
        )
      }
    }
  }
  assert.ok(pasted > 150, `${pasted}`)
  assert.deepEqual(wrong, [])
})
