import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveAll } from '../../src/service/resolve.ts'
import { makeTempDir } from '../support/temp.ts'

const space = { SPACE_ID: 'me/space' }

const cases: readonly (readonly [string, Record<string, string>, string, RegExp])[] = [
  [
    'Neon on its own port in a Space',
    { ...space, DATABASE_URL: 'postgresql://u:p@ep-x.eu.aws.neon.tech/d' },
    'ADDRESS_PLATFORM_LIMIT',
    /neon\+https:\/\/u:\*\*\*@ep-x\.eu\.aws\.neon\.tech\/d/,
  ],
  ['localhost in a Space', { ...space, DATABASE_URL: 'mysql://u:p@localhost/d' }, 'ADDRESS_PLATFORM_LIMIT', /itself/],
  [
    "Supabase's pooler without a project",
    { DATABASE_URL: 'postgresql://postgres:p@aws-0-eu.pooler.supabase.com:6543/postgres' },
    'ADDRESS_PLATFORM_LIMIT',
    /postgres\.PROJECT/,
  ],
  ['HOST=localhost in a Space', { ...space, HOST: 'localhost' }, 'HOST_LOOPBACK', /only this container/],
]

for (const [what, env, code, message] of cases) {
  test(`${what} is told before anything is opened`, async (t) => {
    const { problems } = await resolveAll({ env, cwd: await makeTempDir(t, 'platform') })
    assert.ok(
      problems.some((one) => one.code === code && message.test(one.message)),
      JSON.stringify(problems),
    )
  })
}

test('elsewhere, and where the address is right, nothing is told', async (t) => {
  const cwd = await makeTempDir(t, 'platform')
  const urls = [
    ...['postgresql://u:p@ep-x.eu.aws.neon.tech/d', 'mysql://u:p@localhost/d'],
    'postgresql://postgres.x:p@aws-0-eu.pooler.supabase.com:6543/postgres',
  ]
  for (const DATABASE_URL of urls) {
    const { problems } = await resolveAll({ env: { DATABASE_URL, HOST: 'localhost' }, cwd })
    assert.deepEqual(problems, [])
  }
})
