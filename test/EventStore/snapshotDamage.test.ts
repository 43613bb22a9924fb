/** A snapshot's bytes: the worked example, damage of every kind, and what a stop at any point leaves in the directory. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { compress, type Stored } from "../../src/EventStore/Compression.ts"
import type { LogFailed } from "../../src/EventStore/LogStore.ts"
import { makeEncoder, SNAPSHOT_CHUNK_BYTES, snapshotName } from "../../src/EventStore/SnapshotFormat.ts"
import { content, verify } from "../../src/EventStore/SnapshotReader.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile } from "../../src/EventStore/Snapshots.ts"
import { bytesOf, contentOf, foreign, offerOf, send, write } from "./snapshotStoreContract.ts"

const utf8 = new TextEncoder()

/** The file of a snapshot with these chunks: of version 2 with chunks as they are stored. */
function encoded(
  configuration: Uint8Array,
  chunks: ReadonlyArray<Uint8Array>,
  stored?: ReadonlyArray<Stored>
): Uint8Array {
  const encoder = makeEncoder({ index: 5, term: 2, configuration }, stored === undefined ? 1 : 2)
  const parts = [
    encoder.header,
    ...chunks.map((chunk, at) => encoder.chunk(chunk, stored?.[at])),
    encoder.end().trailer
  ]
  return new Uint8Array(Buffer.concat(parts))
}

const verdictOf = (file: Uint8Array) =>
  verify(({ offset, lengthBytes }) => Effect.succeed(file.subarray(offset, offset + lengthBytes)))

describe("a snapshot's bytes (FORMAT.md)", () => {
  const small = encoded(utf8.encode("members"), [bytesOf(21), bytesOf(8, 2), bytesOf(1, 3)])

  it("the code writes the worked example of FORMAT.md", () => {
    const document = readFileSync(new URL("../../src/EventStore/FORMAT.md", import.meta.url), "utf8")
    const lines = document.split("```hex snapshot\n")[1]!.split("```")[0]!.trim().split("\n")
    const hex = lines.map((line) => line.slice(6).replaceAll(" ", "")).join("")
    const file = encoded(utf8.encode("abc"), [utf8.encode("hello")])
    assert.strictEqual(Buffer.from(file).toString("hex"), hex)
  })

  const chunks = [new Uint8Array(60_000).fill(7), bytesOf(8, 2)]
  const compressed = Effect.map(Effect.forEach(chunks, compress), (stored) =>
    encoded(utf8.encode("members"), chunks, stored)
  )

  it.live("compressed chunks take little room, and every flipped bit of them is refused", () =>
    Effect.gen(function* () {
      const file = yield* compressed
      assert.isBelow(file.length, 400)
      const verdict = yield* verdictOf(file)
      assert.strictEqual(verdict._tag === "Intact" ? verdict.info.contentBytes : 0, 60_008)
      const read = content("name", ({ offset, lengthBytes }) =>
        Effect.succeed(file.subarray(offset, offset + lengthBytes))
      )
      const found = Buffer.concat(yield* Stream.runCollect(read))
      assert.isTrue(found.equals(Buffer.concat(chunks)))
      for (let bit = 0; bit < file.length * 8; bit++) {
        const bytes = file.slice()
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        assert.strictEqual((yield* verdictOf(bytes))._tag, "Damaged", `bit ${bit}`)
      }
    })
  )

  it.effect("every flipped bit is refused, and nothing before it is doubted", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* verdictOf(small))._tag, "Intact")
      for (let bit = 0; bit < small.length * 8; bit++) {
        const bytes = small.slice()
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        const verdict = yield* verdictOf(bytes)
        if (verdict._tag === "Intact") assert.fail(`bit ${bit}`)
        else assert.isAtMost(verdict.offset, bit >> 3)
      }
    })
  )

  it.effect("every cut is refused, and so is every byte behind the end", () =>
    Effect.gen(function* () {
      for (let length = 0; length < small.length; length++) {
        const verdict = yield* verdictOf(small.subarray(0, length))
        if (verdict._tag === "Intact") assert.fail(`cut at ${length}`)
        else assert.isAtMost(verdict.offset, length)
      }
      const longer = new Uint8Array(small.length + 1)
      longer.set(small)
      assert.strictEqual((yield* verdictOf(longer))._tag, "Damaged")
    })
  )

  it.effect("every range of zeros is refused, as lost blocks leave them", () =>
    Effect.gen(function* () {
      for (let from = 0; from < small.length; from += 3) {
        for (let to = from + 1; to <= small.length; to += 5) {
          const bytes = small.slice().fill(0, from, to)
          if (Buffer.compare(bytes, small) === 0) continue
          assert.strictEqual((yield* verdictOf(bytes))._tag, "Damaged", `zeros from ${from} to ${to}`)
        }
      }
    })
  )

  it.effect("two chunks in each other's place are refused, though both are intact", () =>
    Effect.gen(function* () {
      const file = encoded(new Uint8Array(0), [bytesOf(8), bytesOf(8, 2)])
      const [first, second] = [file.slice(40, 56), file.slice(56, 72)]
      file.set(second, 40)
      file.set(first, 56)
      assert.strictEqual((yield* verdictOf(file))._tag, "Damaged")
    })
  )
})

