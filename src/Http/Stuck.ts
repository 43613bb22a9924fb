/** Cuts off clients that stop reading a long answer: what the answer is made of would stay in memory as long as they like. */
import { Effect, type Scope, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"

/** A client that takes nothing for so long is cut off. */
export const stuckMaxMs = 60_000

/** Since when the client has been taking a piece; undefined while the answer waits for what comes next. */
export interface Taking {
  sinceMs: number | undefined
}

/** Closes the connection of a client that has stopped reading. Other platforms than `node:http` have their own limits. */
export const cutWhenStuck = (taking: Taking, request: HttpServerRequest.HttpServerRequest): Effect.Effect<void> => {
  const { response } = request as { readonly response?: { readonly destroy?: () => void } }
  if (typeof response?.destroy !== "function") return Effect.void
  const look = Effect.map(monotonicMs, (nowMs) => nowMs - (taking.sinceMs ?? nowMs) >= stuckMaxMs)
  return Effect.sleep(stuckMaxMs / 4).pipe(
    Effect.andThen(look),
    Effect.repeat({ until: (isStuck) => isStuck }),
    Effect.andThen(Effect.sync(() => response.destroy?.()))
  )
}

/** The bytes of an answer whose parts are soon made: the client that asked is cut off when it takes none for a minute. */
export const takenInTime = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Stream.Stream<Uint8Array, E>, never, Scope.Scope> => {
  const taking: Taking = { sinceMs: undefined }
  const given = Effect.map(monotonicMs, (nowMs) => {
    taking.sinceMs = nowMs
  })
  return Effect.as(
    Effect.forkScoped(cutWhenStuck(taking, request)),
    Stream.tap(bytes, () => given)
  )
}
