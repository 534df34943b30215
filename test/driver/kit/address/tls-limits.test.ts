import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import mysql from '../../../../plugins/mysql/mysql.ts'
import neon from '../../../../plugins/neon/neon.ts'
import postgresql from '../../../../plugins/postgresql/postgresql.ts'
import { benchSettings, urlAddress } from '../../../../src/conformance/bench.ts'
import { libpqTls } from '../../../../src/driver/kit/address/tls.ts'
import { loadTls } from '../../../../src/driver/kit/address/tls-files.ts'

const drivers = { postgresql, mysql, neon }

function read(driver: keyof typeof drivers, query: string) {
  const scheme = driver === 'neon' ? 'neon+https' : driver
  const settings = benchSettings(drivers[driver], { address: async () => '' }, '/nowhere')
  const address = urlAddress({ folder: '/nowhere' }, `${scheme}://u:p@h/d?${query}`)
  return drivers[driver].parse(address, settings)
}

/** A connection's options for TLS, as Node gets them, and the mode. */
async function optionsOf(driver: keyof typeof drivers, query: string): Promise<readonly unknown[]> {
  const { target, problems } = read(driver, query)
  assert.ok(target, `${query}: ${JSON.stringify(problems)}`)
  const { minVersion, maxVersion, ciphers } = await loadTls(libpqTls('X'), target.encryption, 'h')
  assert.doesNotThrow(() => createSecureContext({ ca: [], ...(ciphers === undefined ? {} : { ciphers }) }))
  return [target.encryption.mode, minVersion, maxVersion, ciphers]
}

const suite = 'TLS_AES_128_GCM_SHA256'
const cipher = 'ECDHE-RSA-AES128-GCM-SHA256'

test('versions that an address asks for reach the connection, and with them TLS', async () => {
  const min = 'ssl_min_protocol_version'
  const max = 'ssl_max_protocol_version'
  const cases: readonly (readonly [keyof typeof drivers, string, readonly unknown[]])[] = [
    ['postgresql', `${min}=TLSv1.3`, ['require', 'TLSv1.3', undefined]],
    ['postgresql', `sslmode=prefer&${min}=tlsv1.3`, ['require', 'TLSv1.3', undefined]],
    ['postgresql', `sslmode=verify-full&${min}=TLSv1.3`, ['verify-full', 'TLSv1.3', undefined]],
    ['postgresql', `${min}=TLSv1`, ['require', 'TLSv1.2', undefined]],
    ['postgresql', `${min}=&${max}=`, ['prefer', undefined, undefined]],
    ['postgresql', `${max}=TLSv1.2`, ['prefer', undefined, 'TLSv1.2']],
    ['postgresql', `sslminprotocolversion=TLSv1.3`, ['require', 'TLSv1.3', undefined]],
    ['postgresql', 'sslnegotiation=direct', ['require', 'TLSv1.2', undefined]],
    ['neon', `${min}=TLSv1.3`, ['verify-full', 'TLSv1.3', undefined]],
    ['mysql', 'tls-version=TLSv1.2', ['require', 'TLSv1.2', 'TLSv1.2']],
    ['mysql', 'tls_versions=%5B%22TLSv1.2%22,%22TLSv1.3%22%5D', ['require', 'TLSv1.2', 'TLSv1.3']],
    ['mysql', 'enabledTLSProtocols=TLSv1.1,TLSv1.3', ['require', 'TLSv1.3', 'TLSv1.3']],
    ['mysql', 'tlsVersions=TLSv1.2,TLSv1.3&enabledSslProtocolSuites=TLSv1.3', ['require', 'TLSv1.3', 'TLSv1.3']],
    ['mysql', `ssl=${encodeURIComponent('{"minVersion":"TLSv1.3"}')}`, ['verify-ca', 'TLSv1.3', undefined]],
  ]
  for (const [driver, query, wanted] of cases) {
    assert.deepEqual((await optionsOf(driver, query)).slice(0, 3), wanted, `${driver} ${query}`)
  }
})

