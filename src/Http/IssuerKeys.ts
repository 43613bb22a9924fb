/**
 * The public keys of an issuer of tokens. They are fetched again from time to time, beside the requests: while the issuer
 * cannot be reached, the keys that a node has go on for a day. docs/access.md, "Tokens".
 */
import * as Effect from "effect/Effect"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { OutsideWork } from "./OutsideWork.ts"

/** A key set that `jose` has made for a URL (RFC 7517). */
export interface RemoteKeySet {
  /** Fetches the keys. Without an answer those that are there remain. */
  readonly reload: () => Promise<void>
}

/** Keys are fetched again after so long. A key that the issuer has withdrawn counts no longer than this, while it answers. */
const refreshMs = 10 * 60_000
/** After a failure, they are tried again after so long. */
const retryMs = 30_000
/** And so soon while there are no keys to go on with: each request would be a fetch otherwise. */
const firstRetryMs = 1_000
/** Keys are believed for so long while the issuer does not answer. */
export const staleMaxMs = 24 * 3_600_000

/** Says that there are keys to check a token with. Fails with the reason if there are none, or none that may be believed. */
export const make = (issuer: string, keys: RemoteKeySet): Effect.Effect<void, unknown> => {
  let fetchedMs: number | undefined
  let triedMs = Number.NEGATIVE_INFINITY
  let failure: unknown
  const fetch = (nowMs: number): Promise<void> => {
    triedMs = nowMs
    failure = undefined
    return keys.reload().then(
      () => {
        fetchedMs = nowMs
      },
      (reason: unknown) => {
        failure = reason
        throw reason
      }
    )
  }
  return Effect.gen(function* () {
    const nowMs = yield* monotonicMs
    const outside = yield* OutsideWork
    if (fetchedMs === undefined || nowMs - fetchedMs > staleMaxMs) {
      if (failure !== undefined && nowMs - triedMs < firstRetryMs) return yield* Effect.fail(failure)
      return yield* Effect.tryPromise({ try: () => outside.during(fetch(nowMs)), catch: (reason) => reason })
    }
    if (nowMs - fetchedMs < refreshMs || nowMs - triedMs < retryMs) return
    if (failure !== undefined) {
      const minutes = Math.round((nowMs - fetchedMs) / 60_000)
      yield* Effect.logWarning(
        `The keys of ${issuer} cannot be fetched: those of ${minutes} minutes ago go on for a day`,
        failure
      )
    }
    // Its failure is kept for the next request.
    fetch(nowMs).catch(() => {})
  })
}
