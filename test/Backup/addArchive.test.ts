/** An operator's own backup in a store of scheduled ones, on real files: also if its bytes are cut on their way. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { addArchive } from "../../src/Backup/AddArchive.ts"
import { inDirectory } from "../../src/Backup/DirectoryStore.ts"
import { encodeManifest } from "../../src/Backup/Manifest.ts"
import { makeArchiveEncoder } from "../../src/EventStore/ArchiveFormat.ts"
import { directory } from "../Raft/core/Members.ts"

const last = { index: 7, term: 1, timeMs: 9 }
const encoder = makeArchiveEncoder()
const parts = [
  encoder.begin(
    encodeManifest({
      clusterId: "c1",
      formerClusterIds: [],
      nodeId: "a",
      takenAtMs: 10,
      snapshot: { index: 7, term: 1 },
      previous: { index: 7, term: 1 },
      last,
      stateHash: "",
      stateHashDefinition: 0,
      members: [],
      models: []
    })
  ),
  encoder.snapshot(new Uint8Array(5_000).fill(1)),
  encoder.end()
]
const whole = Stream.fromIterable(parts)
const cut = Stream.fromIterable(parts.slice(0, 2))

describe("an archive that is added to a store", () => {
  it.live("is named by its manifest, and whole", () =>
    Effect.gen(function* () {
      const store = inDirectory(yield* directory)
      const { name, pieces } = yield* addArchive(store, whole)
      assert.deepStrictEqual([name], [`c1/${(yield* store.list("c1"))[0]}`])
      yield* Stream.runDrain(pieces)
    }).pipe(Effect.scoped)
  )

  it.live("is not there if its bytes were cut", () =>
    Effect.gen(function* () {
      const store = inDirectory(yield* directory)
      for (const bytes of [cut, Stream.empty]) {
        assert.strictEqual((yield* Effect.flip(addArchive(store, bytes)))._tag, "ArchiveDamaged")
      }
      assert.deepStrictEqual(yield* store.list("c1"), [])
    }).pipe(Effect.scoped)
  )

  it.live("takes the place of none, so that cut bytes cost no backup that is whole", () =>
    Effect.gen(function* () {
      const store = inDirectory(yield* directory)
      yield* addArchive(store, whole)
      const { pieces } = yield* addArchive(store, cut)
      yield* Stream.runDrain(pieces)
    }).pipe(Effect.scoped)
  )
})