describe("snapshots in files", () => {
  const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-snapshots-"))
  /** Opens the store for `use`, then closes it: what comes next is another start. */
  const during = <A, E>(directory: string, use: Effect.Effect<A, E, SnapshotStore>) =>
    Effect.provide(use, layerFile({ directory }), { local: true }) as Effect.Effect<A, E | LogFailed>
  const newestContent = Effect.gen(function* () {
    const snapshot = yield* (yield* SnapshotStore).openNewest()
    return snapshot === undefined ? undefined : yield* contentOf(snapshot)
  }).pipe(Effect.scoped)

  it.live("a damaged snapshot is set aside at the next start, and the older one is used", () => {
    const directory = freshDirectory()
    return Effect.gen(function* () {
      yield* during(directory, Effect.andThen(write(1), write(2)))
      const name = snapshotName({ index: 2, term: 2 })
      const file = readFileSync(join(directory, name))
      file[60]! ^= 1
      writeFileSync(join(directory, name), file)
      assert.deepStrictEqual(yield* during(directory, newestContent), utf8.encode("state at 1"))
      assert.deepStrictEqual(readdirSync(directory).sort(), [snapshotName({ index: 1, term: 2 }), `${name}.damaged`])
      // It goes once two newer ones are there.
      yield* during(directory, Effect.andThen(write(3), write(4)))
      assert.lengthOf(readdirSync(directory), 2)
    })
  })

  it.live("a snapshot under the name of another is set aside", () => {
    const directory = freshDirectory()
    return Effect.gen(function* () {
      yield* during(directory, write(1))
      const file = readFileSync(join(directory, snapshotName({ index: 1, term: 2 })))
      writeFileSync(join(directory, snapshotName({ index: 8, term: 2 })), file)
      assert.deepStrictEqual(yield* during(directory, newestContent), utf8.encode("state at 1"))
    })
  })

  it.live("half a snapshot that a stop left is removed by the next start", () => {
    const directory = freshDirectory()
    return Effect.gen(function* () {
      writeFileSync(join(directory, `${snapshotName({ index: 2, term: 2 })}.tmp`), "half")
      assert.isUndefined(yield* during(directory, newestContent))
      assert.deepStrictEqual(readdirSync(directory), [])
    })
  })

  it.live("the receiver goes on after a restart at any byte, with any state of the unsynced end (C13)", () => {
    const directory = freshDirectory()
    return Effect.gen(function* () {
      const content = bytesOf(600_000)
      const chunkBytes = 8 + SNAPSHOT_CHUNK_BYTES
      const { file, info } = yield* foreign(() => layerFile({ directory: freshDirectory() }), 9, content)
      for (const [cutBytes, lostBytes, resumed] of [
        [0, 0, 0],
        [47, 0, 0],
        [48, 0, 48],
        [60_000, 0, 48],
        [100_000, 0, 48 + chunkBytes],
        [300_000, 0, 48 + 4 * chunkBytes],
        [300_000, 50_000, 48 + 3 * chunkBytes],
        [file.length - 1, 0, file.length - 64],
        [file.length, 0, file.length]
      ] as const) {
        const begin = Effect.flatMap(SnapshotStore, (store) => store.receive(offerOf(info)))
        const append = (to: number) =>
          Effect.gen(function* () {
            const receiving = yield* begin
            yield* send(receiving, file.subarray(0, to), 65_536)
          })
        yield* during(directory, append(cutBytes))
        const part = readdirSync(directory).find((name) => name.endsWith(".part"))!
        const bytes = readFileSync(join(directory, part))
        // Blocks that did not reach the disk are zeros.
        writeFileSync(join(directory, part), bytes.fill(0, cutBytes - lostBytes))
        const used = Effect.gen(function* () {
          const receiving = yield* begin
          assert.strictEqual(receiving.receivedBytes(), resumed, `cut at ${cutBytes}`)
          yield* send(receiving, file, 65_536)
          yield* receiving.finish
        })
        yield* during(directory, used)
        assert.deepStrictEqual(yield* during(directory, newestContent), content)
        assert.deepStrictEqual(readdirSync(directory), [snapshotName(info)])
        rmSync(join(directory, snapshotName(info)))
      }
    })
  })

  it.live("others run between the chunks of a snapshot that is written, and pull nothing ahead of them", () =>
    Effect.gen(function* () {
      let pulled = 0
      let written = false
      const pieces = function* () {
        for (let count = 0; count < 64; count++) {
          pulled++
          yield bytesOf(65_536, count)
        }
      }
      const turns: Array<number> = []
      const other = Effect.gen(function* () {
        while (!written) {
          turns.push(pulled)
          yield* Effect.yieldNow
        }
      })
      const writing = Effect.andThen(
        write(1, pieces()),
        Effect.sync(() => {
          written = true
        })
      )
      yield* Effect.all([other, writing], { concurrency: 2 })
      // Four pieces are a chunk: nobody waits for more than one.
      for (const [at, count] of turns.entries()) assert.isAtMost(count - (turns[at - 1] ?? 0), 5)
    }).pipe(Effect.provide(layerFile({ directory: freshDirectory() })))
  )
})
