import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { clientAddress } from '../../../src/http/data/client-address.ts'

function request(remote: string | undefined, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: remote })
  const req = new IncomingMessage(socket)
  if (forwarded !== undefined) req.headers['x-forwarded-for'] = forwarded
  return req
}

const cases: readonly (readonly [string, string | undefined, string | undefined, number, string])[] = [
  ['without trusted proxies the header is not believed', '192.0.2.1', '198.51.100.9', 0, '192.0.2.1'],
  ['one proxy: the last entry', '10.0.0.1', 'spoofed, 203.0.113.5', 1, '203.0.113.5'],
  ['two proxies: the last but one', '10.0.0.1', '1.1.1.1, 203.0.113.5, 10.0.0.2', 2, '203.0.113.5'],
  ['fewer entries than proxies: the socket', '10.0.0.1', '203.0.113.5', 2, '10.0.0.1'],
  ['an entry that is no address: the socket', '10.0.0.1', 'unknown', 1, '10.0.0.1'],
  ['an empty header: the socket', '10.0.0.1', '', 1, '10.0.0.1'],
  ['no header: the socket', '10.0.0.1', undefined, 1, '10.0.0.1'],
  ['an IPv4 with its port', '10.0.0.1', '203.0.113.5:4711', 1, '203.0.113.5'],
  ['an IPv6 with its port, by /64', '10.0.0.1', '[2001:db8:1:2:3:4:5:6]:443', 1, '2001:db8:1:2::/64'],
  ['a short IPv6', '2001:db8::1', undefined, 0, '2001:db8:0:0::/64'],
  ['an IPv6 with its zone', 'fe80::1%eth0', undefined, 0, 'fe80:0:0:0::/64'],
  ['the loopback interface', '::1', undefined, 0, '0:0:0:0::/64'],
  ['an IPv4 in IPv6', '::ffff:192.0.2.7', undefined, 0, '192.0.2.7'],
  ['the same in hexadecimal', '::ffff:c000:207', undefined, 0, '192.0.2.7'],
  ['a socket that is gone', undefined, undefined, 0, 'unknown'],
]

for (const [what, remote, forwarded, proxies, expected] of cases) {
  test(`the client's address: ${what}`, () => {
    assert.equal(clientAddress(request(remote, forwarded), proxies), expected)
  })
}
