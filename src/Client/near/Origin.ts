/**
 * The key and fingerprint of a change by a node's own code: those of the request that a client would send for it. And the
 * span around it, so that a change by a traced route is a part of its trace.
 */
import { Effect } from "effect"
import { originOf } from "../../Http/IdempotencyKey.ts"
import { currentTrace } from "../../Http/RequestSpan.ts"
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
  return Effect.flatMap(key === undefined ? currentTrace : Effect.andThen(checkKey(key), currentTrace), (trace) =>
    Effect.fromResult(originOf({ ...head, ...trace }, bytes))
  )
}
