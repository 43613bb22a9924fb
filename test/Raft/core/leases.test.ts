/** Reads without a round, while a quorum's promise lasts: diss. 6.4.1, C7. */
import { assert, describe, it } from "@effect/vitest"
import type { Message } from "../../../src/Raft/core/Message.ts"
import type { RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { changeMembership, cluster, core, elect, live, member, pass, payload, receive, sent, sync } from "./Cores.ts"

const abc = ["a", "b", "c"]
const config: Partial<RaftConfig> = { readLease: { driftBoundMs: 20 } }
/** Of a lease, from when its beat was sent: an election timeout without a beat and without the drift. */
const leaseMs = 300 - 50 - 20

const read = (state: State, mayLease = true) => step(state, { _tag: "Read", readIds: [1], mayLease })

const echo = (state: State, from: string, readNumber = state.readNumber) =>
  receive(state, from, { _tag: "HeartbeatReply", term: state.currentTerm, readNumber })

/** A leader of three whose no-op is committed, and a round of beats under way, sent at the time that is returned. */
const leading = (over: Partial<RaftConfig> = config) => {
  const a = core("a", abc, { config: over })
  elect(a)
  sync(a)
  const result = { _tag: "Matched" as const, matchIndex: 1 }
  receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result })
  const before = a.readNumber
  pass(a, 50)
  assert.isAbove(a.readNumber, before)
  return { a, sentMs: a.lastTickMs! }
}

