/** A runtime that cannot run SQLite on a thread says so once, when a node starts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SqliteThread from "../../src/Projection/SqliteThread.ts"

describe("the thread of a SQLite file", () => {
  it.live("runs on this runtime", () => SqliteThread.check())

  it.live("that cannot start is found at once, with its reason in one line", () =>
    Effect.gen(function* () {
      for (const text of [
        'throw new Error("no SQLite here")',
        'process.getBuiltinModule("node:none").open()',
        "a syntax error"
      ]) {
        const { _tag, message } = yield* Effect.flip(SqliteThread.check(text))
        assert.strictEqual(_tag, "SqliteUnavailable")
        assert.match(message, /^Cannot run SQLite on a thread here: .+$/)
      }
    })
  )
})
