/** Leader election: Raft §5.2, §5.4.1, diss. 6.2, 9.6. */
import { assert, describe, it } from "@effect/vitest"
import type { Message } from "../../../src/Raft/core/Message.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { core, elect, pass, receive, sent, settle, sync } from "./Cores.ts"

const abc = ["a", "b", "c"]

describe("election", () => {
  it("a single voter elects itself once its vote is durable, and commits alone (§5.2)", () => {
    const a = core("a", ["a"])
    const output = step(a, { _tag: "Tick", nowMs: 0, random: 0.5 })
    assert.deepStrictEqual(output.write?.hardState, { currentTerm: 1, votedFor: "a" })
    assert.strictEqual(a.role._tag, "Candidate")
    const elected = sync(a)
    assert.deepStrictEqual(elected.roleChanged, { role: "leader", term: 1, leader: "a" })
    assert.strictEqual(elected.write?.entries[0]?.type, "noop")
    assert.strictEqual(a.commitIndex, 0)
    assert.deepStrictEqual(sync(a).apply, { fromIndex: 1, toIndex: 1 })
  })

  it("three nodes elect one leader, which commits a no-op on all (§5.2, diss. 6.4)", () => {
    const states = abc.map((name) => core(name, abc))
    const ticks = [0, 50, 100, 150, 200, 250, 300, 350, 400]
    for (const nowMs of ticks) {
      const inputs = states.map(({ nodeId }, at) => ({
        to: nodeId,
        input: { _tag: "Tick" as const, nowMs, random: at / 3 }
      }))
      settle(states, inputs)
    }
    assert.deepStrictEqual(
      states.map((each) => each.role._tag),
      ["Leader", "Follower", "Follower"]
    )
    assert.deepStrictEqual(
      states.map((each) => each.lastApplied),
      [1, 1, 1]
    )
  })

  it("a follower that hears no leader asks for pre-votes without starting a term (diss. 9.6)", () => {
    const a = core("a", abc, { terms: [1, 1], currentTerm: 2 })
    const messages = sent(pass(a, 300))
    assert.strictEqual(a.currentTerm, 2)
    const ask = {
      _tag: "RequestVote" as const,
      term: 3,
      preVote: true,
      lastLogIndex: 2,
      lastLogTerm: 1,
      transfer: false
    }
    assert.deepStrictEqual(messages, [ask, ask])
  })

  it("a candidate asks for votes only once its own term and vote are durable (Fig. 2, C1)", () => {
    const a = core("a", abc)
    pass(a, 300)
    const output = receive(a, "b", { _tag: "RequestVoteReply", term: 1, preVote: true, granted: true })
    assert.deepStrictEqual(output.write?.hardState, { currentTerm: 1, votedFor: "a" })
    assert.deepStrictEqual(output.messages, [])
    const ask = {
      _tag: "RequestVote" as const,
      term: 1,
      preVote: false,
      lastLogIndex: 0,
      lastLogTerm: 0,
      transfer: false
    }
    assert.deepStrictEqual(sent([sync(a)]), [ask, ask])
  })

  it("a candidate counts its own vote once that is durable, and not with an earlier write (Fig. 2, C1)", () => {
    // The mark of the snapshot that it was restored from is still to be written when it campaigns.
    const snapshot = { index: 1, term: 1 }
    const a = core("a", ["a"], { terms: [1], snapshot, mark: { index: 0, term: 0 } })
    const marking = step(a, { _tag: "Applied", index: 1 })
    const campaigning = step(a, { _tag: "Tick", nowMs: 0, random: 0 })
    assert.deepStrictEqual(campaigning.write?.hardState, { currentTerm: 2, votedFor: "a" })
    step(a, { _tag: "Persisted", seq: marking.write!.seq })
    assert.strictEqual(a.role._tag, "Candidate")
    step(a, { _tag: "Persisted", seq: campaigning.write!.seq })
    assert.strictEqual(a.role._tag, "Leader")
  })

  it("a vote leaves only once it is durable, and is given once per term (Fig. 2, C1)", () => {
    const a = core("a", abc)
    const ask = {
      _tag: "RequestVote" as const,
      term: 1,
      preVote: false,
      lastLogIndex: 0,
      lastLogTerm: 0,
      transfer: false
    }
    const output = receive(a, "b", ask)
    assert.deepStrictEqual(output.write?.hardState, { currentTerm: 1, votedFor: "b" })
    assert.deepStrictEqual(output.messages, [])
    assert.deepStrictEqual(sent([sync(a)]), [{ _tag: "RequestVoteReply", term: 1, preVote: false, granted: true }])
    const refused = receive(a, "c", ask)
    assert.deepStrictEqual(sent([refused]), [{ _tag: "RequestVoteReply", term: 1, preVote: false, granted: false }])
  })

  describe("no answer leaves before the term that it names is durable (Fig. 2, C1)", () => {
    const term = 5
    const snapshot = { configuration: new Uint8Array(), totalBytes: 1, digest: "", offset: 0, chunk: new Uint8Array(1) }
    const beat = { leaderCommit: 0, matchIndex: 0, lastContactMs: undefined, readNumber: 1 }
    const append = { entries: [], leaderCommit: 0 }
    const questions: ReadonlyArray<Message> = [
      { _tag: "RequestVote", term, preVote: false, lastLogIndex: 0, lastLogTerm: 0, transfer: false },
      { _tag: "AppendEntries", term, prevLogIndex: 1, prevLogTerm: 1, ...append },
      { _tag: "AppendEntries", term, prevLogIndex: 4, prevLogTerm: 4, ...append },
      { _tag: "Heartbeat", term, ...beat },
      { _tag: "ReadIndex", term, life: 1, requestId: 1 },
      { _tag: "InstallSnapshot", term, snapshotIndex: 0, snapshotTerm: 0, ...snapshot }
    ]
    for (const question of questions) {
      it(`to ${question._tag} of a newer term, and of an older one`, () => {
        const a = core("a", abc, { terms: [1] })
        assert.deepStrictEqual(receive(a, "b", question).messages, [])
        assert.deepStrictEqual(
          sent([sync(a)]).map((answer) => answer.term),
          [term]
        )
        receive(a, "c", { _tag: "TimeoutNow", term: term + 2 })
        sync(a)
        receive(a, "c", { _tag: "TimeoutNow", term: term + 4 })
        assert.deepStrictEqual(receive(a, "b", question).messages, [])
        assert.include(
          sent([sync(a)]).map((answer) => answer.term),
          a.currentTerm
        )
      })
    }

    it("to a chunk of a snapshot, once that is stored", () => {
      const a = core("a", abc, { terms: [1] })
      const chunk: Message = { _tag: "InstallSnapshot", term, snapshotIndex: 9, snapshotTerm: 4, ...snapshot }
      assert.isDefined(receive(a, "b", chunk).snapshotChunk)
      const stored = step(a, { _tag: "SnapshotReceived", from: "b", snapshotIndex: 9, receivedBytes: 1 })
      assert.deepStrictEqual(stored.messages, [])
      assert.deepInclude(sent([sync(a)])[0], { _tag: "InstallSnapshotReply", term, receivedBytes: 1 })
    })
  })

  it("a restarted node keeps the vote that its disk holds (Fig. 2, C1)", () => {
    const a = core("a", abc, { currentTerm: 1, votedFor: "b" })
    const ask = {
      _tag: "RequestVote" as const,
      term: 1,
      preVote: false,
      lastLogIndex: 9,
      lastLogTerm: 1,
      transfer: false
    }
    assert.deepStrictEqual(sent([receive(a, "c", ask)]), [
      { _tag: "RequestVoteReply", term: 1, preVote: false, granted: false }
    ])
  })

  it("a voter refuses a candidate whose log is less up to date (§5.4.1)", () => {
    for (const behind of [
      { lastLogIndex: 9, lastLogTerm: 1 },
      { lastLogIndex: 1, lastLogTerm: 2 }
    ]) {
      const a = core("a", abc, { terms: [1, 2] })
      receive(a, "b", { _tag: "RequestVote", term: 3, preVote: false, transfer: false, ...behind })
      assert.strictEqual(a.currentTerm, 3)
      assert.strictEqual(a.votedFor, undefined)
    }
  })

  it("a node that hears a leader refuses votes and keeps its term (diss. 4.2.3, C9)", () => {
    const a = core("a", abc)
    pass(a, 0)
    receive(a, "b", {
      _tag: "Heartbeat",
      term: 1,
      leaderCommit: 0,
      matchIndex: 0,
      lastContactMs: undefined,
      readNumber: 1
    })
    const ask = { _tag: "RequestVote" as const, term: 7, lastLogIndex: 9, lastLogTerm: 6, transfer: false }
    assert.deepStrictEqual(receive(a, "c", { ...ask, preVote: false }).messages, [])
    receive(a, "c", { ...ask, preVote: true })
    assert.strictEqual(a.currentTerm, 1)
    assert.deepStrictEqual(sent([sync(a)]).slice(-1), [
      { _tag: "RequestVoteReply", term: 1, preVote: true, granted: false }
    ])
  })

  it("who votes for a candidate gives it the time to lead before it campaigns itself (§5.2)", () => {
    const a = core("a", abc)
    pass(a, 290)
    const request = { preVote: false, lastLogIndex: 0, lastLogTerm: 0, transfer: false }
    receive(a, "b", { _tag: "RequestVote", term: 1, ...request })
    pass(a, 290)
    assert.strictEqual(a.role._tag, "Follower")
    pass(a, 20)
    assert.strictEqual(a.role._tag, "PreCandidate")
  })

  it("a candidate that nobody answers asks again after an election timeout, and not before (§5.2)", () => {
    const a = core("a", abc)
    pass(a, 300)
    receive(a, "b", { _tag: "RequestVoteReply", term: 1, preVote: true, granted: true })
    sync(a)
    pass(a, 290)
    assert.strictEqual(a.role._tag, "Candidate")
    pass(a, 20)
    assert.strictEqual(a.role._tag, "PreCandidate")
    assert.strictEqual(a.currentTerm, 1)
  })

  it("a second leader of one term is a broken invariant (§5.2)", () => {
    const beat = { leaderCommit: 0, matchIndex: 0, lastContactMs: undefined, readNumber: 1 }
    const a = core("a", abc)
    receive(a, "b", { _tag: "Heartbeat", term: 1, ...beat })
    assert.throws(() => receive(a, "c", { _tag: "Heartbeat", term: 1, ...beat }), /c and b both lead term 1/)
    const leading = core("a", abc)
    elect(leading)
    assert.throws(() => receive(leading, "c", { _tag: "Heartbeat", term: 1, ...beat }), /c and a both lead term 1/)
  })

  it("a leader beats once in an interval (§5.2)", () => {
    const a = core("a", abc)
    elect(a)
    const beats = sent(pass(a, 200)).filter(({ _tag }) => _tag === "Heartbeat")
    assert.strictEqual(beats.length, 2 * 4)
  })

  it("a candidate steps down on AppendEntries of its own term (§5.2)", () => {
    const a = core("a", abc)
    pass(a, 300)
    receive(a, "b", { _tag: "RequestVoteReply", term: 1, preVote: true, granted: true })
    const append = { _tag: "AppendEntries" as const, term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0 }
    const output = receive(a, "c", { ...append, entries: [] })
    assert.deepStrictEqual(output.roleChanged, { role: "follower", term: 1, leader: "c" })
  })

  it("a leader of an older term learns the newer one from a reply and steps down (§5.1)", () => {
    const a = core("a", abc)
    elect(a)
    const output = receive(a, "b", { _tag: "HeartbeatReply", term: 5, readNumber: 0 })
    assert.deepStrictEqual(output.roleChanged, { role: "follower", term: 5, leader: undefined })
  })

  it("a leader cut from a quorum steps down within an election timeout (diss. 6.2, C20)", () => {
    const a = core("a", abc)
    elect(a)
    pass(a, 290)
    assert.strictEqual(a.role._tag, "Leader")
    pass(a, 10)
    assert.strictEqual(a.role._tag, "Follower")
  })

  it("messages of a peer that does not answer are no contact with it (C9)", () => {
    const a = core("a", abc)
    elect(a)
    for (let at = 0; at < 31; at++) {
      receive(a, "b", { _tag: "RequestVote", term: 2, preVote: true, lastLogIndex: 0, lastLogTerm: 0, transfer: false })
      pass(a, 10)
    }
    assert.notStrictEqual(a.role._tag, "Leader")
  })

  it("a pause of the process counts as one heartbeat interval, so it deposes nobody (C19)", () => {
    const a = core("a", abc)
    elect(a)
    step(a, { _tag: "Tick", nowMs: 1_000_000, random: 0 })
    assert.strictEqual(a.role._tag, "Leader")
  })

  it("a leader whose disk stalls steps down, and campaigns only once a write completes (C20)", () => {
    const a = core("a", ["a"])
    elect(a)
    const output = step(a, { _tag: "DiskStalled" })
    assert.strictEqual(output.roleChanged?.role, "follower")
    pass(a, 700)
    assert.strictEqual(a.role._tag, "Follower")
    sync(a)
    pass(a, 700)
    assert.strictEqual(a.role._tag, "Candidate")
  })
})
