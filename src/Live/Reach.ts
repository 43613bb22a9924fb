/** Restricts a live query to the records that its caller may read, and to the fields that it sees. Pure. */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { setsOf } from "../Access/Rule.ts"
import { errorsOfAsked, unseenBy } from "../Machine/Seen.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { AccessDenied, type Judging, readReach } from "../Repository/Reading.ts"
import type { LiveRequest } from "./LiveRequest.ts"

/**
 * The query as its caller may ask it, by the sets that the caller has now. Refused if it names a field that the caller
 * does not see.
 */
export const restricted = (
  now: Judging,
  caller: Caller,
  request: LiveRequest
): Result.Result<LiveRequest, AccessDenied> => {
  const { descriptor, select } = request
  const unseen = unseenBy(now.policy, caller, descriptor)
  const errors = errorsOfAsked(unseen, request)
  if (errors.length > 0) return Result.fail(new AccessDenied({ rejection: { _tag: "InvalidRequest", errors } }))
  const seen = () => Object.keys(descriptor.fields).filter((field) => !unseen.includes(field))
  return Result.map(readReach(now, caller, descriptor), (reach) => ({
    ...request,
    reach,
    select: unseen.length === 0 ? select : (select ?? seen())
  }))
}

/** Whether what the caller may read depends on records of the cluster, and so may change while the query is open. */
export const hasSets = ({ access }: Pick<Descriptor, "access">): boolean =>
  access !== undefined && setsOf(access.actions.read).length > 0
