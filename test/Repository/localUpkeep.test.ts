/** Which local parts are forgotten in the background, and when none is. D4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Member } from "../../src/Cluster/Member.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { collectParts } from "../../src/Repository/LocalUpkeep.ts"
import { descriptors } from "../Machine/Store.ts"

type Node = ReturnType<Member["Service"]["node"]>

/** A node whose replicated tables, of entry 9, lack the record of a part. */
const start = Effect.gen(function* () {
  const local = { tables: Tables.make(descriptors) }
  const parts = local.tables.byModel.get("User")!.localParts
  parts.set("u1", { createdIndex: 5, version: 1, revision: 1, data: { note: "mine" } })
  let isSuspect = false
  const node = { states: { isSuspect: () => isSuspect } } as unknown as Node
  const member = { tables: { ...Tables.make(descriptors), index: 9 }, node: () => node }
  const suspect = (is: boolean) =>
    Effect.sync(() => {
      isSuspect = is
    })
  yield* Effect.forkScoped(collectParts({ member, local }))
  return { parts, suspect }
})

describe("local parts whose record is gone", () => {
  it.effect("are forgotten", () =>
    Effect.gen(function* () {
      const { parts } = yield* start
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(parts.size, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("stay while the state of the node is suspect: it may be the record that is wrongly missing", () =>
    Effect.gen(function* () {
      const { parts, suspect } = yield* start
      yield* suspect(true)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(parts.size, 1)
      yield* suspect(false)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(parts.size, 0)
    }).pipe(Effect.scoped)
  )
})
