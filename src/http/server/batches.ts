import { beginTurn } from '../../database/work/turn.ts'
import type { Exchange } from './exchange.ts'

/**
 * Carries out the requests that arrived in one turn of the event loop one after the other, when all of them are here: they
 * share what is asked once in a turn, and their clients are woken once. Returns what adds one.
 */
export function createBatches(carryOut: (exchange: Exchange) => void): (exchange: Exchange) => void {
  let batch: Exchange[] = []
  const run = () => {
    const exchanges = batch
    batch = []
    beginTurn()
    // The context here is that of the first request.
    for (const exchange of exchanges) exchange.context.runInAsyncScope(carryOut, undefined, exchange)
  }
  return (exchange) => {
    // The check phase comes after the poll phase, in which requests arrive.
    if (batch.push(exchange) === 1) setImmediate(run)
  }
}
