import { assert, describe, it } from "@effect/vitest"
import { farBehindCount, mustWait, sent } from "../../../src/Raft/core/Pacing.ts"
import type { Leader, State } from "../../../src/Raft/core/State.ts"
import { cluster, live } from "./Cores.ts"

/** A leader of three that has committed far more than peer `c` holds; one mebibyte was just sent to that one. */
const behind = () => {
  const [a] = cluster(["a", "b", "c"], {}) as [State, State, State]
  const leader = a.role as Leader
  a.commitIndex = farBehindCount * 3
  leader.progress.get("b")!.matchIndex = a.commitIndex
  const progress = leader.progress.get("c")!
  sent(a, progress, 1024 * 1024)
  return { a, leader, progress, waits: () => mustWait(a, leader, "c", progress) }
}

describe("Pacing", () => {
  it("a peer that is far behind waits for its share of time, and is then sent more", () => {
    const { a, waits } = behind()
    assert.isTrue(waits())
    a.nowMs += 124
    assert.isTrue(waits())
    a.nowMs += 1
    assert.isFalse(waits())
  })

  it("one that lags a little, and one to whom leadership is handed over, does not wait (diss. 3.10)", () => {
    const lagging = behind()
    lagging.progress.matchIndex = lagging.a.commitIndex - farBehindCount
    assert.isFalse(lagging.waits())
    const chosen = behind()
    chosen.leader.transfer = { target: "c", deadlineMs: 1000, isTold: false }
    assert.isFalse(chosen.waits())
  })

  it("one that a commit may have to wait for does not wait: another is silent, or as far behind", () => {
    const silent = behind()
    silent.leader.progress.get("b")!.heardMs = Number.NEGATIVE_INFINITY
    assert.isFalse(silent.waits())
    const both = behind()
    both.leader.progress.get("b")!.matchIndex = 0
    assert.isFalse(both.waits())
  })

  it("one that loses ground, though it is sent all that it may be, is sent as much as it takes", () => {
    const { a, progress, waits } = behind()
    a.commitIndex += 10
    sent(a, progress, 1024 * 1024)
    assert.isFalse(waits())
    progress.matchIndex += 100
    sent(a, progress, 1024 * 1024)
    assert.isTrue(waits())
  })

  it("a cluster in step is not paced", () => {
    const states = cluster(["a", "b", "c"], {})
    live(states, 100)
    const leader = states[0]!.role as Leader
    for (const [peer, progress] of leader.progress) assert.isFalse(mustWait(states[0]!, leader, peer, progress))
  })
})
