// Holdfast below /data of a Fastify application, which reads every body itself.
import fastify from 'fastify'
import { createHoldfast } from 'holdfast'

const holdfast = createHoldfast({ collections: './config/collections' })
const app = fastify()

app.get('/mean', async (request, reply) => {
  const { em } = await holdfast.session(request.raw, reply.raw)
  return await em.execute('select avg(rating) as mean from feedback')
})
app.all('/data/*', (request, reply) => {
  const { raw } = request
  reply.hijack()
  raw.body = request.body
  raw.baseUrl = '/data' // Location and links keep it.
  raw.url = raw.url.slice('/data'.length)
  holdfast.handler(raw, reply.raw)
})
app.setErrorHandler(async (error, request, reply) => {
  if (await holdfast.answerError(request.raw, reply.raw, error)) reply.hijack()
  else reply.send(error)
})

await app.listen({ port: Number(process.env.PORT ?? 3000) })

process.once('SIGTERM', async () => {
  await app.close()
  await holdfast.close()
})
