import { type Fault, FaultError, type FaultKind } from '../fault.ts'

/** Causes that are looked into; more of them are a mistake or a trick. */
const chainMax = 8

/**
 * The first fault in the chain of an error's causes, outermost first: the one that a link carries already, else what
 * `read` returns for the link. Null when there is none. Total, whatever was thrown: a value whose own getters throw has
 * no fault.
 */
export function readError(error: unknown, read: (link: object) => Fault | null): Fault | null {
  try {
    for (const link of chainOf(error)) {
      const fault = carriedBy(link) ?? read(link)
      if (fault !== null) return fault
    }
  } catch {
    // Nothing more can be known of it.
  }
  return null
}

/** A fault of the driver's own making, ready to throw. */
export function faultError(
  kind: FaultKind,
  code: string,
  summary: string,
  hint: string,
  more: { readonly cause?: unknown; readonly ambiguous?: boolean } = {},
): FaultError {
  return new FaultError({ kind, code, summary, hint, ambiguous: more.ambiguous ?? false, cause: more.cause ?? null })
}

function chainOf(error: unknown): readonly object[] {
  const chain: object[] = []
  let link = error
  while (typeof link === 'object' && link !== null && chain.length < chainMax && !chain.includes(link)) {
    chain.push(link)
    link = 'cause' in link ? link.cause : undefined
  }
  return chain
}

/** By its shape, not only by its class: MikroORM's exceptions copy the members of what they wrap. */
function carriedBy(link: object): Fault | null {
  const known: unknown = 'fault' in link ? link.fault : null
  if (typeof known !== 'object' || known === null) return null
  const { kind, code, ambiguous } = known as Partial<Fault> // Read member by member, each checked.
  const isFault = typeof kind === 'string' && typeof code === 'string' && typeof ambiguous === 'boolean'
  return isFault ? (known as Fault) : null // Its shape was just checked.
}
