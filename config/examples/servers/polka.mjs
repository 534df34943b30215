// Holdfast below /data of a Polka application.
import { createHoldfast } from 'holdfast'
import polka from 'polka'

const holdfast = createHoldfast({ collections: './config/collections' })

const app = polka({
  onError: async (error, req, res) => {
    if (!(await holdfast.answerError(req, res, error))) res.writeHead(error.status ?? 500).end() // 404 is an error, too.
  },
})
app.get('/mean', async (req, res) => {
  const { em } = await holdfast.session(req, res)
  res.end(JSON.stringify(await em.execute('select avg(rating) as mean from feedback')))
})
app.use('/data', holdfast.handler)

const { server } = app.listen(process.env.PORT ?? 3000)

process.once('SIGTERM', async () => {
  server.close()
  await holdfast.close()
})
