import { assert, describe, it } from "@effect/vitest"
import * as Deadlines from "../../../src/Raft/node/Deadlines.ts"

describe("Deadlines", () => {
  it("requests are overdue from their deadline on, whatever order they came in, until they are removed", () => {
    const deadlines = Deadlines.make<string>()
    const late = Deadlines.add(deadlines, "late", 30)
    const soon = Deadlines.add(deadlines, "soon", 10)
    Deadlines.add(deadlines, "never", Number.POSITIVE_INFINITY)
    const next = Deadlines.add(deadlines, "next", 20)
    const overdueAt = (nowMs: number) => Deadlines.overdue(deadlines, nowMs).map(({ request }) => request)
    assert.deepStrictEqual(overdueAt(9), [])
    assert.deepStrictEqual(overdueAt(20), ["soon", "next"])
    assert.isTrue(Deadlines.remove(deadlines, soon))
    assert.isFalse(Deadlines.remove(deadlines, soon))
    assert.isTrue(Deadlines.remove(deadlines, next))
    assert.deepStrictEqual(overdueAt(29), [])
    assert.deepStrictEqual(overdueAt(1000), ["late"])
    assert.isTrue(Deadlines.remove(deadlines, late))
    assert.deepStrictEqual(
      deadlines.waiting.entries().map(([, { request }]) => request),
      ["never"]
    )
  })
})
