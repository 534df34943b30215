import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanAddress } from '../../../src/database/address/clean.ts'
import { findPlaceholder } from '../../../src/database/address/placeholder.ts'

const address = 'postgresql://u:p%20w@h:5432/d'
const plain = 'postgresql://u:pw@h/d'

/** A text, the address that it is read as, and the repair. */
const forms: readonly (readonly [string, string, string])[] = [
  [`${plain}  # prod`, plain, 'comment'],
  [`"${plain}" # prod`, plain, 'comment'],
  [`ENV DATABASE_URL=${plain}`, plain, 'name'],
  [`ENV DATABASE_URL ${plain}`, plain, 'name'],
  [`- DATABASE_URL=${plain}`, plain, 'name'],
  [`- "DATABASE_URL=${plain}"`, plain, 'name'],
  [`r2dbc:${plain}`, plain, 'r2dbc'],
  [`r2dbc:pool:${plain}`, plain, 'r2dbc'],
  [plain.replaceAll('/', '\\/'), plain, 'escapes'],
  [`${plain}?a=b&amp;c=d`, `${plain}?a=b&c=d`, 'html'],
  ['Host=h;Port=5432;Database=d;Username=u;Password="p w"', address, 'ado.net'],
  ['Host=h;Username=u;Database=d;SSL Mode=VerifyFull', 'postgresql://u@h/d?sslmode=VerifyFull', 'ado.net'],
  ['Server=h;Uid=u;Pwd=p;Database=d;', 'mysql://u:p@h/d', 'ado.net'],
  ['Server=h;Port=3306;User Id=u;Password=p;Database=d', 'mysql://u:p@h:3306/d', 'ado.net'],
  ['pgsql:host=h;port=5432;dbname=d;user=u;password=p w', address, 'pdo'],
  ['mysql:unix_socket=/run/m.sock;dbname=d;user=u', 'mysql://u@%2Frun%2Fm.sock/d', 'pdo'],
  ['u:p/w@tcp(h:3306)/d?parseTime=true', 'mysql://u:p%2Fw@h:3306/d?parseTime=true', 'go'],
  ['u:p@unix(/run/m.sock)/d', 'mysql://u:p@%2Frun%2Fm.sock/d', 'go'],
  ['{"username":"u","password":"p w","engine":"postgres","host":"h","port":5432,"dbname":"d"}', address, 'json'],
  ['{"username":"u","password":"p","engine":"mysql","host":"h","dbInstanceIdentifier":"x"}', 'mysql://u:p@h', 'json'],
  [`{"DATABASE_URL": "${plain}"}`, plain, 'json'],
  ['mysql -h h -P 3307 -u u -ppw d', 'mysql://u:pw@h:3307/d', 'command'],
  ['mysql --host=h --user=u --password=pw --database d', 'mysql://u:pw@h/d', 'command'],
  ['mariadb -u u -p d', 'mysql://u@localhost/d', 'command'],
]

for (const [text, wanted, part] of forms) {
  test(`reads ${text}`, () => {
    const cleaned = cleanAddress(text)
    assert.equal(cleaned.text, wanted)
    assert.ok(cleaned.repairs.some((repair) => repair.part === part))
  })
}

test('leaves other texts as they are', () => {
  const texts = [
    ...['postgresql://u:p #x@h/d', 'Server=h;Database=d;User Id=u;Password=p', 'mysqldump -u u -ppw d', '{"a":1}'],
    // The word behind -p is the name for the command, and a password for most who write it.
    ...['mysql -h h -u u -p pw d', 'mysql -h h -u u -pp w d', 'mysql -h h -u u -D d -p pw'],
    ...['mysql://u:p@h/d', 'pgsql://u@h/d', 'host=h;x', '{', 'u:p@h/d', 'a=b;host=postgres://u:p@h/d;user=u'],
  ]
  for (const text of texts) assert.equal(cleanAddress(text).text, text)
})

test('finds the variables of templates and the words for nothing in any part', () => {
  const texts = [
    ...['postgresql://u:$(DB_PASSWORD)@h/d', '$(DATABASE_URL)', 'sqlite:///%kernel.project_dir%/var/data.db'],
    ...['postgresql://u:{{ password }}@h/d', "postgresql://u:<%= ENV['P'] %>@h/d", 'mysql://%DB_USER%:p@h/d'],
    ...['postgresql://undefined:p@h/d', 'postgresql://u:undefined@h/d', 'postgresql://u:p@null/d'],
    ...['postgresql://u:p@h:undefined/d', 'postgresql://u:p@h/None', 'postgresql://u:p@h/null?sslmode=require'],
  ]
  for (const text of texts) assert.notEqual(findPlaceholder(text), null, text)
  assert.match(findPlaceholder('postgresql://u:p@$(HOST)/d')?.hint ?? '', /defined later in the list/)
  for (const text of ['postgresql://u:a%20b%20c@h/d', 'postgresql://u:p@nullhost/d', 'sqlite:///a%5Fb%20c.db']) {
    assert.equal(findPlaceholder(text), null, text)
  }
})

test('shows a placeholder only where it cannot be an encoded password', () => {
  const shown = ['postgresql://u:p@%DB_HOST%/d', '%DB_URL%']
  const hidden = [
    'mysql -h h -p q7%A9_8%',
    'mysql://u:%A9_8%@h/d',
    'mysql://h/d?password=%A9_8%',
    'mysql://u@h/d?p=%A9_8%',
  ]
  for (const text of shown) assert.match(findPlaceholder(text)?.text ?? '', /^%DB_\w+%$/, text)
  for (const text of hidden) assert.equal(findPlaceholder(text)?.text, null, text)
})