describe("leases", () => {
  it("a read is ready at once, until a lease's time after the beat was sent that a quorum echoed (diss. 6.4.1)", () => {
    const { a, sentMs } = leading()
    assert.deepStrictEqual(read(a).readsReady, [])
    echo(a, "b")
    const leaseUntilMs = sentMs + leaseMs
    assert.deepStrictEqual(read(a).readsReady, [{ readId: 1, readIndex: 1, leaseUntilMs }])
  })

  it("a lease ends, by the real clock and not by the credited time (C7)", () => {
    const { a, sentMs } = leading()
    echo(a, "b")
    step(a, { _tag: "Tick", nowMs: sentMs + leaseMs - 1, random: 0 })
    assert.strictEqual(read(a).readsReady.length, 1)
    const credited = a.nowMs
    step(a, { _tag: "Tick", nowMs: sentMs + leaseMs, random: 0 })
    assert.isBelow(a.nowMs - credited, 51)
    assert.deepStrictEqual(read(a).readsReady, [])
  })

  it("a late echo begins no lease later than its own beat was sent (C7)", () => {
    const { a, sentMs } = leading()
    const first = a.readNumber
    pass(a, 100)
    assert.isAbove(a.readNumber, first)
    echo(a, "b", first)
    assert.strictEqual(read(a).readsReady[0]?.leaseUntilMs, sentMs + leaseMs)
  })

  it("an echo of a beat too old to begin a lease begins none", () => {
    const { a } = leading()
    const first = a.readNumber
    for (let elapsed = 0; elapsed < 400; elapsed += 50) {
      pass(a, 50)
      echo(a, "c", first)
    }
    assert.strictEqual(a.role._tag, "Leader")
    assert.deepStrictEqual(read(a).readsReady, [])
  })

  it("without being configured, or asked for, there is none: a round confirms every read (C7)", () => {
    const plain = leading({})
    echo(plain.a, "b")
    assert.deepStrictEqual(read(plain.a).readsReady, [])
    const { a } = leading()
    echo(a, "b")
    assert.deepStrictEqual(read(a, false).readsReady, [])
  })

  it("before the term's no-op is committed there is none (diss. 6.4, C4)", () => {
    const a = core("a", abc, { config })
    elect(a)
    pass(a, 50)
    echo(a, "b")
    assert.deepStrictEqual(read(a).readsReady, [])
  })

  it("an answer decided on what is not committed waits for a round (D2)", () => {
    const { a } = leading()
    echo(a, "b")
    const entries = [{ type: "transaction" as const, payload: payload("x") }]
    step(a, { _tag: "Propose", term: 1, lastIndex: 1, entries })
    const waiting = step(a, { _tag: "Read", readIds: [1], atLeastIndex: 2, mayLease: true })
    assert.deepStrictEqual(waiting.readsReady, [])
  })

  it("in a joint configuration both majorities must have promised (§6)", () => {
    const { a } = leading()
    changeMembership(a, { _tag: "AddLearner", member: member("d"), autoPromote: false })
    sync(a)
    for (const peer of ["b", "d"]) {
      const result = { _tag: "Matched" as const, matchIndex: 2 }
      receive(a, peer, { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result })
    }
    const joint = changeMembership(a, { _tag: "ReplaceVoters", voters: ["a", "d"] })
    assert.strictEqual(joint.membership?._tag, "Accepted")
    pass(a, 50)
    echo(a, "b")
    assert.deepStrictEqual(read(a).readsReady, [])
    echo(a, "d")
    assert.strictEqual(read(a).readsReady.length, 1)
  })

  it("once another was told to campaign there is none for the rest of the term (diss. 3.10, 6.4.1)", () => {
    const { a } = leading()
    step(a, { _tag: "TransferLeadership", to: "b" })
    for (let elapsed = 0; elapsed < 400; elapsed += 50) {
      pass(a, 40)
      for (const peer of ["b", "c"]) echo(a, peer)
    }
    assert.isTrue(a.role._tag === "Leader" && a.role.transfer === undefined)
    assert.deepStrictEqual(read(a).readsReady, [])
  })

  it("a node that decides alone waits all the same: it may have promised a leader that leaves (§6, C7)", () => {
    const a = core("a", ["a"], { config })
    pass(a, 290)
    assert.strictEqual(a.role._tag, "Follower")
    pass(a, 10)
    assert.strictEqual(a.role._tag, "Candidate")
  })

  it("a node that decides alone needs no promise", () => {
    const a = core("a", ["a"], { config })
    elect(a)
    sync(a)
    assert.deepStrictEqual(read(a).readsReady, [{ readId: 1, readIndex: 1, leaseUntilMs: Number.POSITIVE_INFINITY }])
  })

  it("a follower asks its leader as ever, and the leader confirms that by a round (C7)", () => {
    const { a } = leading()
    echo(a, "b")
    const asked = receive(a, "b", { _tag: "ReadIndex", term: 1, life: 1, requestId: 9 })
    assert.deepStrictEqual(
      sent([asked]).filter(({ _tag }) => _tag === "ReadIndexReply"),
      []
    )
    const b = core("b", abc, { config, currentTerm: 1 })
    pass(b, 0)
    receive(b, "a", {
      _tag: "Heartbeat",
      term: 1,
      leaderCommit: 0,
      matchIndex: 0,
      lastContactMs: undefined,
      readNumber: 1
    })
    assert.deepStrictEqual(
      sent([read(b)]).map(({ _tag }) => _tag),
      ["ReadIndex"]
    )
  })

  it("a node that starts keeps the promise that it may have made before, also before its first tick (C7)", () => {
    const ask = { _tag: "RequestVote" as const, term: 5, preVote: false, transfer: false }
    const candidate = { ...ask, lastLogIndex: 9, lastLogTerm: 4 }
    const restarted = core("a", abc, { config, currentTerm: 4 })
    assert.deepStrictEqual([receive(restarted, "b", candidate).messages, restarted.currentTerm], [[], 4])
    pass(restarted, 290)
    receive(restarted, "b", candidate)
    assert.strictEqual(restarted.votedFor, undefined)
    pass(restarted, 10)
    receive(restarted, "b", candidate)
    assert.strictEqual(restarted.votedFor, "b")
    const plain = core("a", abc, { currentTerm: 4 })
    receive(plain, "b", candidate)
    assert.strictEqual(plain.votedFor, "b")
  })

  /** Every message that can tell a voter of term 2, but a request for its vote. */
  const tellOfTerm2: ReadonlyArray<Message> = [
    { _tag: "RequestVoteReply", term: 2, preVote: true, granted: false },
    { _tag: "RequestVoteReply", term: 2, preVote: false, granted: false },
    { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 0, result: { _tag: "Matched", matchIndex: 0 } },
    { _tag: "HeartbeatReply", term: 2, readNumber: 0 },
    { _tag: "ReadIndex", term: 2, life: 1, requestId: 1 },
    { _tag: "ReadIndexReply", term: 2, life: 1, requestId: 1, readIndex: undefined },
    { _tag: "InstallSnapshotReply", term: 2, snapshotIndex: 0, receivedBytes: 0, installed: false }
  ]
  const ofTerm2 = { _tag: "RequestVote", term: 2, preVote: false, lastLogIndex: 9, lastLogTerm: 1 } as const

  /** A follower that has just echoed a beat of `a`, which leads term 1. */
  const promising = () => {
    const b = core("b", abc, { config })
    pass(b, 0)
    const beat = { term: 1, leaderCommit: 0, matchIndex: 0, lastContactMs: undefined, readNumber: 1 }
    receive(b, "a", { _tag: "Heartbeat", ...beat })
    assert.deepStrictEqual(sent([sync(b)]), [{ _tag: "HeartbeatReply", term: 1, readNumber: 1 }])
    return b
  }

  const votes = (state: State, candidate: Message) => {
    receive(state, "c", candidate)
    return sent([sync(state)])
  }

  for (const message of tellOfTerm2) {
    it(`a voter keeps its promise in a term that it learned of by ${JSON.stringify(message)} (diss. 6.4.1)`, () => {
      const b = promising()
      receive(b, "c", message)
      assert.strictEqual(b.currentTerm, 2)
      pass(b, 290)
      receive(b, "c", { ...ofTerm2, transfer: false })
      assert.strictEqual(b.votedFor, undefined)
      pass(b, 10)
      receive(b, "c", { ...ofTerm2, transfer: false })
      assert.strictEqual(b.votedFor, "c")
    })
  }

  it("a refusal for the sake of a promise is said, so that the candidate does not wait in vain", () => {
    const b = promising()
    receive(b, "c", tellOfTerm2[0]!)
    sync(b)
    const refusal = { _tag: "RequestVoteReply" as const, term: 2, preVote: false, granted: false }
    assert.deepStrictEqual(sent([receive(b, "c", { ...ofTerm2, transfer: false })]), [refusal])
  })

  it("a voter that started again in the candidate's term keeps the promise of its former life (diss. 6.4.1)", () => {
    const restarted = core("b", abc, { config, currentTerm: 2 })
    receive(restarted, "c", { ...ofTerm2, transfer: false })
    pass(restarted, 290)
    receive(restarted, "c", { ...ofTerm2, transfer: false })
    assert.strictEqual(restarted.votedFor, undefined)
    pass(restarted, 10)
    receive(restarted, "c", { ...ofTerm2, transfer: false })
    assert.strictEqual(restarted.votedFor, "c")
  })

  it("the leader's own hand-over releases a voter from its promise, in a term that it knows already (diss. 3.10)", () => {
    const b = promising()
    receive(b, "c", tellOfTerm2[0]!)
    const granted = { _tag: "RequestVoteReply" as const, term: 2, preVote: false, granted: true }
    assert.deepStrictEqual(votes(b, { ...ofTerm2, transfer: true }), [granted])
  })

  it("promises to a leader that is deposed delay the next one by no more than an election timeout (diss. 6.4.1)", () => {
    const [a, b, c] = cluster(abc, config) as [State, State, State]
    live([a, b, c], 200)
    assert.strictEqual(a.role._tag, "Leader")
    // A candidate that nobody heard of has begun term 2: the first of its refusals that is heard deposes the leader.
    receive(a, "c", tellOfTerm2[3]!)
    for (const state of [b, c]) receive(state, "a", tellOfTerm2[0]!)
    sync(a)
    for (const state of [b, c]) {
      receive(state, "a", { ...ofTerm2, transfer: false })
      assert.deepStrictEqual([state.currentTerm, state.votedFor], [2, undefined])
    }
    const { electionTimeoutMaxMs, electionTimeoutMinMs } = a.config
    live([a, b, c], electionTimeoutMaxMs + electionTimeoutMinMs)
    assert.strictEqual([a, b, c].filter(({ role }) => role._tag === "Leader").length, 1)
  })
})
