/** One line of the service's JSON log. */
export interface LogLine {
  readonly level: string | number
  readonly event?: string
  readonly msg?: string
  readonly [key: string]: unknown
}

/** The lines of a text that are JSON objects; all else (a half line at the end, a warning of Node's) is left out. */
export function parseLog(text: string): LogLine[] {
  const lines: LogLine[] = []
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue
    try {
      lines.push(JSON.parse(line))
    } catch {
      // Not whole yet, or not ours.
    }
  }
  return lines
}

/** The lines of one event. */
export function eventsOf(lines: readonly LogLine[], event: string): LogLine[] {
  return lines.filter((line) => line.event === event)
}

/** The port that the service says it listens on; null before it does. */
export function listeningPort(lines: readonly LogLine[]): number | null {
  const port = lines.findLast((one) => one.event === 'http.listening')?.port
  return typeof port === 'number' ? port : null
}
