import { assert, describe, it } from "@effect/vitest"
import type { Command } from "../../src/Machine/Command.ts"
import * as LogAge from "../../src/Machine/LogAge.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { seeded } from "./Seeded.ts"
import { descriptors } from "./Store.ts"

describe("the age of a log (C17, C19)", () => {
  it("goes on where the last entry left it, by the time that passed since that was applied here", () => {
    const age = LogAge.make()
    LogAge.pass(age, { appliedMs: 100, monotonicMs: 7_000 })
    assert.strictEqual(age.nowMs, 100)
    LogAge.pass(age, { appliedMs: 100, monotonicMs: 7_250 })
    assert.strictEqual(age.nowMs, 350)
  })

  it("is not set back by an entry that is applied late, nor by a clock that began anew", () => {
    const age = LogAge.make()
    LogAge.pass(age, { appliedMs: 100, monotonicMs: 0 })
    LogAge.pass(age, { appliedMs: 110, monotonicMs: 5_000 })
    assert.strictEqual(age.nowMs, 5_100)
    const restarted = LogAge.make()
    LogAge.pass(restarted, { appliedMs: 5_100, monotonicMs: 3 })
    assert.strictEqual(restarted.nowMs, 5_100)
  })

  it("never runs ahead of time, never goes back, and is the same on all nodes, whoever leads and restarts", () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seeded(seed)
      let realMs = 0
      const start = (applied: Tables.Tables) => ({
        machine: { ...Machine.make(descriptors), applied },
        beganMs: realMs - random.below(1_000_000)
      })
      const nodes = Array.from({ length: 3 }, () => start(Tables.make(descriptors)))
      const passTime = ({ beganMs, machine }: (typeof nodes)[number]) => Machine.passTime(machine, realMs - beganMs)
      let index = 0
      let lastAgeMs = 0
      for (let step = 0; step < 60; step++) {
        realMs += random.below(10_000)
        const leader = nodes[random.below(3)]!
        // A leader has applied all that was committed, before it decides.
        passTime(leader)
        Machine.beginSpeculation(leader.machine)
        const command: Command = { _tag: "Put", model: "Product", id: "a", data: { price: step } }
        index++
        const decision = Machine.decideNext(leader.machine, command, {
          index,
          nowMs: random.below(1e12),
          newId: () => ""
        })
        const entry = decision.entry
        if (entry === undefined) return assert.fail("every step changes the price")
        const { logAgeMs } = entry.transaction
        assert.isAtMost(logAgeMs, realMs, `seed ${seed}`)
        assert.isAtLeast(logAgeMs, lastAgeMs, `seed ${seed}`)
        lastAgeMs = logAgeMs
        for (const node of nodes) {
          realMs += random.below(50)
          Machine.apply(node.machine, { index, payload: entry.payload })
          passTime(node)
        }
        if (random.below(10) === 0) nodes[random.below(3)] = start(Tables.clone(nodes[0]!.machine.applied))
      }
      assert.strictEqual(new Set(nodes.map(({ machine }) => Tables.stateHash(machine.applied))).size, 1)
      assert.isAtLeast(lastAgeMs, realMs / 2, `seed ${seed}`)
    }
  })
})
