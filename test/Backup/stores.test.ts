/** Both stores hold the same contract: a directory of this disk, and a bucket of a real server in its own process. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { inDirectory } from "../../src/Backup/DirectoryStore.ts"
import { type ObjectStore, StoreFailed } from "../../src/Backup/ObjectStore.ts"
import { inBucket, type S3Options } from "../../src/Backup/S3Store.ts"
import { textsOf } from "../../src/Backup/S3Xml.ts"
import { directory } from "../Raft/core/Members.ts"
import { bucket, credentials, startS3 } from "../support/S3Server.ts"

const s3 = (options: S3Options, pageCount?: number) =>
  Effect.map(Layer.build(FetchHttpClient.layer), (context) =>
    inBucket(options, Context.get(context, HttpClient.HttpClient), pageCount)
  )

/** Bytes that differ at every place, in pieces of odd sizes. */
const drawn = (lengthBytes: number) => {
  const bytes = new Uint8Array(lengthBytes)
  for (let at = 0; at < lengthBytes; at++) bytes[at] = (at * 31 + (at >>> 8)) & 0xff
  return bytes
}
const pieces = (bytes: Uint8Array) =>
  Stream.fromIterable(
    (function* () {
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 3 + 7) % 700_001) {
        yield bytes.subarray(at, at + size)
      }
    })()
  )
const read = (store: ObjectStore["Service"], name: string) =>
  Effect.map(Stream.runCollect(store.get(name)), (parts) => Buffer.concat(parts))

for (const [name, made] of [
  ["a directory", Effect.map(directory, (root) => inDirectory(join(root, "store")))],
  [
    "a bucket",
    Effect.flatMap(startS3, ({ endpoint }) => s3({ bucket, prefix: "some/where", endpoint, ...credentials }, 3))
  ]
] as const) {
  describe(`${name} as a store`, () => {
    it.live("holds whole objects by folder, small ones and large ones, until they are removed", () =>
      Effect.gen(function* () {
        const store = yield* made
        assert.deepStrictEqual(yield* store.folders, [])
        assert.deepStrictEqual(yield* store.list("c1"), [])
        yield* store.sweep("c1")
        // Parts of 8 MiB: less than one, one exactly, and two with a rest.
        for (const lengthBytes of [0, 1, 8 * 1024 * 1024, 17 * 1024 * 1024 + 13]) {
          const bytes = drawn(lengthBytes)
          assert.strictEqual(yield* store.put(`c1/${lengthBytes}.x`, pieces(bytes)), lengthBytes)
          assert.isTrue((yield* read(store, `c1/${lengthBytes}.x`)).equals(bytes), `${lengthBytes} bytes`)
        }
        yield* store.put("c2/only", Stream.succeed(drawn(3)))
        yield* store.put("c2/only", Stream.succeed(drawn(4)))
        assert.strictEqual((yield* read(store, "c2/only")).length, 4)
        assert.deepStrictEqual((yield* store.folders).toSorted(), ["c1", "c2"])
        assert.deepStrictEqual(yield* store.list("c1"), ["0.x", "1.x", "17825805.x", "8388608.x"])
        // The second time, and in a folder that never was, it is gone already.
        for (const gone of ["c1/1.x", "c1/1.x", "c3/x"]) yield* store.remove(gone)
        assert.deepStrictEqual(yield* store.list("c1"), ["0.x", "17825805.x", "8388608.x"])
        assert.instanceOf(yield* Effect.flip(read(store, "c1/1.x")), StoreFailed)
      }).pipe(Effect.scoped)
    )

    it.live("holds nothing of an object whose bytes fail, at its beginning or far into it", () =>
      Effect.gen(function* () {
        const store = yield* made
        for (const lengthBytes of [10, 9 * 1024 * 1024]) {
          const cut = Stream.concat(pieces(drawn(lengthBytes)), Stream.fail("cut"))
          assert.strictEqual(yield* Effect.flip(store.put("c1/x", cut)), "cut")
        }
        assert.deepStrictEqual(yield* store.list("c1"), [])
      }).pipe(Effect.scoped)
    )

    it.live("holds an object as a whole that two write at once", () =>
      Effect.gen(function* () {
        const store = yield* made
        const [begin, rest] = [drawn(300_000), drawn(200_000)]
        const other = Effect.asVoid(store.put("c1/x", pieces(drawn(100_000))))
        const meanwhile = Stream.drain(Stream.fromEffect(other))
        yield* store.put("c1/x", Stream.concat(Stream.concat(pieces(begin), meanwhile), pieces(rest)))
        assert.deepStrictEqual(yield* read(store, "c1/x"), Buffer.concat([begin, rest]))
        assert.deepStrictEqual(yield* store.list("c1"), ["x"])
      }).pipe(Effect.scoped)
    )

    it.live("lists more objects than one answer holds", () =>
      Effect.gen(function* () {
        const store = yield* made
        const names = Array.from({ length: 10 }, (_, at) => `${String(at).padStart(5, "0")}.x`)
        yield* Effect.forEach(names, (each) => store.put(`c1/${each}`, Stream.succeed(drawn(1))), { concurrency: 16 })
        assert.deepStrictEqual(yield* store.list("c1"), names)
      }).pipe(Effect.scoped)
    )
  })
}

describe("a directory as a store", () => {
  it.live("shows no file that is still being written, and removes what was left of one", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const store = inDirectory(root)
      mkdirSync(join(root, "c1"))
      writeFileSync(join(root, "c1/x.part"), "half")
      writeFileSync(join(root, "c1/y"), "whole")
      assert.deepStrictEqual(yield* store.list("c1"), ["y"])
      yield* store.sweep("c1")
      assert.deepStrictEqual(readdirSync(join(root, "c1")), ["y"])
    }).pipe(Effect.scoped)
  )
})

describe("a bucket as a store", () => {
  it.live("refuses a wrong secret at once, and says why", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* startS3
      const store = yield* s3({ bucket, endpoint, accessKeyId: "S3RVER", secretAccessKey: "wrong" })
      const failed = yield* Effect.flip(store.put("c1/x", Stream.succeed(drawn(9))))
      assert.include(failed.message, "403 SignatureDoesNotMatch")
      const nowhere = yield* s3({ bucket: "other", endpoint, ...credentials })
      assert.include((yield* Effect.flip(nowhere.list("c1"))).message, "404 NoSuchBucket")
    }).pipe(Effect.scoped)
  )

  it.live("that cannot be reached fails, after a few tries, and leaves no request behind", () =>
    Effect.gen(function* () {
      const store = yield* s3({ bucket, endpoint: "http://127.0.0.1:9", ...credentials })
      const failed = yield* Effect.exit(store.list("c1"))
      assert.isTrue(Exit.isFailure(failed))
    }).pipe(Effect.scoped)
  )

  it("reads the elements of answers, with their entities", () => {
    const xml =
      '<?xml version="1.0"?><R xmlns="u"><C><Key>a&amp;b&#39;&#x41;</Key></C><C><Key>&lt;</Key></C><KeyCount>2</KeyCount></R>'
    assert.deepStrictEqual(
      textsOf(xml, "C").flatMap((each) => textsOf(each, "Key")),
      ["a&b'A", "<"]
    )
    assert.deepStrictEqual(textsOf(xml, "KeyCount"), ["2"])
    assert.deepStrictEqual(textsOf("no answer", "Key"), [])
  })
})
