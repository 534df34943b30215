import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const candidates = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  chromium.executablePath(),
]

const executablePath = candidates.find((path) => path !== undefined && existsSync(path))

/** Why tests in a browser are skipped; false: they run. */
export const noChromium: string | false =
  executablePath === undefined ? 'no Chromium is installed (CHROMIUM_PATH names one)' : false

/** Starts Chromium. To be closed after the tests. */
export function launchChromium(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage']
  return chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }), args })
}
