/** Rewriting of the history without erased data: crashes at each of its steps leave the old file or the new one, and the next start ends the work. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { type Erasing, History } from "../../src/EventStore/History.ts"
import * as HistoryFiles from "../../src/EventStore/HistoryFiles.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { LogFailed } from "../../src/EventStore/LogStore.ts"
import { filesInMemory, type NamedFiles } from "../../src/EventStore/NamedFiles.ts"

const marker = "XYZZY"
const utf8 = new TextEncoder()
const entry = (index: number): LogEntry => ({
  index,
  term: 1,
  type: "transaction",
  payload: utf8.encode(index % 3 === 0 ? `${index} ${marker}` : `${index} ${"x".repeat(index)}`)
})
const text = ({ payload }: LogEntry) => new TextDecoder().decode(payload)

/** An entry without the marker. It may be longer than before: the files change their names, or keep them. */
const blank =
  (isLonger: boolean): Erasing["blank"] =>
  (each) =>
    text(each).includes(marker)
      ? { ...each, payload: utf8.encode(`${each.index} ${isLonger ? "erased for good" : "#".repeat(marker.length)}`) }
      : each

const read = ({ fromIndex, toIndex }: { readonly fromIndex: number; readonly toIndex: number }) =>
  Effect.succeed(Array.from({ length: toIndex - fromIndex + 1 }, (_, at) => entry(fromIndex + at)))

const opened = (files: NamedFiles) =>
  Effect.map(Layer.build(HistoryFiles.layerOf(files)), (context) => Context.get(context, History))

const all = (history: History["Service"]) =>
  Effect.forEach(history.files(), (file) => history.read({ ...file, maxBytes: 1e9 })).pipe(
    Effect.map((found) => found.flat().map(text))
  )

/** All bytes of all files. */
const bytesOf = Effect.fnUntraced(function* (files: NamedFiles) {
  const names = yield* files.names
  const found = yield* Effect.forEach(names, (name) =>
    Effect.scoped(Effect.flatMap(files.openToRead(name), (readAt) => readAt({ offset: 0, lengthBytes: 1e6 })))
  )
  return found.map((bytes) => Buffer.from(bytes).toString("latin1")).join()
})

/** Three files of history. */
const kept = Effect.fnUntraced(function* (files: NamedFiles) {
  const history = yield* opened(files)
  for (const [fromIndex, toIndex] of [
    [1, 4],
    [5, 5],
    [6, 9]
  ] as const) {
    yield* history.keep({ fromIndex, toIndex }, read)
  }
}, Effect.scoped)

/** Files whose `step`-th change fails, and all after it: the process is gone. */
const failingFrom = (files: NamedFiles, step: number) => {
  let count = 0
  const counted = <A, R>(change: Effect.Effect<A, LogFailed, R>): Effect.Effect<A, LogFailed, R> =>
    Effect.suspend(() => (count++ < step ? change : Effect.fail(new LogFailed({ message: "the process is gone" }))))
  const failing: NamedFiles = {
    ...files,
    openToWrite: (name) =>
      counted(
        Effect.map(files.openToWrite(name), (file) => ({
          write: (bytes, offset) => counted(file.write(bytes, offset)),
          truncate: (lengthBytes) => counted(file.truncate(lengthBytes)),
          sync: counted(file.sync)
        }))
      ),
    rename: (names) => counted(files.rename(names)),
    remove: (name) => counted(files.remove(name))
  }
  return { failing, count: () => count }
}

for (const isLonger of [true, false]) {
  describe(`erasing from history, by ${isLonger ? "files of other names" : "files of the same names"}`, () => {
    it.effect("keeps no reader from an entry whose file is replaced while it opens it", () =>
      Effect.gen(function* () {
        const files = filesInMemory()
        yield* kept(files)
        const reached = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        let isFirst = true
        const history = yield* opened({
          ...files,
          openToRead: (name) => {
            const isHeld = isFirst
            isFirst = false
            if (!isHeld) return files.openToRead(name)
            return Deferred.succeed(reached, undefined).pipe(
              Effect.andThen(Deferred.await(goOn)),
              Effect.andThen(files.openToRead(name))
            )
          }
        })
        const reading = yield* Effect.forkChild(history.read({ fromIndex: 6, toIndex: 9, maxBytes: 1e9 }))
        yield* Deferred.await(reached)
        yield* history.erase({ throughIndex: 12, blank: blank(isLonger) })
        yield* Deferred.succeed(goOn, undefined)
        const found = yield* Fiber.join(reading)
        assert.deepStrictEqual(
          found.map(({ index }) => index),
          [6, 7, 8, 9]
        )
        assert.notInclude(found.map(text).join(), marker)
      })
    )

    it.effect("leaves no trace of the data, and all other entries", () =>
      Effect.gen(function* () {
        const files = filesInMemory()
        yield* kept(files)
        assert.include(yield* bytesOf(files), marker)
        const history = yield* opened(files)
        assert.strictEqual(history.erasedThrough(), 0)
        const before = yield* all(history)
        yield* history.erase({ throughIndex: 20, blank: blank(isLonger) })
        assert.strictEqual(history.erasedThrough(), 20)
        assert.notInclude(yield* bytesOf(files), marker)
        const after = yield* all(history)
        assert.strictEqual(after.length, before.length)
        for (const [at, was] of before.entries()) if (!was.includes(marker)) assert.strictEqual(after[at], was)
        const again = yield* opened(files)
        assert.strictEqual(again.erasedThrough(), 20)
        assert.deepStrictEqual(yield* all(again), after)
      })
    )

    it.effect("survives an end of the process at each of its steps", () =>
      Effect.gen(function* () {
        let stepsCount = 0
        for (let step = 0; ; step++) {
          const files = filesInMemory()
          yield* kept(files)
          const { count, failing } = failingFrom(files, step)
          const isDone = yield* Effect.scoped(
            Effect.flatMap(opened(failing), (history) =>
              Effect.isSuccess(history.erase({ throughIndex: 20, blank: blank(isLonger) }))
            )
          )
          // What is there after the end is whole: each entry, with the data or without it.
          const history = yield* opened(files)
          const found = yield* all(history)
          assert.deepStrictEqual(
            found.map((each) => each.split(" ")[0]),
            Array.from({ length: 9 }, (_, at) => String(at + 1)),
            `after step ${step}`
          )
          if (history.erasedThrough() === 20) assert.notInclude(yield* bytesOf(files), marker)
          yield* history.erase({ throughIndex: 20, blank: blank(isLonger) })
          assert.notInclude(yield* bytesOf(files), marker, `after step ${step} and another start`)
          stepsCount = count()
          if (isDone) break
        }
        assert.isAbove(stepsCount, 15)
      })
    )

    it.effect("removes files that were set aside", () =>
      Effect.gen(function* () {
        const files = filesInMemory()
        yield* kept(files)
        const [name = ""] = yield* files.names
        yield* Effect.scoped(Effect.flatMap(files.openToWrite(name), (file) => file.write(Uint8Array.of(0xff), 40)))
        const history = yield* opened(files)
        yield* history.erase({ throughIndex: 20, blank: blank(isLonger) })
        assert.notInclude(yield* bytesOf(files), marker)
        assert.isTrue((yield* files.names).every((each) => !each.endsWith(".damaged")))
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 5, toIndex: 9 }])
      })
    )
  })
}
