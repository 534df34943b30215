// Holdfast below /data of a server of Node's own, next to its own handlers.
import { createServer } from 'node:http'
import { createHoldfast } from 'holdfast'

const holdfast = createHoldfast({ collections: './config/collections' })

const server = createServer(async (req, res) => {
  if (req.url.startsWith('/data/')) {
    req.baseUrl = '/data' // Location and links keep it.
    req.url = req.url.slice('/data'.length)
    return holdfast.handler(req, res)
  }
  if (req.url !== '/mean') return res.writeHead(404).end()
  try {
    const { em } = await holdfast.session(req, res)
    res.end(JSON.stringify(await em.execute('select avg(rating) as mean from feedback')))
  } catch (error) {
    // 503 when no database is reachable, 409 for a row that breaks a rule: as Holdfast's own routes answer.
    if (!(await holdfast.answerError(req, res, error))) res.writeHead(500).end()
  }
})

server.listen(process.env.PORT ?? 3000)

process.once('SIGTERM', async () => {
  server.close()
  await holdfast.close()
})
