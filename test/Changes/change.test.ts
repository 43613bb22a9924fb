/** The changes in entries: whichever way a reader cuts the log, it is told each once, in order. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { changesOf, type Entry, type Followed } from "../../src/Changes/Change.ts"
import { formatPosition, groupOf, nextEntry, type Position, parsePosition } from "../../src/Changes/Position.ts"
import { seeded } from "../Machine/Seeded.ts"
import { descriptors } from "../Machine/Store.ts"
import { drawEntries, idsOf, isAfter } from "./History.ts"

const followed = (models: ReadonlyArray<string>): Followed =>
  new Map(descriptors.filter(({ name }) => models.includes(name)).map((each) => [each.name, each]))

/** Reads the log in random pages and random steps, and forgets all but the position as text now and then. */
const readAll = (entries: ReadonlyArray<Entry>, models: ReadonlyArray<string>, after: string, seed: number) => {
  const { below } = seeded(seed)
  const told: Array<string> = []
  let position: Position = parsePosition(after)!.position
  while (nextEntry(position) <= entries.length) {
    const first = nextEntry(position)
    const page = entries.slice(first - 1, first + below(5))
    const step = { entries: page, from: position, maxCount: 1 + below(4) }
    const found = Result.getOrThrow(changesOf(followed(models), step))
    told.push(...found.changes.map((change) => formatPosition(change.position)))
    // A reader that comes back sends the id of the last event that it saw, and that may be a change or a bookmark.
    const last = found.changes.at(-1)?.position
    const kept = last !== undefined && below(3) === 0 ? last : found.position
    position = parsePosition(formatPosition(kept))!.position
  }
  return told
}

describe("the changes in a log", () => {
  it("are told each once, in order, from every position on, however the log is read", () => {
    for (let seed = 0; seed < 20; seed++) {
      const entries = drawEntries(seed, 40)
      for (const models of [["Product"], ["Product", "User"]]) {
        const all = idsOf(entries, models)
        const positions = [
          "0",
          ...idsOf(entries, ["Product", "User", "Other"]),
          ...entries.map(({ index }) => `${index}`)
        ]
        for (const after of positions) {
          const expected = all.filter((id) => isAfter(id, after))
          assert.deepStrictEqual(readAll(entries, models, after, seed), expected, `seed ${seed}, after ${after}`)
        }
      }
    }
  })

  it("end before a record that this release cannot read, and are told up to it", () => {
    const [first, second] = drawEntries(1, 0).concat(
      [1, 2].map((index) => ({
        index,
        transaction: {
          timeMs: 1,
          logAgeMs: 0,
          command: "X",
          outcome: { _tag: "Accepted" },
          events: [
            {
              type: "created",
              model: "Product",
              modelVersion: 1,
              id: `r${index}`,
              version: 1,
              previousIndex: 0,
              data: index === 1 ? { id: "r1", price: 1 } : { id: "r2" }
            }
          ]
        }
      }))
    ) as [Entry, Entry]
    const products = followed(["Product"])
    const found = Result.getOrThrow(changesOf(products, { entries: [first, second], from: { index: 0 }, maxCount: 9 }))
    assert.deepStrictEqual([found.changes.length, found.position], [1, { index: 1 }])
    const refused = changesOf(products, { entries: [second], from: found.position, maxCount: 9 })
    assert.isTrue(Result.isFailure(refused) && refused.failure.id === "r2")
  })
})

describe("a position", () => {
  it("is read as it was written", () => {
    const texts = [
      "0",
      "7",
      "7.0",
      "812.9999",
      "7~a1",
      "7.3~0",
      "7~x~Product~a.b_c~d-e",
      "7.1~1z141z3~Line-item_2~0190-a"
    ]
    for (const text of texts) {
      assert.strictEqual(formatPosition(parsePosition(text)!.position), text)
      const own = parsePosition(`ab-1:${text}`)!
      assert.deepStrictEqual([own.instance, formatPosition(own.position, "ab-1")], ["ab-1", `ab-1:${text}`])
    }
  })

  it("names the models of a first state alike in whatever order they are, and no others", () => {
    const named = (...names: ReadonlyArray<string>) => groupOf(names.map((name) => ({ name })))
    assert.strictEqual(named("A", "B"), named("B", "A"))
    const groups = [named("A"), named("B"), named("A", "B"), named("AB"), named("A", "B", "C")]
    assert.strictEqual(new Set(groups).size, groups.length)
    for (const group of groups) {
      const text = `7~${group}~Line-item~a`
      assert.deepStrictEqual(parsePosition(text)?.position.shown, { group, model: "Line-item", id: "a" })
    }
  })

  it("is nothing else", () => {
    const texts = [
      "",
      "-1",
      "01",
      "1.",
      ".1",
      "1.01",
      "1.2.3",
      "1e3",
      " 1",
      "1 ",
      "١",
      "1~",
      "1~Product",
      "1~~a",
      "1~a~P",
      "1~a~P~",
      "1~a~-P~a",
      "1~12345678~P~a",
      ":1"
    ]
    const long = ["1".repeat(17), "1.100000", `1~a~P~${"a".repeat(129)}`, `1~a~${"P".repeat(65)}~a`]
    for (const text of [...texts, ...long]) assert.isUndefined(parsePosition(text), text)
  })
})
