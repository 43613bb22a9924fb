/** Restricts a live query to what its caller may read. Pure. */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { setsOf } from "../Access/Rule.ts"
import { filtersOf } from "../Machine/Guard.ts"
import { type AccessDenied, type Judging, notFollowed, readReach } from "../Repository/Reading.ts"
import type { LiveRequest } from "./LiveRequest.ts"

/**
 * The query with the reach of its caller as more filters: a record that the caller may read no longer leaves its pages.
 * Refused if the reach has several branches, or if a set that may change is part of it.
 */
export const restricted = (
  now: Judging,
  caller: Caller,
  request: LiveRequest
): Result.Result<LiveRequest, AccessDenied> => {
  const { access, name } = request.descriptor
  return Result.flatMap(
    readReach(now, caller, request.descriptor),
    (reach): Result.Result<LiveRequest, AccessDenied> => {
      if (reach === undefined) return Result.succeed(request)
      const [branch, second] = filtersOf(reach)
      const hasSets = access !== undefined && setsOf(access.actions.read).length > 0
      if (branch === undefined || second !== undefined || hasSets) return Result.fail(notFollowed(name))
      return Result.succeed({ ...request, filters: [...request.filters, ...branch] })
    }
  )
}
