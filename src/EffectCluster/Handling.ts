/** What the handlers of this room share. */
import { Effect } from "effect"
import {
  type ListOptions,
  listMax,
  type ModelClass,
  type NotFound,
  type OperationRefused,
  type Row,
  Transaction
} from "../Command/Transaction.ts"
import type { IdOf } from "../Model/Class.ts"

/** In a handler, the age of the log in ms: it counts only while the cluster runs, and no jump of a wall clock moves it. */
export const logAgeMs: Effect.Effect<number> = Effect.clockWith((clock) =>
  Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n))
)

/** Every record of a model that has these values, in the order of the ids, or the first of them. */
export const everyRow = Effect.fnUntraced(function* <
  M extends ModelClass & (new (...args: never) => { readonly id: string })
>(model: M, where?: ListOptions<M>["where"], maxCount = Number.POSITIVE_INFINITY) {
  const transaction = yield* Transaction
  const rows: Array<Row<M>> = []
  for (;;) {
    const after = (rows.at(-1) as { readonly id: IdOf<M> } | undefined)?.id
    const limit = Math.min(listMax, maxCount - rows.length)
    const page = yield* transaction.list(model, {
      limit,
      ...(where === undefined ? {} : { where }),
      ...(after === undefined ? {} : { after })
    })
    rows.push(...page)
    if (page.length < limit || rows.length === maxCount) return rows
  }
})

/** The handlers of this room never break a rule of its models. */
export const orDie = <A, E extends NotFound | OperationRefused, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, never, R> => Effect.orDie(effect)
