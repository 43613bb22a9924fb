/** What a leader does about the rows that it finds in a database. */
import { assert, describe, it } from "@effect/vitest"
import { type Build, judge, modelsText } from "../../src/Sql/Build.ts"
import type { Note } from "../../src/Sql/Note.ts"

const note: Note = {
  version: 2,
  models: modelsText({ Order: 3, Refund: 1 }),
  origin: "c1",
  entry: 9,
  done: 0,
  erased: 4,
  token: "t"
}
const build: Build = { version: 2, models: { Refund: 1, Order: 3 }, origin: "c1", formerOrigins: ["c0"], erased: 4 }

describe("rows that a leader finds", () => {
  it("go on if they are of its build", () => {
    assert.deepStrictEqual(judge(note, build), { _tag: "goOn" })
    assert.deepStrictEqual(judge({ ...note, erased: 5 }, build), { _tag: "goOn" })
  })

  it("are filled again for a newer version, newer versions of models, a restore, and an erasure", () => {
    for (const [what, changed] of [
      ["version", { version: 3 }],
      ["a model's version", { models: { Order: 4, Refund: 1 } }],
      ["a newer version with another model", { version: 3, models: { Order: 3, Refund: 1, Stock: 1 } }],
      ["a restore", { origin: "c2", formerOrigins: ["c1", "c0"] }],
      ["an erasure", { erased: 5 }],
      ["a newer version with a model of an older one", { version: 3, models: { Order: 2, Refund: 1 } }]
    ] as const) {
      assert.strictEqual(judge(note, { ...build, ...changed })._tag, "again", what)
    }
  })

  it("stop a leader whose release is older, so that releases do not undo each other's rows, and one of another cluster", () => {
    assert.strictEqual(judge(note, { ...build, version: 1 })._tag, "refused")
    assert.strictEqual(judge(note, { ...build, version: 1, models: { Order: 4, Refund: 1 } })._tag, "refused")
    assert.strictEqual(judge(note, { ...build, models: { Order: 2, Refund: 1 } })._tag, "refused")
    // Neither release is the older one: at each change of leader they would empty the tables.
    assert.strictEqual(judge(note, { ...build, models: { Order: 3, Refund: 1, Stock: 1 } })._tag, "refused")
    assert.strictEqual(judge(note, { ...build, models: { Order: 3 } })._tag, "refused")
    assert.strictEqual(judge(note, { ...build, origin: "other", formerOrigins: [] })._tag, "refused")
  })
})
