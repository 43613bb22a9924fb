/** A leader that commits nothing though a quorum answers, and a member that gets nothing: noticed, said and mended. */
import { assert, describe, it } from "@effect/vitest"
import { pauseMinMs, standstillMs } from "../../../src/Raft/core/Standstill.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { membersStatus } from "../../../src/Raft/core/Status.ts"
import { cluster } from "./Cores.ts"
import { isBulk, world } from "./LossyCores.ts"

const patienceMs = 5 * 600

describe("a leader that stands still", () => {
  it("whose entries reach nobody, though its beats do, says so and hands over to one whose entries do", () => {
    const states = cluster(["a", "b", "c"])
    const [a] = states
    const { leader, lose, pass, propose, told } = world(states)
    lose((envelope) => isBulk(envelope) && envelope.from === "a")
    propose()
    pass(patienceMs - 100)
    assert.deepStrictEqual([leader()?.nodeId, told], ["a", []])
    pass(200)
    assert.deepInclude(told[0], { by: "a", commitIndex: 1, lastIndex: 2 })
    assert.include(["b", "c"], told[0]?.to)
    assert.strictEqual(leader()?.nodeId, told[0]?.to)
    propose()
    pass(100)
    assert.isAbove(leader()!.commitIndex, 1)
    assert.strictEqual(a.role._tag, "Follower")
  })

  it("hands over to the voter whose log reaches furthest", () => {
    const states = cluster(["a", "b", "c", "d", "e"])
    const { leader, lose, pass, propose, told } = world(states)
    lose((envelope) => isBulk(envelope) && envelope.from === "a" && envelope.to !== "d")
    propose()
    pass(patienceMs + 100)
    assert.deepStrictEqual([told.map(({ to }) => to), leader()?.nodeId], [["d"], "d"])
    assert.isAbove(leader()!.commitIndex, 2)
  })

  it("says so once and goes on where nobody could be elected: those whom it hears hold less than it does", () => {
    const states = cluster(["a", "b", "c"])
    const { leader, lose, pass, propose, told } = world(states.slice(0, 2))
    lose((envelope) => isBulk(envelope) && envelope.from === "a")
    propose()
    pass(4 * patienceMs)
    assert.deepStrictEqual([told.map(({ to }) => to), leader()?.nodeId], [[undefined], "a"])
    lose(() => false)
    pass(100)
    assert.strictEqual(leader()?.commitIndex, 2)
  })

  it("is none that has nothing to commit, and none whose voters come nearer", () => {
    const states = cluster(["a", "b", "c"], { appendBatchBytes: 1, inflightMessagesCount: 1 })
    const [a, b] = states as [State, State, State]
    const { leader, lose, pass, propose, slow, told } = world(states)
    pass(10 * patienceMs)
    lose((envelope) => isBulk(envelope) && envelope.to === "b")
    for (let count = 0; count < 50; count++) propose()
    // `c` dies and `b` comes back: entry by entry, for longer than a leader would stand still.
    lose(({ from, to }) => from === "c" || to === "c")
    slow((node) => (node === "b" ? 100 : 0))
    propose()
    pass(patienceMs + 1_000)
    assert.strictEqual(a.commitIndex, 51)
    assert.deepStrictEqual([told, leader()?.nodeId], [[], "a"])
    pass(patienceMs)
    assert.deepStrictEqual([a.commitIndex, b.durableIndex], [52, 52])
  })

  it("makes no leaders rotate where nobody's entries arrive: the pause between two hand-overs grows", () => {
    const states = cluster(["a", "b", "c"])
    const { lose, pass, propose, told } = world(states)
    lose(isBulk)
    const counts = Array.from({ length: 6 }, () => {
      const before = told.filter(({ to }) => to !== undefined).length
      for (let passedMs = 0; passedMs < 10 * pauseMinMs; passedMs += 500) {
        propose()
        pass(500)
      }
      return told.filter(({ to }) => to !== undefined).length - before
    })
    assert.isAbove(counts[0]!, 0)
    // Each of three nodes: at once, then after 10 s, 20 s, 40 s, 80 s, 160 s and 320 s.
    assert.isAtMost(
      counts.reduce((sum, count) => sum + count, 0),
      3 * 7
    )
    assert.isAtMost(counts.at(-1)!, 3)
  })
})

describe("a member whose log stands still", () => {
  it("knows it by its leader's commit index, and so does its leader; in an idle cluster nobody does", () => {
    const states = cluster(["a", "b", "c"])
    const [a, b, c] = states as [State, State, State]
    const { lose, pass, propose } = world(states)
    pass(5_000)
    for (const state of states) assert.strictEqual(standstillMs(state), 0)
    lose((envelope) => isBulk(envelope) && envelope.to === "c")
    propose()
    for (let count = 0; count < 10; count++) {
      pass(100)
      propose()
    }
    assert.approximately(standstillMs(c), 1_000, 100)
    assert.deepStrictEqual([standstillMs(a), standstillMs(b)], [0, 0])
    const seen = membersStatus(a).map(({ standstillMs }) => standstillMs)
    assert.deepStrictEqual(seen.slice(0, 2), [0, 0])
    assert.approximately(seen[2]!, 1_000, 100)
    assert.deepStrictEqual(
      membersStatus(b).map(({ standstillMs }) => standstillMs),
      [undefined, 0, undefined]
    )
    lose(() => false)
    pass(100)
    assert.strictEqual(standstillMs(c), 0)
    pass(5_000)
    assert.deepStrictEqual(
      membersStatus(a).map(({ standstillMs }) => standstillMs),
      [0, 0, 0]
    )
  })

  it("is none while it comes nearer, however far behind it is", () => {
    const states = cluster(["a", "b", "c"], { appendBatchBytes: 1, inflightMessagesCount: 1 })
    const c = states[2]!
    const all = world(states)
    all.lose((envelope) => isBulk(envelope) && envelope.to === "c")
    for (let count = 0; count < 50; count++) all.propose()
    all.pass(1_000)
    assert.isAbove(standstillMs(c), 900)
    all.lose(() => false)
    all.slow((node) => (node === "c" ? 100 : 0))
    all.pass(300)
    for (let passedMs = 0; passedMs < 3_000; passedMs += 100) {
      all.pass(100)
      assert.isBelow(standstillMs(c), 200)
    }
    assert.isBelow(c.commitIndex, 50)
  })
})
