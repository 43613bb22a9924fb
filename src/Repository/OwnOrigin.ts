/** Where a request of a node's own code comes from. Of a client's request it is HTTP's to say. */
import { Effect } from "effect"
import type { Origin } from "../Machine/Command.ts"
import { isKey, noKey } from "../Machine/RequestKey.ts"
import { Refused } from "./Changed.ts"
import { fingerprintOf } from "./Fingerprint.ts"

/** A request with this text and, if it has one, this key, which is refused as HTTP would refuse it. */
export const ownOrigin = (request: string, key: string | undefined): Effect.Effect<Origin, Refused> => {
  const fingerprint = fingerprintOf(request)
  if (key === undefined) return Effect.succeed({ fingerprint })
  return isKey(key)
    ? Effect.succeed({ key, fingerprint })
    : Effect.fail(new Refused({ rejection: { _tag: "InvalidRequest", errors: [{ path: "key", message: noKey }] } }))
}
