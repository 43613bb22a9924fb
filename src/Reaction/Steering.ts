/**
 * What an operator may do about an event whose effect fails again and again. Pure. The cluster decides the new record on
 * condition that the old one stands, so that no leader and no other operator is overwritten. Leading.ts goes by it.
 */
import { Data, Result } from "effect"
import { behind, type EventAt, isSameEvent, type Recorded } from "./Position.ts"

/**
 * `skip` gives an event up for ever. `park` puts it aside, so that the events behind it run. `retry` tries an event at
 * once, also one that is parked.
 */
export type Action = "skip" | "park" | "retry"

/** The limit on parked events of one follower. They are in its record, which every step writes anew. */
export const parkedMaxCount = 50

/** An operator's action was refused: nothing has changed. */
export class SteeringRefused extends Data.TaggedError("SteeringRefused")<{
  readonly reason: "unknown" | "elsewhere" | "tooManyParked" | "changing"
}> {
  override get message(): string {
    return details[this.reason]
  }
}

const details: Record<SteeringRefused["reason"], string> = {
  unknown: "There is nothing of this name",
  elsewhere: "It neither stumbles over this event nor has it parked: see where it is now",
  tooManyParked: `${parkedMaxCount} events are parked already: retry or skip some of them first`,
  changing: "Its record keeps changing: try again"
}

/** The record after the action on the event `at`. */
export const steered = (recorded: Recorded, action: Action, at: EventAt): Result.Result<Recorded, SteeringRefused> => {
  const { parked, stumbled } = recorded
  if (stumbled !== undefined && isSameEvent(stumbled, at)) {
    if (action === "retry") {
      return Result.succeed({ ...recorded, stumbled: { ...stumbled, retriesCount: stumbled.retriesCount + 1 } })
    }
    const passed = { ...recorded, position: behind(at), stumbled: undefined }
    if (action === "skip") return Result.succeed(passed)
    if (parked.length >= parkedMaxCount) return Result.fail(new SteeringRefused({ reason: "tooManyParked" }))
    const { retriesCount: _, ...failed } = stumbled
    return Result.succeed({ ...passed, parked: [...parked, { ...failed, isDue: false }] })
  }
  if (!parked.some((each) => isSameEvent(each, at))) return Result.fail(new SteeringRefused({ reason: "elsewhere" }))
  if (action === "skip") {
    return Result.succeed({ ...recorded, parked: parked.filter((each) => !isSameEvent(each, at)) })
  }
  const isDue = action === "retry"
  return Result.succeed({
    ...recorded,
    parked: parked.map((each) => (isSameEvent(each, at) ? { ...each, isDue } : each))
  })
}
