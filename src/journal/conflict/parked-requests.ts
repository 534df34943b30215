import type { Image } from '../../driver/facet/image.ts'
import { requestTable } from '../../driver/facet/requests.ts'
import type { PrimaryRows, Verdict } from '../judge.ts'

const { name: table } = requestTable

type Parked = Extract<Verdict, { is: 'parked' }>

/**
 * The answers of requests whose changes are parked. They were given, so a request that is repeated gets them: carried out once
 * more, it would be done twice when a person settles the conflict.
 */
export function answersOf(parked: readonly Parked[], rows: PrimaryRows): readonly Image[] {
  const answers = new Map<string, Image>()
  for (const { transaction } of parked) {
    for (const { table: name, key, new: image } of transaction.entries) {
      if (name === table && image !== null && rows.get(name, key) === null) answers.set(key, image)
    }
  }
  return [...answers.values()]
}

/** What is left for a person. */
export function withoutAnswers(parked: Parked): Parked {
  return { ...parked, parked: parked.parked.filter(({ entry }) => entry.table !== table) }
}
