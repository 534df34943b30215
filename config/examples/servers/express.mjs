// Holdfast below /data of an Express application whose bodies are parsed first.
import express from 'express'
import { createHoldfast } from 'holdfast'

const holdfast = createHoldfast({ collections: './config/collections' })
const app = express()

app.use(express.json())
app.get('/mean', async (req, res) => {
  const { em } = await holdfast.session(req, res)
  res.json(await em.execute('select avg(rating) as mean from feedback'))
})
app.use('/data', holdfast.handler)
app.use(async (error, req, res, next) => {
  if (!(await holdfast.answerError(req, res, error))) next(error)
})

const server = app.listen(process.env.PORT ?? 3000)

process.once('SIGTERM', async () => {
  server.close()
  await holdfast.close()
})
