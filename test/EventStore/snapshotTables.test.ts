/** A snapshot of tables, from the machine through the store and back, while the machine goes on. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Result, Stream } from "effect"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile } from "../../src/EventStore/Snapshots.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { descriptors, leader } from "../Machine/Store.ts"

it.live("tables taken while writes go on are restored as they were, and the log goes on from there (D5, §7)", () =>
  Effect.gen(function* () {
    const { entries, machine, submit } = leader()
    const put = (id: number, email: string) =>
      submit({ _tag: "Put", model: "User", id: `u${id}`, data: { email, tags: { text: "x".repeat(200) } }, key: email })
    for (let id = 0; id < 4000; id++) put(id, `a${id}`)
    const { index } = machine.applied
    const hash = Tables.stateHash(machine.applied)
    const clone = Tables.clone(machine.applied)

    const store = yield* SnapshotStore
    const content = Snapshot.encode(Snapshot.take(clone))
    let isWritten = false
    let writes = 0
    const writing = Effect.gen(function* () {
      while (!isWritten) {
        put(writes % 4000, `b${writes++}`)
        yield* Effect.yieldNow
      }
    })
    const taking = Effect.andThen(
      store.write({ index, term: 1, configuration: new Uint8Array(0), content }),
      Effect.sync(() => {
        isWritten = true
      })
    )
    yield* Effect.all([writing, taking], { concurrency: 2 })
    assert.isAbove(writes, 5, "others run while a snapshot is taken")

    const opened = (yield* store.openNewest())!
    const restoring = Snapshot.restoring(descriptors)
    yield* Stream.runForEach(opened.content, (bytes) => Effect.sync(() => restoring.take(bytes)))
    const restored = Result.getOrThrow(restoring.end())
    assert.strictEqual(restored.index, opened.info.index)
    assert.strictEqual(Tables.stateHash(restored), hash)
    assert.strictEqual(restored.sessions.size, 4000)

    const follower: Machine.Machine = { ...Machine.make([]), applied: restored }
    for (const entry of entries) if (entry.index > restored.index) Machine.apply(follower, entry)
    assert.strictEqual(Tables.stateHash(follower.applied), Tables.stateHash(machine.applied))
  }).pipe(Effect.scoped, Effect.provide(layerFile({ directory: mkdtempSync(join(tmpdir(), "lithair-tables-")) })))
)
