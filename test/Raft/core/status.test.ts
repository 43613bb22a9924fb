/** What a node says of its members: who lags, and who is silent. */
import { assert, describe, it } from "@effect/vitest"
import { membersStatus } from "../../../src/Raft/core/Status.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { cluster, core, live, payload, receive } from "./Cores.ts"

const abc = ["a", "b", "c"]

const statusOf = (...of: Parameters<typeof membersStatus>) =>
  membersStatus(...of).map(({ id, isLeader, lagCount, lastContactMs, matchIndex }) => ({
    id,
    isLeader,
    matchIndex,
    lagCount,
    lastContactMs
  }))

describe("Status", () => {
  it("a leader knows of every member how far it is and when it was last heard", () => {
    const states = cluster(abc)
    const [a, b] = states
    live([a, b!], 200)
    const entries = [{ type: "transaction" as const, payload: payload("x") }]
    step(a, { _tag: "Propose", term: 1, lastIndex: 1, entries })
    step(a, { _tag: "Persisted", seq: a.writtenSeq })
    const result = { _tag: "Matched" as const, matchIndex: 2 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 1, result })
    assert.deepStrictEqual(statusOf(a), [
      { id: "a", isLeader: true, matchIndex: 2, lagCount: 0, lastContactMs: 0 },
      { id: "b", isLeader: false, matchIndex: 2, lagCount: 0, lastContactMs: 0 },
      { id: "c", isLeader: false, matchIndex: 1, lagCount: 1, lastContactMs: 200 }
    ])
  })

  it("a peer that never answered was never in contact", () => {
    const [a] = cluster(["a"])
    step(a, {
      _tag: "ChangeMembership",
      requestId: 1,
      change: { _tag: "AddLearner", member: { id: "l", address: "l", instanceId: "l" }, autoPromote: false }
    })
    const [, learner] = membersStatus(a)
    assert.deepInclude(learner, { id: "l", isVoter: false, matchIndex: 0, lastContactMs: undefined })
  })

  it("a follower knows of itself and of its leader, and how far that one's log is committed", () => {
    const b = core("b", abc, { terms: [1, 1, 1] })
    const beat = { _tag: "Heartbeat" as const, term: 1, leaderCommit: 9, matchIndex: 2, readNumber: 1 }
    receive(b, "a", { ...beat, lastContactMs: 40 })
    assert.deepStrictEqual([b.commitIndex, b.leaderCommit, b.contactReportedMs], [2, 9, 40])
    step(b, { _tag: "Tick", nowMs: 0, random: 0 })
    step(b, { _tag: "Tick", nowMs: 30, random: 0 })
    assert.deepStrictEqual(statusOf(b), [
      { id: "a", isLeader: true, matchIndex: undefined, lagCount: undefined, lastContactMs: 30 },
      { id: "b", isLeader: false, matchIndex: 3, lagCount: 6, lastContactMs: 0 },
      { id: "c", isLeader: false, matchIndex: undefined, lagCount: undefined, lastContactMs: undefined }
    ])
  })

  it("a beat carries how far its receiver is known to be, and when it was last heard", () => {
    const [a, b] = cluster(abc)
    const beats = live([a, b!], 100).flatMap(({ output }) => output.messages)
    const toB = beats.flatMap(({ message, to }) => (message._tag === "Heartbeat" && to === "b" ? [message] : []))
    assert.deepInclude(toB.at(-1), { matchIndex: 1, leaderCommit: 1, lastContactMs: 50 })
  })
})
