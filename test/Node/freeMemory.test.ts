/** What loading a program has left is collected before a node runs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { freeMemory } from "../../src/Node/FreeMemory.ts"

describe("freeMemory", () => {
  it.live("collects what nobody holds any more, on runtimes that let it", () =>
    Effect.gen(function* () {
      const dropped = new WeakRef({ bytes: new Uint8Array(1024) })
      // What a job has seen of a weak reference lives until its end.
      yield* Effect.yieldNow
      freeMemory()
      if (process.versions.bun === undefined) assert.isUndefined(dropped.deref())
      assert.strictEqual(Reflect.get(globalThis, "gc"), undefined)
    })
  )
})
