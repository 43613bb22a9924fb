/** What is made of the hashes that members say of their states. */
import { assert, describe, it } from "@effect/vitest"
import * as StateComparison from "../../../src/Raft/core/StateComparison.ts"
import { configurationOf } from "./Cores.ts"

const voters = configurationOf(["a", "b", "c"])
const lanes = (value: number) => Uint32Array.of(value, 0, 0, 0)
const now = (appliedIndex: number, value: number, definition = 2): StateComparison.Now => ({
  appliedIndex,
  hash: lanes(value),
  definition
})

/** Members that say to all what they have to say, for as long as they have. */
const cluster = (states: Readonly<Record<string, StateComparison.Now>>, configuration = voters) => {
  const members = Object.keys(states).map((id) => ({
    comparing: StateComparison.make(id),
    verdicts: [] as Array<unknown>
  }))
  const current = { ...states }
  const broadcast = (from: string, report: StateComparison.StateReport): void => {
    for (const { comparing, verdicts } of members) {
      if (comparing.nodeId !== from) StateComparison.received(comparing, from, report)
      const verdict = StateComparison.judge(comparing, configuration)
      if (verdict !== undefined) verdicts.push(verdict)
    }
  }
  const settle = (): void => {
    for (const { comparing } of members) {
      for (const own of StateComparison.due(comparing, current[comparing.nodeId]!)) broadcast(comparing.nodeId, own)
    }
  }
  let nowMs = 0
  const round = (leader: string): void => {
    const { comparing } = members.find((each) => each.comparing.nodeId === leader)!
    StateComparison.tick(comparing, { nowMs, term: 1 }, current[leader]!)
    nowMs += StateComparison.compareEveryMs
    const report = StateComparison.tick(comparing, { nowMs, term: 1 }, current[leader]!)
    if (report === undefined) throw new Error("nothing is said")
    broadcast(leader, report)
    settle()
  }
  const of = (id: string) => members.find(({ comparing }) => comparing.nodeId === id)!.comparing
  return { current, members, of, round, settle }
}

const suspects = ({ members }: ReturnType<typeof cluster>) =>
  members.flatMap(({ comparing }) => (comparing.isSuspect ? [comparing.nodeId] : []))

