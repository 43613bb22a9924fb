/** The key and fingerprint of a change by a node's own code: those of the request that a client would send for it. */
import { Effect } from "effect"
import { originOf } from "../../Http/IdempotencyKey.ts"
import type { Origin } from "../../Machine/Command.ts"
import type { Problem } from "../../Problem.ts"
import { checkKey } from "../Id.ts"
import type { ChangeRequest } from "../Request.ts"

/** So a copy of a change is known for one, whether the first was sent near or far. */
export const originOfChange = (
  { body, headers = {}, method, path }: ChangeRequest,
  key: string | undefined
): Effect.Effect<Origin, Problem> => {
  const bytes = new TextEncoder().encode(body === undefined ? "" : JSON.stringify(body))
  const head = { method, url: path, headers: { ...headers, "idempotency-key": key } }
  return Effect.andThen(key === undefined ? Effect.void : checkKey(key), Effect.fromResult(originOf(head, bytes)))
}
