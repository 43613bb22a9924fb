/** The starts that a data directory remembers, by which its cluster tells it from a copy. */

import * as fs from "node:fs"
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { beginStart } from "../../src/EventStore/Starts.ts"

const freshDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-starts-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const begun = Effect.fnUntraced(function* (directory: string, life: number) {
  const starts = yield* beginStart(directory, life)
  assert.isDefined(starts.current)
  return { ...starts, current: starts.current! }
})

describe("the starts of a data directory", () => {
  it.live("differ, and each later start knows the former ones", () =>
    Effect.gen(function* () {
      const directory = yield* freshDirectory
      const first = yield* begun(directory, 1)
      const second = yield* begun(directory, 2)
      assert.strictEqual(second.current.life, 2)
      assert.match(second.current.nonce, /^[0-9a-f]{16}$/)
      assert.isTrue(second.includes(first.current))
      assert.isTrue(second.includes(second.current))
      assert.isFalse(first.includes(second.current))
    })
  )

  it.live("are not those of a copy, however often each is started", () =>
    Effect.gen(function* () {
      const directory = yield* freshDirectory
      const before = yield* begun(directory, 1)
      const copy = `${yield* freshDirectory}/copy`
      cpSync(directory, copy, { recursive: true })
      const here = yield* begun(directory, 2)
      let there = yield* begun(copy, 2)
      for (const life of [3, 4]) there = yield* begun(copy, life)
      assert.isTrue(there.includes(before.current))
      assert.isFalse(there.includes(here.current))
      assert.isFalse((yield* begun(directory, 3)).includes(there.current))
    })
  )

  it.live("are 16,384 at most, the oldest go; a damaged line stands for no start", () =>
    Effect.gen(function* () {
      const directory = yield* freshDirectory
      const file = join(directory, "starts")
      const nonces = Array.from({ length: 16_384 }, (_, at) => at.toString(16).padStart(16, "0"))
      writeFileSync(file, `${nonces.join("\n")}\n`)
      const { current, includes } = yield* begun(directory, 1)
      const kept = readFileSync(file, "utf8").split("\n")
      assert.deepStrictEqual([kept.length, kept.at(-2), kept.at(-1)], [16_385, current.nonce, ""])
      assert.isFalse(includes({ life: 1, nonce: nonces[0]! }))
      assert.isTrue(includes({ life: 1, nonce: nonces[1]! }))
      appendFileSync(file, "no start\n00000000000000zz\n")
      const { includes: later } = yield* begun(directory, 2)
      assert.isTrue(later(current))
      assert.isFalse(later({ life: 1, nonce: "00000000000000zz" }))
    })
  )

  it.live("are told to nobody on a full disk, and those from before are still known", () =>
    Effect.gen(function* () {
      const directory = yield* freshDirectory
      const before = yield* begun(directory, 1)
      const refused = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
      const full: FileSystem = { ...fs, write: (_file, _bytes, _at, _length, _offset, done) => done(refused) }
      const { current, includes } = yield* Effect.provideService(beginStart(directory, 2), FileSystem, full)
      assert.isUndefined(current)
      assert.isTrue(includes(before.current))
      assert.isTrue((yield* begun(directory, 3)).includes(before.current))
    })
  )
})
