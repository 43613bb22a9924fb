/** Live queries: what a reader has is the list at that moment, at every moment, for random queries and changes. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  askedBytes,
  memoryMaxBytes,
  pageMaxBytes,
  queriesMaxCount,
  shownBytes,
  touchedMaxCount,
  unbucketedMaxCount
} from "../../src/Live/Bounds.ts"
import type { Reader } from "../../src/Live/Engine.ts"
import type { LiveRequest } from "../../src/Live/LiveRequest.ts"
import type { Update } from "../../src/Live/Update.ts"
import { seeded } from "../Machine/Seeded.ts"
import { ask, type Items, make, randomChange, randomRequest } from "./LiveItems.ts"
import { type Had, readOnce } from "./Reading.ts"

interface Following {
  readonly request: LiveRequest
  readonly reader: Reader
  had: Had | undefined
  readonly isSlow: boolean
}

const open = (items: Items, request: LiveRequest, isSlow = false): Following => ({
  request,
  reader: Result.getOrThrow(items.engine.open(request, () => {})),
  had: undefined,
  isSlow
})

/** Compares texts: this runs a hundred thousand times. */
const same = ({ hasNext, items }: Had, listed: Omit<Had, "index">): void => {
  const [shown, expected] = [JSON.stringify([hasNext, items]), JSON.stringify([listed.hasNext, listed.items])]
  if (shown !== expected) assert.strictEqual(shown, expected)
}

/** Reads, and holds what came against the list of its moment. */
const read = (items: Items, following: Following): Update | undefined => {
  const { came, had } = readOnce(following.reader, following.had)
  following.had = had
  if (came !== undefined && had !== undefined) {
    same(had, items.listed(following.request, had.index))
  }
  return came
}

/** The page of a reader that lacks nothing is the list of now. */
const isRight = (items: Items, following: Following): void => {
  read(items, following)
  same(following.had!, items.listed(following.request))
}

const evaluate = ({ engine }: Items): void => {
  for (const _ of engine.evaluate());
}

/** The first page is as new as the tables, whatever waits to be evaluated. */
const joins = (items: Items, readers: Array<Following>, following: Following): void => {
  if (!following.isSlow) {
    read(items, following)
    assert.strictEqual(following.had?.index, items.moment())
  }
  readers.push(following)
}

/** One life: readers come and go while records change, and evaluations stop at every step for more of both. */
const live = (seed: number): void => {
  const random = seeded(seed)
  const { below, pick } = random
  const items = make()
  const readers: Array<Following> = []
  let evaluation: Generator<undefined, void> | undefined
  for (let step = 0; step < 160; step++) {
    switch (below(12)) {
      case 0:
        joins(items, readers, open(items, randomRequest(random), below(3) === 0))
        break
      case 1:
        if (readers.length > 6) readers.splice(below(readers.length), 1)[0]?.reader.close()
        break
      case 2:
        if (below(6) === 0) items.replace(() => randomChange(items, random))
        break
      case 3:
      case 4:
        if (evaluation === undefined) evaluate(items)
        if (evaluation === undefined) {
          for (const each of readers) if (!each.isSlow || below(5) === 0) isRight(items, each)
        }
        break
      case 5:
      case 6:
        evaluation ??= items.engine.evaluate()
        if (evaluation.next().done === true) evaluation = undefined
        break
      case 7:
        if (readers.length > 0) read(items, pick(readers as [Following]))
        break
      default:
        randomChange(items, random)
    }
  }
  while (evaluation !== undefined && evaluation.next().done !== true);
  evaluate(items)
  for (const each of readers) isRight(items, each)
  for (const { reader } of readers) reader.close()
  assert.deepStrictEqual([items.engine.readersCount(), items.engine.bytes()], [0, 0])
}