describe("states that are compared", () => {
  it("by former members count no more, so that a voter which was outvoted does not judge alone by an old report", () => {
    const comparing = StateComparison.make("b")
    const said = (from: string, value: number): void =>
      StateComparison.received(comparing, from, {
        _tag: "StateReport",
        term: 1,
        round: 1,
        index: 5,
        definition: 2,
        hash: lanes(value).join("")
      })
    for (const [from, value] of [["a", 9] as const, ["b", 1] as const, ["c", 1] as const]) said(from, value)
    StateComparison.judge(comparing, voters)
    assert.deepStrictEqual(comparing.difference?.outliers, ["a"])
    const fewer = {
      ...configurationOf(["a"]),
      learners: configurationOf(["b"]).voters.map((each) => ({ ...each, autoPromote: false }))
    }
    StateComparison.judge(comparing, fewer)
    said("a", 9)
    StateComparison.judge(comparing, fewer)
    assert.isFalse(comparing.isSuspect)
  })

  it("and are equal are no news", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 1) })
    all.round("a")
    assert.deepStrictEqual(
      all.members.flatMap(({ verdicts }) => verdicts),
      []
    )
    assert.deepStrictEqual(suspects(all), [])
  })

  it("make the one suspect that differs from a majority, follower or leader, and all say which and where", () => {
    for (const leader of ["a", "c"]) {
      const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) })
      all.round(leader)
      assert.deepStrictEqual(suspects(all), ["c"])
      for (const { comparing } of all.members) {
        assert.deepInclude(comparing.difference, { index: 5, outliers: ["c"] })
        assert.sameMembers(
          comparing.difference!.members.map(({ id }) => id),
          ["a", "b", "c"]
        )
      }
    }
  })

  it("make nobody suspect without a majority that agrees: the alarm is all", () => {
    for (const states of [
      { a: now(5, 1), b: now(5, 2), c: now(5, 3) },
      { a: now(5, 1), b: now(5, 2) }
    ]) {
      const all = cluster(states)
      all.round("a")
      // While one has not spoken, a majority may still come together: until the next round.
      all.round("a")
      assert.deepStrictEqual(suspects(all), [])
      for (const { comparing } of all.members) assert.deepInclude(comparing.difference, { index: 5, outliers: [] })
    }
  })

  it("of two definitions are not compared: neither does one make the other suspect, nor are they a majority", () => {
    const all = cluster({ a: now(5, 1, 2), b: now(5, 1, 2), c: now(5, 9, 3) })
    all.round("a")
    assert.deepStrictEqual([suspects(all), all.of("a").difference], [[], undefined])
    const split = cluster({ a: now(5, 1, 2), b: now(5, 2, 2), c: now(5, 1, 3) })
    split.round("a")
    assert.deepStrictEqual(suspects(split), [])
    assert.deepInclude(split.of("c").difference, { outliers: [] })
  })

  it("of one that lags are compared once it is there, at the index of the others", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(3, 7) })
    all.round("a")
    assert.deepStrictEqual(suspects(all), [])
    StateComparison.applied(all.of("c"), 5, lanes(9))
    all.current.c = now(6, 4)
    all.settle()
    assert.deepStrictEqual(suspects(all), ["c"])
    assert.strictEqual(all.of("a").difference?.members.find(({ id }) => id === "c")?.hash, `00000009${"0".repeat(24)}`)
  })

  it("say nothing of an entry whose hash is not known any more: after a snapshot, or long ago", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(6, 9) })
    all.round("a")
    assert.strictEqual(all.of("a").difference, undefined)
    StateComparison.applied(all.of("c"), 5, lanes(9))
    StateComparison.replaced(all.of("c"))
    all.round("a")
    assert.deepStrictEqual([suspects(all), all.of("a").difference], [[], undefined])
  })

  it("that were made anew are believed once a majority says the same, and then the alarm is over", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) })
    all.round("a")
    StateComparison.replaced(all.of("c"))
    assert.deepStrictEqual(suspects(all), ["c"])
    all.current.c = now(5, 1)
    all.round("a")
    assert.deepStrictEqual(suspects(all), [])
    for (const { comparing, verdicts } of all.members) {
      assert.strictEqual(comparing.difference, undefined)
      assert.deepStrictEqual(verdicts.at(-1), { _tag: "Agrees", index: 5 })
    }
  })

  it("stay suspect while the others are silent, and the alarm stays while the one that differs is", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) })
    all.round("a")
    all.current.c = now(0, 1)
    all.round("a")
    assert.deepStrictEqual(suspects(all), ["c"])
    assert.deepInclude(all.of("a").difference, { outliers: ["c"] })
  })

  it("make nobody suspect any more once no voter is left that was right: else the cluster would have no leader", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) })
    all.round("a")
    const late = all.of("c")
    // It has made its state anew, and has no round left in which it would agree with itself.
    StateComparison.replaced(late)
    StateComparison.judge(late, configurationOf(["a", "c"]))
    assert.isTrue(late.isSuspect)
    StateComparison.judge(late, configurationOf(["c"]))
    assert.isFalse(late.isSuspect)
  })

  it("that were made anew are believed where no leader asks, and judged again by the next one that does", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) })
    all.round("a")
    const late = all.of("c")
    StateComparison.passed(late, { nowMs: 9_000, leaderHeardMs: 0 })
    assert.isTrue(late.isSuspect, "it is not made anew yet")
    StateComparison.replaced(late)
    StateComparison.passed(late, { nowMs: 9_000, leaderHeardMs: undefined })
    assert.isTrue(late.isSuspect, "the others may be about to elect one")
    StateComparison.passed(late, { nowMs: 14_000, leaderHeardMs: 11_000 })
    assert.isTrue(late.isSuspect, "a leader will ask")
    StateComparison.passed(late, { nowMs: 15_000, leaderHeardMs: 11_000 })
    assert.isFalse(late.isSuspect)
    all.round("a")
    assert.isTrue(late.isSuspect)
    StateComparison.passed(late, { nowMs: 99_000, leaderHeardMs: undefined })
    assert.isTrue(late.isSuspect, "it was judged since it was made anew")
  })

  it("of a learner make it suspect too, and count for no majority", () => {
    const withLearner = {
      voters: configurationOf(["a", "b"]).voters,
      learners: configurationOf(["c"]).voters.map((each) => ({ ...each, autoPromote: false }))
    }
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 9) }, withLearner)
    all.round("a")
    assert.deepStrictEqual(suspects(all), ["c"])
    const tied = cluster({ a: now(5, 1), b: now(5, 9), c: now(5, 9) }, withLearner)
    tied.round("a")
    assert.deepStrictEqual(suspects(tied), [])
  })

  it("of an older round, said late, do not end a suspicion that is newer", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 1) })
    const late = all.of("c")
    const early: StateComparison.StateReport = {
      _tag: "StateReport",
      term: 1,
      round: 7,
      index: 5,
      definition: 2,
      hash: "0"
    }
    for (let count = 0; count < 7; count++) all.round("a")
    all.current.c = now(5, 9)
    all.round("a")
    assert.isTrue(late.isSuspect)
    for (const from of ["a", "b", "c"]) StateComparison.received(late, from, early)
    assert.strictEqual(StateComparison.judge(late, voters), undefined)
    assert.isTrue(late.isSuspect)
  })

  it("are bounded: however many rounds come, few are remembered", () => {
    const all = cluster({ a: now(5, 1), b: now(5, 1), c: now(5, 1) })
    for (let count = 0; count < 100; count++) all.round("a")
    for (const { comparing } of all.members) assert.isAtMost(comparing.rounds.length, 16)
  })
})
