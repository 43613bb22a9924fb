import { assert, describe, it } from "@effect/vitest"
import * as Deadlines from "../../../src/Raft/node/Deadlines.ts"

describe("Deadlines", () => {
  it("requests are overdue from their deadline on, whatever order they came in, until they are removed", () => {
    const deadlines = Deadlines.make<string>()
    Deadlines.add(deadlines, "late", 30)
    Deadlines.add(deadlines, "soon", 10)
    Deadlines.add(deadlines, "never", Number.POSITIVE_INFINITY)
    Deadlines.add(deadlines, "next", 20)
    assert.deepStrictEqual(Deadlines.overdue(deadlines, 9), [])
    assert.deepStrictEqual(Deadlines.overdue(deadlines, 20), ["soon", "next"])
    assert.isTrue(Deadlines.remove(deadlines, "soon"))
    assert.isFalse(Deadlines.remove(deadlines, "soon"))
    assert.isTrue(Deadlines.remove(deadlines, "next"))
    assert.deepStrictEqual(Deadlines.overdue(deadlines, 29), [])
    assert.deepStrictEqual(Deadlines.overdue(deadlines, 1000), ["late"])
    assert.isTrue(Deadlines.remove(deadlines, "late"))
    assert.deepStrictEqual([...deadlines.byRequest.keys()], ["never"])
  })
})
