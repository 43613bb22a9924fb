/**
 * Which events of an entry a projection into SQL applies, and which operators have taken away. Pure. All events of an
 * entry show in the rows together, unless one of them was taken away: then those before it and those behind it are two
 * steps, and the position between them says which event is left out.
 */
import type { Event } from "../Projection/Event.ts"
import { behind, type EventAt, isAfter, isSameEvent, type Position, type Recorded } from "../Reaction/Position.ts"

/** Events that one transaction applies, and the position behind them. */
export interface Step {
  readonly events: ReadonlyArray<Event>
  readonly to: Position
  /** The event right before `to` that an operator has put aside, to be tried again later. */
  readonly parked: EventAt | undefined
}

/** The event that an operator took away last, if the rows do not pass it yet. */
export const takenAway = ({ position: recorded }: Recorded, position: Position): EventAt | undefined => {
  if (recorded === undefined || recorded.count === 0) return undefined
  const event = { index: recorded.index + 1, ordinal: recorded.count - 1 }
  return isAfter(event, position) ? event : undefined
}

/** The steps from `position` to the end of an entry. None if the entry has no event to apply. */
export const stepsOf = (
  entry: { readonly index: number; readonly events: ReadonlyArray<Event> },
  position: Position,
  recorded: Recorded
): ReadonlyArray<Step> => {
  const doneCount = position.index + 1 === entry.index ? position.count : 0
  const skipped = takenAway(recorded, position)
  const steps: Array<Step> = []
  let events: Array<Event> = []
  for (const event of entry.events) {
    if (event.ordinal < doneCount) continue
    const isParked = recorded.parked.some((each) => isSameEvent(each, event))
    if (isParked || (skipped !== undefined && isSameEvent(skipped, event))) {
      const { index, ordinal } = event
      steps.push({ events, to: behind(event), parked: isParked ? { index, ordinal } : undefined })
      events = []
    } else events.push(event)
  }
  if (events.length > 0 || steps.length > 0)
    steps.push({ events, to: { index: entry.index, count: 0 }, parked: undefined })
  return steps
}