describe("live queries", () => {
  it("live equals list at every index, while readers lag and evaluations are under way", () => {
    for (let seed = 1; seed <= 120; seed++) {
      try {
        live(seed)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })

  it("a slow reader gets one difference for many changes, with each record once", () => {
    const items = make()
    for (const id of ["a", "b", "c", "d"]) items.put(id, { rank: 1 })
    const following = open(items, ask({ limit: 3 }))
    read(items, following)
    for (let change = 0; change < 50; change++) {
      items.put("b", { rank: change })
      items.put("a0", { rank: change })
      evaluate(items)
    }
    items.remove("c")
    evaluate(items)
    const came = read(items, following)
    assert.deepStrictEqual(came?._tag === "Diff" && [came.put.map(({ item }) => item.stamp.id), came.remove], [
      ["a0", "b"],
      ["c"]
    ])
    assert.isUndefined(read(items, following))
  })

  it("a change of a record outside of the page sends nothing", () => {
    const items = make()
    for (const id of ["a", "b", "c", "d"]) items.put(id)
    const following = open(items, ask({ limit: 2 }))
    read(items, following)
    items.put("d", { rank: 7 })
    items.put("z", { rank: 7 })
    evaluate(items)
    assert.isUndefined(read(items, following))
    assert.strictEqual(items.engine.index(), items.moment())
  })

  it("a removal shows the record behind the page without another list", () => {
    const items = make()
    for (let at = 0; at < 40; at++) items.put(String(at).padStart(2, "0"))
    const following = open(items, ask({ limit: 10 }))
    read(items, following)
    items.remove("03")
    evaluate(items)
    const came = read(items, following)
    assert.deepStrictEqual(came?._tag === "Diff" && came.put.map(({ after, item }) => [item.stamp.id, after]), [
      ["10", "09"]
    ])
  })

  it("the next page appears and goes with the records behind", () => {
    const items = make()
    for (const id of ["a", "b"]) items.put(id)
    const following = open(items, ask({ limit: 2 }))
    read(items, following)
    assert.isFalse(following.had?.hasNext)
    items.put("c")
    evaluate(items)
    const came = read(items, following)
    assert.deepStrictEqual(came?._tag === "Diff" && [came.put, came.remove, came.lastKey], [[], [], ["b"]])
  })

  it("equal queries share one evaluation, in whatever order their filters are", () => {
    const items = make()
    items.put("a")
    const filters = [
      { _tag: "Compare", field: "group", op: "eq", operand: "a" },
      { _tag: "Is", field: "rank", isNull: true }
    ] as const
    const first = open(items, ask({ filters }))
    const before = items.engine.bytes()
    const second = open(items, ask({ filters: filters.toReversed() }))
    assert.isAtMost(
      items.engine.bytes() - before,
      shownBytes * 3 + askedBytes * 200,
      "the second reader has a window of its own"
    )
    const other = open(items, ask({ filters, limit: 4 }))
    read(items, first)
    read(items, second)
    read(items, other)
    items.put("b")
    evaluate(items)
    const [one, two] = [read(items, first), read(items, second)]
    assert.isTrue(one !== undefined && one === two, "the readers got different updates")
  })

  it("more changes than are noted make every query be listed again", () => {
    const items = make()
    const following = open(items, ask({ filters: [{ _tag: "Compare", field: "group", op: "eq", operand: "b" }] }))
    read(items, following)
    items.put("b1", { group: "b" })
    for (let at = 0; at <= touchedMaxCount; at++) items.engine.touch("Item", `absent ${at}`)
    evaluate(items)
    isRight(items, following)
    assert.strictEqual(following.had?.items.length, 1)
  })

  it("a query that compares nothing with eq or in is refused beyond the bound, and equal ones are not", () => {
    const items = make()
    const rank = (operand: number) => ask({ filters: [{ _tag: "Compare", field: "rank", op: "gte", operand }] })
    for (let at = 0; at < unbucketedMaxCount; at++) open(items, rank(at))
    const refused = items.engine.open(rank(unbucketedMaxCount), () => {})
    assert.strictEqual(Result.isFailure(refused) && refused.failure._tag, "Overloaded")
    open(items, rank(0))
    open(items, ask({ filters: [{ _tag: "Compare", field: "group", op: "eq", operand: "a" }] }))
  })

  it("one query more than the node takes is refused", () => {
    const items = make()
    for (let at = 0; at < queriesMaxCount; at++) open(items, ask({ limit: 1 }))
    const refused = items.engine.open(ask({ limit: 1 }), () => {})
    assert.strictEqual(Result.isFailure(refused) && refused.failure._tag, "Overloaded")
  })

  it("a query ends when its page grows too large, and frees its memory", () => {
    const items = make()
    const following = open(items, ask({ limit: 4 }))
    read(items, following)
    for (const id of ["a", "b", "c"]) items.put(id, { group: "g".repeat(pageMaxBytes / 3) })
    evaluate(items)
    assert.strictEqual(following.reader.next()?._tag, "PageTooLarge")
    following.reader.close()
    assert.strictEqual(items.engine.bytes(), 0)
  })

  it("a query is refused if the values that it names take too much memory, and leaves none taken", () => {
    const items = make()
    const naming = (count: number) => {
      const operands = Array.from({ length: count }, (_, at) => String(at).padStart(6, "0"))
      return ask({ filters: [{ _tag: "In", field: "id", operands }] })
    }
    const first = open(items, naming(100_000))
    assert.isAbove(items.engine.bytes(), 900_000 * askedBytes)
    const met = items.engine.open(naming(400_000), () => {})
    assert.strictEqual(Result.isFailure(met) ? met.failure._tag : undefined, "Overloaded")
    // A reader of an equal query has parsed and keeps its own.
    const readers = [first]
    for (let next = items.engine.open(naming(100_000), () => {}); Result.isSuccess(next); ) {
      readers.push({ ...first, reader: next.success })
      next = items.engine.open(naming(100_000), () => {})
    }
    assert.isBelow(readers.length, 6)
    for (const { reader } of readers) reader.close()
    assert.strictEqual(items.engine.bytes(), 0)
  })

  it("queries that outgrow the memory of all end as overloaded, and the others go on", () => {
    const items = make()
    const group = "g".repeat(pageMaxBytes / 2 - 1000)
    const count = Math.ceil(memoryMaxBytes / pageMaxBytes) + 2
    const all = Array.from({ length: count }, (_, at) => open(items, ask({ limit: 2 + at })))
    for (const each of all) read(items, each)
    for (const id of ["a", "b"]) items.put(id, { group })
    evaluate(items)
    const ends = all.map(({ reader }) => reader.next()?._tag)
    assert.deepStrictEqual([...new Set(ends)].toSorted(), ["Diff", "Overloaded"])
    assert.isBelow(items.engine.bytes(), memoryMaxBytes)
    for (const { reader } of all) reader.close()
    assert.strictEqual(items.engine.bytes(), 0)
  })
})
