/**
 * Requests that wait, each until its deadline. A sweep takes out those that are overdue, so that no request needs a timer
 * of its own. Owned and synchronous. The caller chooses the clock.
 */

export interface Deadlines<Request> {
  readonly byRequest: Map<Request, number>
  /** No request is overdue before this time. */
  earliestMs: number
}

/** Without any request. */
export const make = <Request>(): Deadlines<Request> => ({
  byRequest: new Map(),
  earliestMs: Number.POSITIVE_INFINITY
})

/** Adds a request that waits until `deadlineMs`, which may be infinite. */
export const add = <Request>(deadlines: Deadlines<Request>, request: Request, deadlineMs: number): void => {
  deadlines.byRequest.set(request, deadlineMs)
  deadlines.earliestMs = Math.min(deadlines.earliestMs, deadlineMs)
}

/** The request waits no longer. Returns whether it did until now. */
export const remove = <Request>(deadlines: Deadlines<Request>, request: Request): boolean =>
  deadlines.byRequest.delete(request)

/** Whether the request still waits. */
export const has = <Request>(deadlines: Deadlines<Request>, request: Request): boolean =>
  deadlines.byRequest.has(request)

/** The requests whose deadline has passed, the oldest first. The caller removes each of them. */
export const overdue = <Request>(deadlines: Deadlines<Request>, nowMs: number): ReadonlyArray<Request> => {
  if (nowMs < deadlines.earliestMs) return []
  const found: Array<Request> = []
  deadlines.earliestMs = Number.POSITIVE_INFINITY
  for (const [request, deadlineMs] of deadlines.byRequest) {
    if (nowMs >= deadlineMs) found.push(request)
    else deadlines.earliestMs = Math.min(deadlines.earliestMs, deadlineMs)
  }
  return found
}
