/** Large entries are read once for all followers, and never as they were before an erasure. docs/guarantees.md. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Entry } from "../../src/Changes/Change.ts"
import { reading, stepMaxCount } from "../../src/Changes/Log.ts"
import type { Event } from "../../src/Machine/Event.ts"

const entryOf = (isErased: boolean): Entry => {
  const eventOf = (id: string): Event => ({
    type: "created",
    model: "Page",
    modelVersion: 1,
    id,
    version: 1,
    previousIndex: 0,
    ...(isErased ? { data: {}, erased: true } : { data: { id } })
  })
  const events = Array.from({ length: stepMaxCount + 1 }, (_, at) => eventOf(`p${at}`))
  return { index: 1, transaction: { timeMs: 1, logAgeMs: 0, command: "X", events, outcome: { _tag: "Accepted" } } }
}

/** A log of one large entry, and how often it was read. */
const make = Effect.gen(function* () {
  const state = { erasedIndex: 0, readCount: 0, eraseWhileReading: false }
  const { read } = yield* reading(
    {
      oldestIndex: () => 1,
      appliedIndex: () => 1,
      isPlace: () => true,
      applied: () => Effect.never,
      read: () =>
        Effect.sync(() => {
          state.readCount += 1
          const entry = entryOf(state.erasedIndex > 0)
          if (state.eraseWhileReading) state.erasedIndex = 2
          return [entry]
        })
    },
    () => state.erasedIndex
  )
  const hasData = Effect.map(read({ fromIndex: 1, maxBytes: 1 }), ([entry]) =>
    entry!.transaction!.events.some(({ erased }) => erased !== true)
  )
  return { state, hasData }
})

it.effect("followers share a large entry until one of its records is erased", () =>
  Effect.gen(function* () {
    const { hasData, state } = yield* make
    assert.deepStrictEqual([yield* hasData, yield* hasData, state.readCount], [true, true, 1])
    state.erasedIndex = 2
    assert.deepStrictEqual([yield* hasData, yield* hasData, state.readCount], [false, false, 2])
  })
)

it.effect("an entry that was read while an erasure came is not kept", () =>
  Effect.gen(function* () {
    const { hasData, state } = yield* make
    state.eraseWhileReading = true
    yield* hasData
    assert.isFalse(yield* hasData)
  })
)
