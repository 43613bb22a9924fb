/**
 * Requests that wait, each until its deadline. A sweep takes out those that are overdue, so that no request needs a timer
 * of its own. Owned and synchronous. The caller chooses the clock.
 */
import { InFlight } from "./InFlight.ts"

export interface Deadlines<Request> {
  /** By the number that each got. */
  readonly waiting: InFlight<{ readonly request: Request; readonly deadlineMs: number }>
  nextNumber: number
  /** No request is overdue before this time. */
  earliestMs: number
}

/** Without any request. */
export const make = <Request>(): Deadlines<Request> => ({
  waiting: new InFlight(),
  nextNumber: 1,
  earliestMs: Number.POSITIVE_INFINITY
})

/** Adds a request that waits until `deadlineMs`, which may be infinite. Returns the number by which it is known here. */
export const add = <Request>(deadlines: Deadlines<Request>, request: Request, deadlineMs: number): number => {
  const number = deadlines.nextNumber++
  deadlines.waiting.set(number, { request, deadlineMs })
  deadlines.earliestMs = Math.min(deadlines.earliestMs, deadlineMs)
  return number
}

/** The request waits no longer. Returns whether it did until now. */
export const remove = <Request>(deadlines: Deadlines<Request>, number: number): boolean =>
  deadlines.waiting.delete(number)

/** Whether the request still waits. */
export const has = <Request>(deadlines: Deadlines<Request>, number: number): boolean => deadlines.waiting.has(number)

/** The requests whose deadline has passed, the oldest first. The caller removes each of them. */
export const overdue = <Request>(
  deadlines: Deadlines<Request>,
  nowMs: number
): ReadonlyArray<{ readonly number: number; readonly request: Request }> => {
  if (nowMs < deadlines.earliestMs) return []
  const found: Array<{ readonly number: number; readonly request: Request }> = []
  deadlines.earliestMs = Number.POSITIVE_INFINITY
  for (const [number, { deadlineMs, request }] of deadlines.waiting.entries()) {
    if (nowMs >= deadlineMs) found.push({ number, request })
    else deadlines.earliestMs = Math.min(deadlines.earliestMs, deadlineMs)
  }
  return found
}
