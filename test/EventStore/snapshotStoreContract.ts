/** What every layer of SnapshotStore must do; run on each of them by snapshotStore.test.ts. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Stream } from "effect"
import type { LogFailed } from "../../src/EventStore/LogStore.ts"
import {
  type OpenSnapshot,
  type Receiving,
  type SnapshotInfo,
  type SnapshotOffer,
  SnapshotStore
} from "../../src/EventStore/SnapshotStore.ts"

const utf8 = new TextEncoder()

/** Bytes that differ everywhere, so that a piece in the wrong place is seen. */
export function bytesOf(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes)
  let state = seed
  for (let at = 0; at < lengthBytes; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

export const write = (index: number, content: Iterable<Uint8Array> = [utf8.encode(`state at ${index}`)]) =>
  Effect.flatMap(SnapshotStore, (store) =>
    store.write({ index, term: 2, configuration: utf8.encode("members"), content })
  )

/** All bytes of an opened snapshot's file, read in chunks as a leader does. */
export const fileOf = Effect.fnUntraced(function* (snapshot: OpenSnapshot, chunkBytes = 1000) {
  const chunks: Array<Uint8Array> = []
  for (let offset = 0; offset < snapshot.info.fileBytes; offset += chunkBytes) {
    chunks.push(yield* snapshot.read({ offset, lengthBytes: chunkBytes }))
  }
  return new Uint8Array(Buffer.concat(chunks))
})

export const contentOf = (snapshot: OpenSnapshot) =>
  Effect.map(Stream.runCollect(snapshot.content), (pieces) => new Uint8Array(Buffer.concat(pieces)))

export const offerOf = ({ index, term, fileBytes, digest }: SnapshotInfo): SnapshotOffer => {
  return { index, term, fileBytes, digest }
}

/** Sends what the receiver lacks. */
export const send = Effect.fnUntraced(function* (receiving: Receiving, file: Uint8Array, chunkBytes = 1000) {
  while (receiving.receivedBytes() < file.length) {
    const offset = receiving.receivedBytes()
    yield* receiving.append({ offset, bytes: file.subarray(offset, offset + chunkBytes) })
  }
})

const opened = Effect.flatMap(SnapshotStore, (store) => store.openNewest())

/** A snapshot of another node, and the bytes of its file. */
export const foreign = (freshLayer: () => Layer.Layer<SnapshotStore, LogFailed>, index: number, content: Uint8Array) =>
  Effect.gen(function* () {
    yield* write(index, [content])
    const snapshot = yield* opened
    return { info: snapshot!.info, file: yield* fileOf(snapshot!) }
  }).pipe(Effect.scoped, Effect.provide(freshLayer(), { local: true }))

export function snapshotStoreContract(name: string, freshLayer: () => Layer.Layer<SnapshotStore, LogFailed>): void {
  describe(`SnapshotStore contract: ${name}`, () => {
    it.live("an empty store has no snapshot", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* (yield* SnapshotStore).list, [])
        assert.isUndefined(yield* opened)
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("a snapshot is read back as it was written: index, term, configuration and content", () =>
      Effect.gen(function* () {
        for (const lengthBytes of [0, 1, 7, 8, 262_144, 262_145, 700_000]) {
          const content = bytesOf(lengthBytes)
          const pieces = [content.subarray(0, 5), new Uint8Array(0), content.subarray(5)]
          const index = 10 + lengthBytes
          const info = yield* write(index, pieces)
          const snapshot = (yield* opened)!
          assert.deepStrictEqual(snapshot.info, info)
          const { configuration, contentBytes, term } = info
          assert.deepStrictEqual(
            { contentBytes, index: info.index, term },
            { contentBytes: lengthBytes, index, term: 2 }
          )
          assert.deepStrictEqual(configuration, utf8.encode("members"))
          assert.deepStrictEqual(yield* contentOf(snapshot), content)
          assert.lengthOf(yield* fileOf(snapshot, 100_000), info.fileBytes)
        }
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("one that may be compressed is read back, and received, as one that is not", () =>
      Effect.gen(function* () {
        const content = Buffer.concat([Buffer.alloc(150_000, "state, "), bytesOf(100_000), Buffer.alloc(70_000)])
        const compressed = Effect.gen(function* () {
          const store = yield* SnapshotStore
          const info = yield* store.write({ index: 9, term: 2, configuration, content: [content], isCompressed: true })
          assert.strictEqual(info.contentBytes, content.length)
          const snapshot = (yield* opened)!
          assert.isTrue(Buffer.from(yield* contentOf(snapshot)).equals(content))
          return { info, file: yield* fileOf(snapshot) }
        })
        const configuration = utf8.encode("members")
        const { file, info } = yield* Effect.provide(Effect.scoped(compressed), freshLayer(), { local: true })
        const receiving = yield* (yield* SnapshotStore).receive(offerOf(info))
        yield* send(receiving, file)
        assert.deepStrictEqual(yield* receiving.finish, info)
        assert.isTrue(Buffer.from(yield* contentOf((yield* opened)!)).equals(content))
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("the digest is SHA-256 of the file but for the trailer's checksum and the digest itself (FORMAT.md)", () =>
      Effect.gen(function* () {
        const info = yield* write(3, [bytesOf(5000)])
        const file = yield* fileOf((yield* opened)!)
        const trailer = file.length - 64
        const digest = createHash("sha256")
          .update(file.subarray(0, trailer))
          .update(file.subarray(trailer + 8, -32))
        assert.strictEqual(info.digest, digest.digest("hex"))
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("equal content in other pieces gives the same digest", () =>
      Effect.gen(function* () {
        const content = bytesOf(600_000)
        const whole = yield* write(3, [content])
        const cut = yield* write(3, [content.subarray(0, 11), content.subarray(11, 400_000), content.subarray(400_000)])
        assert.strictEqual(cut.digest, whole.digest)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("the last two are kept, and an open one stays readable when it is removed", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        yield* write(1)
        const first = (yield* opened)!
        yield* write(2)
        yield* write(3)
        const kept = (yield* store.list).map(({ index }) => index)
        assert.deepStrictEqual(kept, [3, 2])
        assert.deepStrictEqual(yield* contentOf(first), utf8.encode("state at 1"))
        assert.strictEqual((yield* opened)!.info.index, 3)
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("a snapshot that the log does not reach back to is not opened", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        yield* write(7)
        assert.isUndefined(yield* store.openNewest({ atLeastIndex: 8 }))
        assert.strictEqual((yield* store.openNewest({ atLeastIndex: 7 }))?.info.index, 7)
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("a content that ends in a defect leaves no snapshot behind", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const broken = function* () {
          yield bytesOf(300_000)
          throw new Error("the encoder failed")
        }
        assert.strictEqual((yield* Effect.exit(write(5, broken())))._tag, "Failure")
        assert.deepStrictEqual(yield* store.list, [])
        yield* write(5)
        assert.lengthOf(yield* store.list, 1)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a snapshot received in chunks is the one that was sent (C13)", () =>
      Effect.gen(function* () {
        const content = bytesOf(300_000)
        const { file, info } = yield* foreign(freshLayer, 9, content)
        const receiving = yield* (yield* SnapshotStore).receive(offerOf(info))
        yield* send(receiving, file, 70_000)
        assert.isUndefined(yield* opened, "half of a snapshot is none")
        assert.deepStrictEqual(yield* receiving.finish, info)
        const snapshot = (yield* opened)!
        assert.deepStrictEqual(snapshot.info, info)
        assert.deepStrictEqual(yield* contentOf(snapshot), content)
      }).pipe(Effect.scoped, Effect.provide(freshLayer()))
    )

    it.live("a chunk that does not come next changes nothing, and tells which one does (C13)", () =>
      Effect.gen(function* () {
        const { file, info } = yield* foreign(freshLayer, 9, bytesOf(3000))
        const receiving = yield* (yield* SnapshotStore).receive(offerOf(info))
        const chunk = (offset: number) => receiving.append({ offset, bytes: file.subarray(offset, offset + 1000) })
        assert.strictEqual(yield* chunk(1000), 0)
        assert.strictEqual(yield* chunk(0), 1000)
        assert.strictEqual(yield* chunk(0), 1000)
        assert.strictEqual(yield* chunk(2000), 1000)
        yield* send(receiving, file)
        assert.strictEqual((yield* receiving.finish).digest, info.digest)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("the same offer goes on with the intact chunks, another one begins anew (C13)", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const { file, info } = yield* foreign(freshLayer, 9, bytesOf(600_000))
        const other = yield* foreign(freshLayer, 12, bytesOf(3000, 5))
        const first = yield* store.receive(offerOf(info))
        // Half into the second chunk: only the first is known to be intact.
        yield* first.append({ offset: 0, bytes: file.subarray(0, 400_000) })
        const second = yield* store.receive(offerOf(info))
        const resumed = second.receivedBytes()
        assert.isAbove(resumed, 262_144)
        assert.isAtMost(resumed, 400_000)
        const late = yield* Effect.flip(first.append({ offset: 400_000, bytes: file.subarray(400_000) }))
        assert.strictEqual(late._tag, "SnapshotDamaged", "the first is given up")
        yield* send(second, file, 50_000)
        assert.strictEqual((yield* second.finish).digest, info.digest)
        const third = yield* store.receive(offerOf(other.info))
        assert.strictEqual(third.receivedBytes(), 0)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("an offer of a snapshot that is here already is finished at once (C13)", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const info = yield* write(4)
        const receiving = yield* store.receive(offerOf(info))
        assert.strictEqual(receiving.receivedBytes(), info.fileBytes)
        assert.deepStrictEqual(yield* receiving.finish, info)
        assert.lengthOf(yield* store.list, 1)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("a received file that differs from the offer is refused and thrown away (C13)", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const { file, info } = yield* foreign(freshLayer, 9, bytesOf(3000))
        const other = yield* foreign(freshLayer, 9, bytesOf(3000, 5))
        const damaged = file.slice()
        damaged[1500]! ^= 1
        for (const [offer, sent] of [
          [info, damaged],
          [other.info, file],
          [{ ...info, index: 10 }, file],
          [{ ...info, term: 3 }, file]
        ] as const) {
          const receiving = yield* store.receive(offerOf(offer))
          yield* send(receiving, sent)
          assert.strictEqual((yield* Effect.flip(receiving.finish))._tag, "SnapshotDamaged")
          assert.deepStrictEqual(yield* store.list, [])
          const again = yield* store.receive(offerOf(offer))
          assert.strictEqual(again.receivedBytes(), 0)
          yield* again.abort
        }
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("an incomplete snapshot cannot be finished, and a chunk past the offer is not taken (C13)", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const { file, info } = yield* foreign(freshLayer, 9, bytesOf(3000))
        const receiving = yield* store.receive(offerOf(info))
        yield* receiving.append({ offset: 0, bytes: file.subarray(0, 2000) })
        assert.strictEqual((yield* Effect.flip(receiving.finish))._tag, "SnapshotDamaged")
        const past = receiving.append({ offset: 2000, bytes: new Uint8Array(file.length) })
        assert.strictEqual((yield* Effect.flip(past))._tag, "SnapshotDamaged")
        yield* send(receiving, file)
        assert.strictEqual((yield* receiving.finish).digest, info.digest)
      }).pipe(Effect.provide(freshLayer()))
    )

    it.live("an aborted snapshot is gone, and comes again from its beginning (C13)", () =>
      Effect.gen(function* () {
        const store = yield* SnapshotStore
        const { file, info } = yield* foreign(freshLayer, 9, bytesOf(600_000))
        const first = yield* store.receive(offerOf(info))
        yield* first.append({ offset: 0, bytes: file.subarray(0, 400_000) })
        yield* first.abort
        yield* first.abort
        const second = yield* store.receive(offerOf(info))
        assert.strictEqual(second.receivedBytes(), 0)
      }).pipe(Effect.provide(freshLayer()))
    )
  })
}
