/** Log replication: Raft §5.3, §5.4.2. */
import { assert, describe, it } from "@effect/vitest"
import type { LogEntry } from "../../../src/EventStore/LogEntry.ts"
import { type AppendEntries, entriesMaxCount, isNotice, type Message } from "../../../src/Raft/core/Message.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { decode, encode } from "../../../src/Raft/peers/Wire.ts"
import { core, elect, entry, pass, payload, receive, sent, settle, sync } from "./Cores.ts"

const abc = ["a", "b", "c"]

const appendEntries = (message: Partial<AppendEntries>): AppendEntries => ({
  _tag: "AppendEntries",
  term: 1,
  prevLogIndex: 0,
  prevLogTerm: 0,
  entries: [],
  leaderCommit: 0,
  ...message
})

const transaction = (text: string) => ({ type: "transaction" as const, payload: payload(text) })

describe("replication", () => {
  it("a leader sends in parallel with its own write, and counts itself once that is durable (diss. 10.2.1)", () => {
    const a = core("a", abc)
    const elected = elect(a)
    assert.strictEqual(elected.write?.entries.length, 1)
    assert.strictEqual(elected.messages.length, 2)
    const matched = { _tag: "Matched" as const, matchIndex: 1 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: matched })
    assert.strictEqual(a.commitIndex, 0)
    sync(a)
    assert.strictEqual(a.commitIndex, 1)
  })

  it("a quorum of followers commits without the leader's disk, which applies only once durable (C2)", () => {
    const a = core("a", abc)
    elect(a)
    const matched = { _tag: "Matched" as const, matchIndex: 1 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: matched })
    const output = receive(a, "c", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: matched })
    assert.strictEqual(a.commitIndex, 1)
    assert.strictEqual(output.apply, undefined)
    assert.deepStrictEqual(sync(a).apply, { fromIndex: 1, toIndex: 1 })
  })

  it("a commit is told at once by notices, which no follower answers unless the term is over (§5.1)", () => {
    const a = core("a", abc)
    const b = core("b", abc)
    const [first] = sent([elect(a)])
    sync(a)
    receive(b, "a", first!)
    const [acknowledgement] = sent([sync(b)])
    const notices = sent([receive(a, "b", acknowledgement!)])
    assert.deepStrictEqual(notices.map(isNotice), [true])
    assert.deepStrictEqual(receive(b, "a", notices[0]!).messages, [])
    assert.strictEqual(b.commitIndex, 1)
    const deposed = sent([receive(core("c", abc, { currentTerm: 2 }), "a", notices[0]!)])
    assert.deepStrictEqual(deposed, [{ _tag: "HeartbeatReply", term: 2, readNumber: 0 }])
    // The echo of an earlier release, which answers every beat.
    assert.deepStrictEqual(receive(a, "b", { _tag: "HeartbeatReply", term: 1, readNumber: 0 }).messages, [])
  })

  it("entries of an older term commit only under one of the current term (§5.4.2, Fig. 8, C3)", () => {
    const a = core("a", abc, { terms: [1, 2], currentTerm: 3 })
    elect(a)
    sync(a)
    const reply = { _tag: "AppendEntriesReply" as const, term: 4, prevLogIndex: 0 }
    receive(a, "b", { ...reply, result: { _tag: "Matched", matchIndex: 2 } })
    assert.strictEqual(a.commitIndex, 0)
    receive(a, "b", { ...reply, result: { _tag: "Matched", matchIndex: 3 } })
    assert.strictEqual(a.commitIndex, 3)
  })

  it("a follower answers only once the entries are durable (Fig. 2, C2)", () => {
    const a = core("a", abc)
    const output = receive(a, "b", appendEntries({ entries: [entry(1, 1)], leaderCommit: 1 }))
    assert.strictEqual(output.write?.entries.length, 1)
    assert.deepStrictEqual([output.messages, output.apply], [[], undefined])
    const synced = sync(a)
    assert.deepStrictEqual(sent([synced]), [
      { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: { _tag: "Matched", matchIndex: 1 } }
    ])
    assert.deepStrictEqual(synced.apply, { fromIndex: 1, toIndex: 1 })
  })

  it("a follower that lacks the previous entry says where its log ends, or its conflicting term begins (§5.3)", () => {
    const short = core("a", abc, { terms: [1] })
    assert.deepStrictEqual(sent([receive(short, "b", appendEntries({ prevLogIndex: 5, prevLogTerm: 1 }))]), [
      {
        _tag: "AppendEntriesReply",
        term: 1,
        prevLogIndex: 5,
        result: { _tag: "Conflict", conflictTerm: 0, firstIndex: 2 }
      }
    ])
    const other = core("a", abc, { terms: [1, 2, 2, 2] })
    receive(other, "b", appendEntries({ term: 3, prevLogIndex: 4, prevLogTerm: 3 }))
    assert.deepStrictEqual(sent([sync(other)]), [
      {
        _tag: "AppendEntriesReply",
        term: 3,
        prevLogIndex: 4,
        result: { _tag: "Conflict", conflictTerm: 2, firstIndex: 2 }
      }
    ])
  })

  it("a follower truncates on a real conflict only (§5.3, C8)", () => {
    const a = core("a", abc, { terms: [1, 1, 1] })
    const late = receive(a, "b", appendEntries({ entries: [entry(1, 1)] }))
    assert.strictEqual(late.write, undefined)
    assert.strictEqual(a.log.lastIndex, 3)
    const output = receive(a, "c", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2)] }))
    assert.strictEqual(output.write?.truncateFromIndex, 2)
    assert.deepStrictEqual([a.log.lastIndex, RaftLog.termAt(a.log, 2), a.durableIndex], [2, 2, 1])
  })

  it("a conflict at or below the commit index is a broken invariant (C8)", () => {
    const a = core("a", abc, { terms: [1, 1] })
    receive(a, "b", appendEntries({ prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }))
    assert.strictEqual(a.commitIndex, 2)
    assert.throws(() =>
      receive(a, "c", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2)] }))
    )
  })

  it("an entry overwritten before its write was synced is not counted durable by that write (C2)", () => {
    const a = core("a", abc)
    const first = receive(a, "b", appendEntries({ entries: [entry(1, 1), entry(2, 1)] }))
    receive(a, "c", appendEntries({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [entry(2, 2)] }))
    step(a, { _tag: "Persisted", seq: first.write!.seq })
    assert.strictEqual(a.durableIndex, 1)
    sync(a)
    assert.strictEqual(a.durableIndex, 2)
  })

  it("a leader skips a whole conflicting term per refusal (§5.3)", () => {
    const a = core("a", abc, { terms: [1, 1, 3, 3, 3], currentTerm: 4 })
    elect(a)
    const result = { _tag: "Conflict" as const, conflictTerm: 2, firstIndex: 3 }
    const output = receive(a, "b", { _tag: "AppendEntriesReply", term: 5, prevLogIndex: 5, result })
    const probe = output.messages[0]?.message
    assert.deepInclude(probe, { _tag: "AppendEntries", prevLogIndex: 2, prevLogTerm: 1 })
  })

  it("a batch is appended exactly where it was decided, or refused whole (C18)", () => {
    const a = core("a", abc)
    const batch = { _tag: "Propose" as const, term: 1, lastIndex: 1, entries: [transaction("x"), transaction("y")] }
    assert.deepStrictEqual(step(a, batch).proposal, { _tag: "Refused", reason: "notLeader" })
    elect(a)
    assert.deepStrictEqual(step(a, { ...batch, lastIndex: 0 }).proposal, { _tag: "Refused", reason: "stale" })
    assert.deepStrictEqual(step(a, batch).proposal, { _tag: "Accepted", firstIndex: 2, lastIndex: 3 })
    assert.deepStrictEqual(step(a, batch).proposal, { _tag: "Refused", reason: "stale" })
  })

  it("once the cap on uncommitted bytes is reached all is refused as overloaded, until some commit", () => {
    const a = core("a", ["a"], { config: { uncommittedBytes: 3 } })
    elect(a)
    const propose = () =>
      step(a, {
        _tag: "Propose",
        term: a.currentTerm,
        lastIndex: a.log.lastIndex,
        entries: [transaction("abc")]
      }).proposal
    assert.strictEqual(propose()?._tag, "Accepted")
    assert.deepStrictEqual(propose(), { _tag: "Refused", reason: "overloaded" })
    sync(a)
    assert.strictEqual(propose()?._tag, "Accepted")
  })

  it("replication is pipelined up to the caps on messages in flight (diss. 10.2.1)", () => {
    const a = core("a", ["a", "b"], { config: { inflightMessagesCount: 2 } })
    elect(a)
    const matched = { _tag: "Matched" as const, matchIndex: 1 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: matched })
    const counts = ["x", "y", "z"].map((text) => {
      const lastIndex = a.log.lastIndex
      return step(a, { _tag: "Propose", term: 1, lastIndex, entries: [transaction(text)] }).messages.length
    })
    assert.deepStrictEqual(counts, [1, 1, 0])
  })

  it("so it is up to the cap on bytes in flight, of which what was lost takes nothing (diss. 10.2.1)", () => {
    const a = core("a", ["a", "b"], { config: { inflightBytes: 10, appendBatchBytes: 4 } })
    elect(a)
    const matched = (matchIndex: number) =>
      sent([
        receive(a, "b", {
          _tag: "AppendEntriesReply",
          term: 1,
          prevLogIndex: 0,
          result: { _tag: "Matched", matchIndex }
        })
      ]).flatMap((message) => (message._tag === "AppendEntries" ? message.entries.map(({ index }) => index) : []))
    matched(1)
    const entries = ["aaaa", "bbbb", "cccc", "dddd"].map(transaction)
    const output = step(a, { _tag: "Propose", term: 1, lastIndex: 1, entries })
    assert.strictEqual(sent([output]).length, 3)
    step(a, { _tag: "PeerUnreachable", peer: "b" })
    pass(a, 60)
    assert.deepStrictEqual(matched(1), [2, 3, 4])
    assert.deepStrictEqual(matched(2), [5])
  })

  it("a peer that goes on acknowledging is not overdue, however long something is in flight (§5.3)", () => {
    const a = core("a", ["a", "b"])
    elect(a)
    const modes = new Set<string | undefined>()
    for (let index = 1; index < 20; index++) {
      const entries = [transaction("x")]
      step(a, { _tag: "Propose", term: 1, lastIndex: a.log.lastIndex, entries })
      const result = { _tag: "Matched" as const, matchIndex: index }
      receive(a, "b", { _tag: "AppendEntriesReply", term: 1, prevLogIndex: index - 1, result })
      pass(a, 50)
      modes.add(a.role._tag === "Leader" ? a.role.progress.get("b")?.mode._tag : undefined)
    }
    assert.deepStrictEqual([...modes], ["Replicate"])
  })

  it("a peer behind the window is served through one read of the log at a time", () => {
    const a = core("a", ["a", "b"], { terms: [1, 1, 1] })
    elect(a)
    const conflict = { _tag: "Conflict" as const, conflictTerm: 0, firstIndex: 1 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 3, result: conflict })
    const matched = { _tag: "Matched" as const, matchIndex: 0 }
    const output = receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 0, result: matched })
    assert.deepStrictEqual(output.readLog, [{ peer: "b", fromIndex: 1, toIndex: 4, maxBytes: 1024 * 1024 }])
    assert.deepStrictEqual(
      pass(a, 100).flatMap((each) => each.readLog),
      []
    )
    const entries = [entry(1, 1), entry(2, 1), entry(3, 1)]
    const served = sent([step(a, { _tag: "LogRead", peer: "b", entries })])
    assert.deepStrictEqual(
      served.map((each) => each._tag === "AppendEntries" && each.entries.length),
      [3, 1]
    )
    // What was asked for by an earlier leadership comes late, or twice: nobody waits for it.
    assert.deepStrictEqual(step(a, { _tag: "LogRead", peer: "b", entries }).messages, [])
  })

  for (const where of ["memory", "the log on disk"]) {
    it(`a message holds no more entries than its receiver takes, however small they are (from ${where})`, () => {
      const terms = Array.from({ length: entriesMaxCount + 1 }, () => 1)
      const a = core("a", ["a", "b"], where === "memory" ? {} : { terms })
      elect(a)
      const noops = terms.map((term, at): LogEntry => ({ index: at + 1, term, type: "noop", payload: payload("") }))
      if (where === "memory") {
        step(a, {
          _tag: "Propose",
          term: 1,
          lastIndex: 1,
          entries: noops.map(({ type, payload }) => ({ type, payload }))
        })
      } else {
        const conflict = { _tag: "Conflict" as const, conflictTerm: 0, firstIndex: 1 }
        receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: a.log.lastIndex - 1, result: conflict })
      }
      const matched = { _tag: "Matched" as const, matchIndex: 0 }
      const term = a.currentTerm
      const output = receive(a, "b", { _tag: "AppendEntriesReply", term, prevLogIndex: 0, result: matched })
      const read = output.readLog.map(({ fromIndex, peer, toIndex }) => {
        return step(a, { _tag: "LogRead", peer, entries: noops.slice(fromIndex - 1, toIndex) })
      })
      const [first] = sent([...read, output])
      assert.isTrue(first?._tag === "AppendEntries" && first.entries.length === entriesMaxCount)
      assert.strictEqual(decode(encode(first!))._tag, "AppendEntries")
    })
  }

  it("what anybody answers who is sent nothing changes nothing (§6)", () => {
    const a = core("a", ["a", "b"], { terms: [1] })
    elect(a)
    const term = 2
    const answers: ReadonlyArray<Message> = [
      { _tag: "AppendEntriesReply", term, prevLogIndex: 0, result: { _tag: "Matched", matchIndex: 2 } },
      {
        _tag: "AppendEntriesReply",
        term,
        prevLogIndex: 2,
        result: { _tag: "Conflict", conflictTerm: 0, firstIndex: 1 }
      },
      { _tag: "InstallSnapshotReply", term, snapshotIndex: 1, receivedBytes: 0, installed: true },
      { _tag: "HeartbeatReply", term, readNumber: 0 }
    ]
    for (const answer of answers) {
      const { messages, readsReady, snapshotReply } = receive(a, "z", answer)
      assert.deepStrictEqual([messages, readsReady, snapshotReply], [[], [], undefined])
    }
    assert.strictEqual(a.commitIndex, 0)
  })

  it("a late refusal does not send the leader back (§5.3)", () => {
    const a = core("a", ["a", "b"], { terms: [1, 1, 1] })
    elect(a)
    const matched = { _tag: "Matched" as const, matchIndex: 3 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 3, result: matched })
    const conflict = { _tag: "Conflict" as const, conflictTerm: 0, firstIndex: 1 }
    receive(a, "b", { _tag: "AppendEntriesReply", term: 2, prevLogIndex: 2, result: conflict })
    assert.deepInclude(a.role._tag === "Leader" ? a.role.progress.get("b")?.mode : undefined, { _tag: "Replicate" })
  })

  it("a lost append is found by a probe and sent again (§5.3)", () => {
    const [a, b] = [core("a", ["a", "b"]), core("b", ["a", "b"])]
    for (let nowMs = 0; nowMs <= 300; nowMs += 50)
      settle([a, b], [{ to: "a", input: { _tag: "Tick", nowMs, random: 0 } }])
    assert.strictEqual(b.lastApplied, 1)
    step(a, { _tag: "Propose", term: 1, lastIndex: 1, entries: [transaction("lost")] })
    sync(a)
    for (let nowMs = 350; nowMs <= 800; nowMs += 50) {
      settle([a, b], [{ to: "a", input: { _tag: "Tick", nowMs, random: 0 } }])
    }
    assert.deepStrictEqual([a.lastApplied, b.lastApplied], [2, 2])
  })
})
