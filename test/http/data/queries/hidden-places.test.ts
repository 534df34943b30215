import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { adminToken } from '../../../support/databases.ts'
import { hostService } from '../../../support/hosted.ts'
import { cleanupOf } from '../../../support/temp.ts'

const letters = {
  name: 'letters',
  fields: { subject: { type: 'string', maxLength: 40, index: true }, isOpen: { type: 'boolean' } },
  access: { list: ['admin', { to: 'public', where: { isOpen: true } }] },
}

describe('a page that ends at a row that the rule hides', () => {
  const cleanup = cleanupOf(after)

  it('tells nothing of the row, and the walk goes on behind it', async () => {
    const service = await hostService(cleanup, {
      files: { 'config/collections/letters.json': JSON.stringify(letters) },
      env: { ADMIN_TOKEN: adminToken, RATE_LIMIT: '0' },
    })
    const subjects = Array.from({ length: 21_000 }, (_, at) => `hidden ${String(at).padStart(5, '0')}`)
    const rows = [...subjects.map((subject) => ({ subject, isOpen: false })), { subject: 'shown', isOpen: true }]
    for (let at = 0; at < rows.length; at += 1_000) {
      const made = await service.send('POST', '/api/letters', rows.slice(at, at + 1_000), adminToken)
      assert.equal(made.status, 201)
      await made.arrayBuffer()
    }
    const own = await service.fetch('/api/letters?sort=subject&fields=subject&isOpen=true', {
      headers: { authorization: `Bearer ${adminToken}` },
    })
    assert.match(Buffer.from(JSON.parse(await own.text()).next, 'base64url').toString('latin1'), /hidden/)
    const first = await service.fetch('/api/letters?sort=subject&fields=subject')
    const { items, next } = JSON.parse(await first.text())
    assert.deepEqual(items, [])
    assert.doesNotMatch(Buffer.from(next, 'base64url').toString('latin1'), /hidden/)
    const second = await service.fetch(`/api/letters?sort=subject&fields=subject&cursor=${next}`)
    assert.deepEqual(JSON.parse(await second.text()), { items: [{ subject: 'shown' }], next: null })
  })
})
