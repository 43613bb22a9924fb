/** Which events one transaction applies, and what it notes, where operators have taken events away. */
import { assert, describe, it } from "@effect/vitest"
import type { Event } from "../../src/Projection/Event.ts"
import type { Recorded } from "../../src/Reaction/Position.ts"
import { stepsOf, takenAway } from "../../src/Sql/Step.ts"

const event = (index: number, ordinal: number): Event => ({
  model: "Order",
  type: "created",
  id: "1",
  version: 1,
  record: {},
  index,
  ordinal,
  timeMs: 0
})
const entry = (index: number, ...ordinals: ReadonlyArray<number>) => ({
  index,
  events: ordinals.map((ordinal) => event(index, ordinal))
})
const recorded = (position: Recorded["position"], ...parked: ReadonlyArray<readonly [number, number]>): Recorded => ({
  position,
  stumbled: undefined,
  parked: parked.map(([index, ordinal]) => ({ index, ordinal, sinceMs: 0, failure: "", isDue: false })),
  version: 1
})
const shown = (steps: ReturnType<typeof stepsOf>) =>
  steps.map(({ events, parked, to }) => [
    events.map(({ ordinal }) => ordinal).join(),
    `${to.index}+${to.count}`,
    parked?.ordinal
  ])
const at = (index: number, count = 0) => ({ index, count })

describe("the steps of an entry", () => {
  it("are one with all its events", () => {
    assert.deepStrictEqual(shown(stepsOf(entry(7, 0, 1, 3), at(6), recorded(undefined))), [["0,1,3", "7+0", undefined]])
    assert.deepStrictEqual(shown(stepsOf(entry(7), at(6), recorded(undefined))), [])
    assert.deepStrictEqual(shown(stepsOf(entry(7, 0, 1), at(6), recorded(at(3, 2)))), [["0,1", "7+0", undefined]])
  })

  it("leave out the event that an operator took away last, and note that they did", () => {
    const steps = stepsOf(entry(7, 0, 1, 3), at(6), recorded(at(6, 2)))
    assert.deepStrictEqual(shown(steps), [
      ["0", "6+2", undefined],
      ["3", "7+0", undefined]
    ])
    assert.deepStrictEqual(takenAway(recorded(at(6, 2)), at(6)), { index: 7, ordinal: 1 })
  })

  it("go on behind the noted part of their entry", () => {
    assert.deepStrictEqual(shown(stepsOf(entry(7, 0, 1, 3), at(6, 2), recorded(at(6, 2)))), [["3", "7+0", undefined]])
    assert.isUndefined(takenAway(recorded(at(6, 2)), at(6, 2)))
    assert.deepStrictEqual(shown(stepsOf(entry(8, 0), at(6, 2), recorded(at(6, 2)))), [["0", "8+0", undefined]])
  })

  it("note each event that is put aside, so that it is applied once when it is tried again", () => {
    const steps = stepsOf(entry(7, 0, 1, 2, 3), at(2), recorded(at(6, 2), [7, 1], [7, 3], [9, 0]))
    assert.deepStrictEqual(shown(steps), [
      ["0", "6+2", 1],
      ["2", "6+4", 3],
      ["", "7+0", undefined]
    ])
  })
})