test('ciphers of one version leave those of the other as they are; one list for all is all', async () => {
  const [, , , narrowed] = await optionsOf('mysql', `ssl-cipher=${cipher}`)
  assert.match(String(narrowed), new RegExp(`^TLS_[A-Z0-9_:]+:${cipher}$`))
  const [, , , newer] = await optionsOf('mysql', `tls-ciphersuites=${suite}`)
  assert.match(String(newer), new RegExp(`^${suite}:ECDHE-[^_]+$`))
  const [mode, min, max, whole] = await optionsOf(
    'mysql',
    `enabledSslCipherSuites=${cipher},${suite}&ssl-mode=VERIFY_CA`,
  )
  assert.deepEqual([mode, min, max, whole], ['verify-ca', undefined, undefined, `${suite}:${cipher}`])
  assert.equal((await optionsOf('mysql', `enabledSSLCipherSuites=${cipher}`))[2], 'TLSv1.2')
  assert.equal((await optionsOf('mysql', `enabledSSLCipherSuites=${suite}`))[1], 'TLSv1.3')
  assert.equal((await optionsOf('mysql', `ssl-cipher=${suite}`))[1], 'TLSv1.3')
})

test('a limit that is wrong, contradictory or without TLS keeps the address from being used', () => {
  const cases: readonly (readonly [keyof typeof drivers, string, string, string])[] = [
    ['postgresql', 'ssl_min_protocol_version=1.3', 'ADDRESS_TLS_INVALID', 'ssl_min_protocol_version'],
    ['postgresql', 'ssl_min_protocol_version=TLSv1.4', 'ADDRESS_TLS_INVALID', 'ssl_min_protocol_version'],
    ['postgresql', 'ssl_max_protocol_version=TLSv1.1', 'ADDRESS_TLS_INVALID', 'ssl_max_protocol_version'],
    ['postgresql', 'ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2', 'ADDRESS_TLS_INVALID', 'query'],
    ['postgresql', 'sslmode=disable&ssl_min_protocol_version=TLSv1.2', 'ADDRESS_TLS_CONFLICT', 'sslmode'],
    ['postgresql', 'sslmode=disable&sslnegotiation=direct', 'ADDRESS_TLS_CONFLICT', 'sslmode'],
    ['postgresql', 'require_auth=scram-sha-256', 'ADDRESS_TLS_INVALID', 'require_auth'],
    ['postgresql', 'requirepeer=postgres', 'ADDRESS_TLS_INVALID', 'requirepeer'],
    ['mysql', 'tls-version=', 'ADDRESS_TLS_INVALID', 'tls-version'],
    ['mysql', 'tls-version=TLSv1,TLSv1.1', 'ADDRESS_TLS_INVALID', 'tls-version'],
    ['mysql', 'tls-version=TLSv1.2,newest', 'ADDRESS_TLS_INVALID', 'tls-version'],
    ['mysql', 'tlsVersions=TLSv1.2&enabledTLSProtocols=TLSv1.3', 'ADDRESS_TLS_INVALID', 'query'],
    ['mysql', 'ssl-mode=DISABLED&tls-version=TLSv1.3', 'ADDRESS_TLS_CONFLICT', 'ssl-mode'],
    ['mysql', 'ssl-cipher=', 'ADDRESS_TLS_INVALID', 'ssl-cipher'],
    ['mysql', 'ssl-cipher=NONE-SUCH', 'ADDRESS_TLS_INVALID', 'query'],
    ['mysql', 'tls-ciphersuites=TLS_NONE_SUCH', 'ADDRESS_TLS_INVALID', 'query'],
    ['mysql', 'enabledSSLCipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ADDRESS_TLS_INVALID', 'query'],
    ['mysql', `ssl-cipher=${cipher}&sslcipher=AES128-SHA`, 'ADDRESS_TLS_CONFLICT', 'sslcipher'],
    ['mysql', `ssl=${encodeURIComponent('{"minVersion":3}')}`, 'ADDRESS_TLS_INVALID', 'minVersion'],
  ]
  for (const [driver, query, code, part] of cases) {
    const { target, problems } = read(driver, query)
    assert.equal(target, undefined, query)
    const errors = problems.filter(({ severity }) => severity === 'error').map((one) => [one.code, one.part])
    assert.deepEqual(errors, [[code, part]], query)
  }
})
