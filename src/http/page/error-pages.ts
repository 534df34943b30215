import { type ErrorCode, errorCatalogue, HoldfastError } from '../../errors.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { mountPrefixOf } from '../server/mount.ts'

/** Adds `/errors/:code`, the `type` of every error response: what the code means and what to do. */
export function addErrorPages(app: App): void {
  app.get('/errors/:code', (req, res) => {
    const code = req.params.code ?? ''
    if (!isErrorCode(code)) throw new HoldfastError('ROUTE_NOT_FOUND', { detail: 'No error has this code.' })
    const { status, title, hint } = errorCatalogue[code]
    sendJson(res, 200, JSON.stringify({ type: `${mountPrefixOf(req)}/errors/${code}`, code, status, title, hint }), {
      'Cache-Control': 'public, max-age=3600',
    })
  })
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code)
}
