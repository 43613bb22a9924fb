/** Snapshots and compaction in the core: Raft §7, C13, C14. */
import { assert, describe, it } from "@effect/vitest"
import type { AppendEntries, InstallSnapshot } from "../../../src/Raft/core/Message.ts"
import type { RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import {
  acknowledge,
  after,
  cluster,
  configurationOf,
  core,
  elect,
  entry,
  live,
  member,
  pass,
  propose,
  receive,
  sent,
  settle,
  sync
} from "./Cores.ts"

const abc = ["a", "b", "c"]

/** Three nodes, the first leading, that have all applied entries 1 (a no-op) to 5. */
const applied = (config: Partial<RaftConfig> = { logRetainedCount: 0 }) => {
  const states = cluster(abc, config)
  for (let count = 0; count < 4; count++) settle(states, after("a", propose(states[0])))
  live(states, 50)
  assert.strictEqual(states[2]!.lastApplied, 5)
  return states
}

/** The snapshot of what is applied through `index` is durable, and so is its mark. */
const snapshot = (state: State, index: number) => {
  const marked = step(state, { _tag: "LocalSnapshot", index })
  return { marked, synced: sync(state) }
}

const conflict = (state: State, from: string, prevLogIndex: number, firstIndex = 1) =>
  receive(state, from, {
    _tag: "AppendEntriesReply",
    term: state.currentTerm,
    prevLogIndex,
    result: { _tag: "Conflict", conflictTerm: 0, firstIndex }
  })

const installed = (state: State, from: string, snapshotIndex: number) =>
  receive(state, from, {
    _tag: "InstallSnapshotReply",
    term: state.currentTerm,
    snapshotIndex,
    receivedBytes: 0,
    installed: true
  })

describe("compaction", () => {
  it("a snapshot is noted in the log, and history goes only once that is durable (§7, C14)", () => {
    const [a] = applied()
    const { marked, synced } = snapshot(a, 4)
    assert.deepStrictEqual([marked.write?.snapshot, marked.compact], [{ index: 4, term: 1 }, undefined])
    assert.deepStrictEqual([synced.compact, a.log.firstIndex], [{ throughIndex: 4 }, 5])
    assert.deepStrictEqual([RaftLog.termAt(a.log, 4), RaftLog.termAt(a.log, 3)], [1, undefined])
    // A write before the mark makes only itself durable.
    const [b] = applied()
    const earlier = propose(b).write!.seq
    const marking = step(b, { _tag: "LocalSnapshot", index: 4 }).write!.seq
    assert.strictEqual(step(b, { _tag: "Persisted", seq: earlier }).compact, undefined)
    assert.deepStrictEqual(step(b, { _tag: "Persisted", seq: marking }).compact, { throughIndex: 4 })
  })

  it("so many of the newest entries stay as the configuration says, by count and by bytes (docs/raft.md, Snapshots)", () => {
    const [some] = applied({ logRetainedCount: 3 })
    assert.deepStrictEqual(snapshot(some, 5).synced.compact, { throughIndex: 2 })
    const [few] = applied({})
    assert.strictEqual(snapshot(few, 5).synced.compact, undefined)
    const [all] = applied({ logRetainedCount: Number.POSITIVE_INFINITY, logRetainedBytes: Number.POSITIVE_INFINITY })
    assert.strictEqual(snapshot(all, 5).synced.compact, undefined)
    const [large] = applied({ logRetainedBytes: 0 })
    const lastBytes = RaftLog.entryAt(large.log, 5)!.payload.length
    assert.deepStrictEqual(snapshot(large, 5).synced.compact, { throughIndex: lastBytes > 0 ? 5 : 4 })
    const [two] = applied({ logRetainedBytes: 2_048 })
    two.log.window = []
    two.log.windowFirstIndex = 6
    assert.deepStrictEqual(
      snapshot(two, 5).synced.compact,
      { throughIndex: 3 },
      "what is not in memory counts as 1 KiB"
    )
  })

  it("what a peer that answers lacks stays, so that the snapshot it is sent is followed by a log (§7); a silent one holds nothing", () => {
    const lagging = () => {
      const [a] = applied()
      if (a.role._tag === "Leader") a.role.progress.get("c")!.matchIndex = 2
      return a
    }
    assert.deepStrictEqual(snapshot(lagging(), 4).synced.compact, { throughIndex: 2 })
    const silent = lagging()
    pass(silent, 200)
    acknowledge(silent, "b", 5)
    pass(silent, 200)
    assert.strictEqual(silent.role._tag, "Leader")
    assert.deepStrictEqual(snapshot(silent, 4).synced.compact, { throughIndex: 4 })
    const caughtUp = lagging()
    snapshot(caughtUp, 4)
    acknowledge(caughtUp, "c", 5)
    assert.deepStrictEqual(
      pass(caughtUp, 100).flatMap(({ compact }) => compact ?? []),
      [{ throughIndex: 4 }]
    )
  })

  it("what was read of the log for a peer, and compacted away meanwhile, is not sent: what precedes it is unknown (§5.3)", () => {
    const [a] = applied()
    pass(a, 200)
    acknowledge(a, "b", 5)
    pass(a, 200)
    const progress = a.role._tag === "Leader" ? a.role.progress.get("c") : undefined
    Object.assign(progress!, { mode: { _tag: "Replicate" }, matchIndex: 3, nextIndex: 4, readLogFromIndex: 4 })
    const read = RaftLog.slice(a.log, { fromIndex: 4, maxBytes: 1 })
    assert.deepStrictEqual(snapshot(a, 4).synced.compact, { throughIndex: 4 })
    const { messages } = step(a, { _tag: "LogRead", peer: "c", entries: read })
    const prevLogIndexes = messages.flatMap(({ message }) =>
      message._tag === "AppendEntries" ? [message.prevLogIndex] : []
    )
    assert.deepStrictEqual(prevLogIndexes, [4])
  })

  it("an older snapshot than the newest one changes nothing, and one of the future breaks an invariant (C14)", () => {
    const [a] = applied()
    snapshot(a, 4)
    assert.strictEqual(snapshot(a, 3).marked.write, undefined)
    assert.throws(() => step(a, { _tag: "LocalSnapshot", index: 6 }))
  })

  it("a log keeps the terms of what is left of it, and of the entry before", () => {
    const a = core("a", abc, { terms: [1, 1, 2, 2, 4] })
    RaftLog.compact(a.log, 3)
    const terms = [2, 3, 4, 5, 6].map((index) => RaftLog.termAt(a.log, index))
    assert.deepStrictEqual(terms, [undefined, 2, 2, 4, undefined])
    assert.deepStrictEqual(
      [1, 2, 3, 4].map((term) => RaftLog.lastIndexOfTerm(a.log, term)),
      [undefined, 4, undefined, 5]
    )
    RaftLog.compact(a.log, 5)
    assert.deepStrictEqual([RaftLog.lastTerm(a.log), RaftLog.lastIndexOfTerm(a.log, 4)], [4, 5])
    RaftLog.append(a.log, entry(6, 4))
    assert.strictEqual(RaftLog.termAt(a.log, 6), 4)
  })

  it("a compacted log still decides who is up to date (§5.4.1)", () => {
    const a = core("a", abc, { terms: [3], firstIndex: 8, snapshot: { index: 7, term: 2 } })
    RaftLog.startAfter(a.log, { index: 9, term: 3 }, 0)
    assert.isFalse(RaftLog.isUpToDate(a.log, { lastLogIndex: 8, lastLogTerm: 3 }))
    assert.isTrue(RaftLog.isUpToDate(a.log, { lastLogIndex: 9, lastLogTerm: 3 }))
  })
})

describe("a leader whose peer needs what is compacted away", () => {
  /** Peer `c` lost everything after entry 1, as far as `a` learns. */
  const behind = () => {
    const [a] = applied()
    snapshot(a, 5)
    propose(a)
    step(a, { _tag: "PeerUnreachable", peer: "c" })
    if (a.role._tag === "Leader") a.role.progress.get("c")!.matchIndex = 0
    const output = conflict(a, "c", 5)
    return { a, output }
  }

  it("asks the shell for a snapshot, once, and sends beats but no entries meanwhile (§7)", () => {
    const { a, output } = behind()
    assert.deepStrictEqual(output.needsSnapshot, [{ peer: "c", atLeastIndex: 5 }])
    const unreachable = step(a, { _tag: "PeerUnreachable", peer: "c" })
    const outputs = [conflict(a, "c", 5), unreachable, acknowledge(a, "c", 1), propose(a), ...pass(a, 200)]
    assert.deepStrictEqual(
      outputs.flatMap(({ needsSnapshot }) => needsSnapshot),
      []
    )
    const toC = outputs.flatMap(({ messages }) => messages).filter(({ to }) => to === "c")
    assert.deepStrictEqual([...new Set(toC.map(({ message }) => message._tag))], ["Heartbeat"])
  })

  it("goes on from the end of the snapshot once it is installed (§7)", () => {
    const { a } = behind()
    const output = installed(a, "c", 5)
    assert.strictEqual(output.snapshotReply?.message.installed, true)
    const [message] = sent([output]).filter(({ _tag }) => _tag === "AppendEntries") as ReadonlyArray<AppendEntries>
    assert.deepInclude(message, { prevLogIndex: 5, prevLogTerm: 1 })
    assert.deepStrictEqual(
      message?.entries.map(({ index }) => index),
      [6]
    )
  })

  it("what an installed snapshot stands for counts as held (§7, §5.3)", () => {
    const { a } = behind()
    sync(a)
    step(a, { _tag: "PeerUnreachable", peer: "c" })
    installed(a, "c", 5)
    assert.deepInclude(a.role._tag === "Leader" ? a.role.progress.get("c") : undefined, { matchIndex: 5 })
  })

  it("tells the shell how much of it has arrived (C13)", () => {
    const { a } = behind()
    const message = { term: 1, snapshotIndex: 5, receivedBytes: 100, installed: false }
    const output = receive(a, "c", { _tag: "InstallSnapshotReply", ...message })
    assert.deepStrictEqual(output.snapshotReply, { peer: "c", message: { _tag: "InstallSnapshotReply", ...message } })
    // Nothing of a part counts as held.
    assert.deepInclude(a.role._tag === "Leader" ? a.role.progress.get("c") : undefined, { matchIndex: 0 })
  })

  it("an answer about the snapshot is contact with the peer (C9)", () => {
    const { a } = behind()
    const message = { _tag: "InstallSnapshotReply" as const, term: 1, snapshotIndex: 5, installed: false }
    for (let elapsed = 0; elapsed < 400; elapsed += 10) {
      pass(a, 10)
      receive(a, "c", { ...message, receivedBytes: elapsed })
    }
    assert.strictEqual(a.role._tag, "Leader")
  })

  it("looks for the peer's end again when the sending failed, at the next beat and not at once", () => {
    const { a } = behind()
    assert.deepStrictEqual(step(a, { _tag: "SnapshotSent", peer: "c", ok: false }).messages, [])
    const probes = sent(pass(a, 60)).filter(({ _tag }) => _tag === "AppendEntries")
    assert.deepInclude(probes[0], { prevLogIndex: 5, entries: [] })
    assert.deepStrictEqual(conflict(a, "c", 5).needsSnapshot, [{ peer: "c", atLeastIndex: 5 }])
  })

  it("looks for it at once when the sending is done, should the answer have been lost", () => {
    const { a } = behind()
    const output = step(a, { _tag: "SnapshotSent", peer: "c", ok: true })
    assert.deepInclude(sent([output])[0], { _tag: "AppendEntries", prevLogIndex: 5 })
    acknowledge(a, "c", 5)
    assert.deepInclude(a.role._tag === "Leader" ? a.role.progress.get("c")?.mode : undefined, { _tag: "Replicate" })
  })

  it("does not ask for one for a peer that does not answer", () => {
    const [a] = applied()
    propose(a)
    step(a, { _tag: "PeerUnreachable", peer: "c" })
    for (let elapsed = 0; elapsed < 400; elapsed += 10) {
      pass(a, 10)
      acknowledge(a, "b", 6)
    }
    step(a, { _tag: "Applied", index: a.applyingIndex })
    sync(a)
    step(a, { _tag: "Applied", index: a.applyingIndex })
    snapshot(a, 6)
    if (a.role._tag === "Leader") a.role.progress.get("c")!.matchIndex = 0
    step(a, { _tag: "PeerUnreachable", peer: "c" })
    const outputs = pass(a, 200)
    assert.deepStrictEqual(
      outputs.flatMap(({ needsSnapshot }) => needsSnapshot),
      []
    )
    assert.isTrue(sent(outputs).some((message) => message._tag === "AppendEntries" && message.prevLogIndex === 6))
  })

  it("ignores a snapshot that arrives when this node leads: it holds all that is committed (Fig. 3)", () => {
    const [a] = applied()
    const configuration = configurationOf(abc)
    const output = step(a, { _tag: "SnapshotInstalled", index: 9, term: 1, configuration })
    assert.deepStrictEqual([output.restore, output.messages, a.log.lastIndex], [undefined, [], 5])
  })
})

describe("a follower that is sent a snapshot", () => {
  const chunk = (over: Partial<InstallSnapshot> = {}): InstallSnapshot => ({
    _tag: "InstallSnapshot",
    term: 2,
    snapshotIndex: 9,
    snapshotTerm: 2,
    configuration: new Uint8Array(0),
    totalBytes: 8,
    digest: "d",
    offset: 0,
    chunk: new Uint8Array(4),
    ...over
  })

  const configuration = { ...configurationOf(["a", "b", "d"]), outgoing: abc.map(member) }
  const install = (state: State, index = 9, term = 2) =>
    step(state, { _tag: "SnapshotInstalled", index, term, configuration })

  it("hands the chunk to the shell, and says how much is stored once it is (C13)", () => {
    const b = core("b", abc, { terms: [1], currentTerm: 2 })
    const output = receive(b, "a", chunk())
    assert.deepStrictEqual([output.snapshotChunk, output.messages], [{ from: "a", message: chunk() }, []])
    const stored = step(b, { _tag: "SnapshotReceived", from: "a", snapshotIndex: 9, receivedBytes: 4 })
    const reply = { _tag: "InstallSnapshotReply" as const, term: 2, snapshotIndex: 9 }
    assert.deepStrictEqual(sent([stored]), [{ ...reply, receivedBytes: 4, installed: false }])
    const late = step(b, { _tag: "SnapshotReceived", from: "c", snapshotIndex: 9, receivedBytes: 4 })
    assert.deepStrictEqual(late.messages, [])
  })

  it("takes it as a sign of its leader's life (§5.2)", () => {
    const b = core("b", abc, { terms: [1] })
    pass(b, 0)
    for (let elapsed = 0; elapsed < 1000; elapsed += 100) {
      const output = receive(b, "a", chunk())
      assert.strictEqual(output.snapshotChunk?.from, "a")
      pass(b, 200)
    }
    assert.deepStrictEqual(b.role, { _tag: "Follower", leader: "a" })
    assert.strictEqual(b.currentTerm, 2)
  })

  it("refuses one of an older term, and says its own (§5.1)", () => {
    const b = core("b", abc, { currentTerm: 3 })
    const output = receive(b, "a", chunk())
    assert.strictEqual(output.snapshotChunk, undefined)
    assert.deepInclude(sent([output])[0], { _tag: "InstallSnapshotReply", term: 3, installed: false })
  })

  it("starts its log anew behind it, and acknowledges once that is durable (§7, C2)", () => {
    const b = core("b", abc, { terms: [1, 1, 1] })
    receive(b, "a", chunk())
    sync(b)
    const output = install(b)
    assert.deepStrictEqual(output.restore, { index: 9, term: 2 })
    assert.deepStrictEqual(output.write?.snapshot, { index: 9, term: 2 })
    assert.deepStrictEqual([output.write?.entries, output.apply, output.messages], [[], undefined, []])
    assert.deepStrictEqual([b.log.firstIndex, b.log.lastIndex, b.commitIndex, b.lastApplied], [10, 9, 9, 0])
    assert.deepInclude(sent([sync(b)])[0], { _tag: "InstallSnapshotReply", snapshotIndex: 9, installed: true })
    step(b, { _tag: "Applied", index: 9 })
    assert.strictEqual(b.lastApplied, 9)
  })

  it("takes the configuration of the snapshot, be it joint (§6, §7)", () => {
    const b = core("b", abc, { terms: [1] })
    receive(b, "a", chunk())
    const output = install(b)
    assert.deepStrictEqual(output.configurationChanged, { index: 9, configuration })
  })

  it("appends and applies what follows the snapshot (§7)", () => {
    const b = core("b", abc)
    receive(b, "a", chunk())
    install(b)
    sync(b)
    const message = { _tag: "AppendEntries" as const, term: 2, prevLogIndex: 9, prevLogTerm: 2, leaderCommit: 10 }
    receive(b, "a", { ...message, entries: [entry(10, 2)] })
    const output = sync(b)
    assert.deepStrictEqual(output.apply, { fromIndex: 10, toIndex: 10 })
    assert.deepInclude(sent([output])[0], { result: { _tag: "Matched", matchIndex: 10 } })
  })

  it("keeps its log where that holds the snapshot's last entry, and only commits it (§7)", () => {
    const b = core("b", abc, { terms: [1, 1, 2, 2], currentTerm: 2 })
    receive(b, "a", chunk({ snapshotIndex: 3 }))
    const output = install(b, 3, 2)
    assert.deepStrictEqual([output.restore, output.write], [undefined, undefined])
    assert.deepStrictEqual([output.apply, b.log.lastIndex], [{ fromIndex: 1, toIndex: 3 }, 4])
    assert.deepInclude(sent([output])[0], { installed: true, snapshotIndex: 3 })
  })

  it("drops its log where another entry stands in the snapshot's place (§7)", () => {
    const b = core("b", abc, { terms: [1, 1, 1, 1] })
    receive(b, "a", chunk({ snapshotIndex: 3 }))
    assert.deepStrictEqual(install(b, 3, 2).restore, { index: 3, term: 2 })
    assert.deepStrictEqual([b.log.firstIndex, b.log.lastIndex], [4, 3])
  })

  it("installs none at or below its commit index, and says that it holds all of it (§7)", () => {
    const b = core("b", abc, { terms: [1, 1, 2], currentTerm: 2 })
    const message = { _tag: "AppendEntries" as const, term: 2, prevLogIndex: 3, prevLogTerm: 2, leaderCommit: 3 }
    receive(b, "a", { ...message, entries: [] })
    const output = receive(b, "a", chunk({ snapshotIndex: 3 }))
    assert.strictEqual(output.snapshotChunk, undefined)
    assert.deepInclude(sent([output])[0], { installed: true, snapshotIndex: 3 })
    const late = install(b, 3, 2)
    assert.deepStrictEqual([late.restore, late.write, b.log.firstIndex], [undefined, undefined, 1])
  })

  it("claims what is committed and not durable only once it is (C2)", () => {
    const b = core("b", abc, { currentTerm: 2 })
    const message = { _tag: "AppendEntries" as const, term: 2, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 1 }
    receive(b, "a", { ...message, entries: [entry(1, 2)] })
    assert.deepStrictEqual(receive(b, "a", chunk({ snapshotIndex: 1 })).messages, [])
    assert.isTrue(sent([sync(b)]).some((each) => each._tag === "InstallSnapshotReply" && each.installed))
  })

  it("claims nothing of it before the log notes it, not even to a probe (C2)", () => {
    const b = core("b", abc, { currentTerm: 2 })
    receive(b, "a", chunk())
    install(b)
    const probe = { _tag: "AppendEntries" as const, term: 2, prevLogIndex: 9, prevLogTerm: 2, leaderCommit: 9 }
    assert.deepStrictEqual(receive(b, "a", { ...probe, entries: [] }).messages, [])
    const answers = sent([sync(b)]).map(({ _tag }) => _tag)
    assert.deepStrictEqual(answers, ["InstallSnapshotReply", "AppendEntriesReply"])
  })

  it("counts no write of the old log as durable beyond the snapshot (C2)", () => {
    const b = core("b", abc, { currentTerm: 1 })
    const append = { _tag: "AppendEntries" as const, prevLogTerm: 0, leaderCommit: 0 }
    const first = receive(b, "c", { ...append, term: 1, prevLogIndex: 0, entries: [entry(1, 1), entry(2, 1)] })
    receive(b, "a", chunk({ snapshotIndex: 1, snapshotTerm: 2 }))
    install(b, 1, 2)
    receive(b, "a", { ...append, term: 2, prevLogIndex: 1, prevLogTerm: 2, entries: [entry(2, 2)] })
    step(b, { _tag: "Persisted", seq: first.write!.seq })
    assert.strictEqual(b.durableIndex, 1)
    sync(b)
    assert.strictEqual(b.durableIndex, 2)
  })

  it("accepts entries that begin below its compacted log (§5.3)", () => {
    const [, b] = applied()
    snapshot(b!, 5)
    const message = { _tag: "AppendEntries" as const, term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 5 }
    const output = receive(b!, "a", { ...message, entries: [entry(4, 1), entry(5, 1), entry(6, 1)] })
    assert.deepStrictEqual(
      output.write?.entries.map(({ index }) => index),
      [6]
    )
  })
})

describe("a node that starts from a snapshot", () => {
  it("has applied what it stands for, and gives out what follows once that commits (§7)", () => {
    const a = core("a", ["a"], { terms: [2, 2], firstIndex: 8, snapshot: { index: 7, term: 2 } })
    assert.deepStrictEqual([a.commitIndex, a.lastApplied, a.durableIndex], [7, 7, 9])
    const output = elect(a)
    assert.strictEqual(output.apply, undefined)
    assert.deepStrictEqual(sync(a).apply, { fromIndex: 8, toIndex: 10 })
  })

  it("restored from an older one than is marked, it applies up to the mark at once: that was committed", () => {
    const disk = { terms: [1, 1, 1, 1], snapshot: { index: 2, term: 1 }, mark: { index: 4, term: 1 } }
    const a = core("a", abc, disk)
    assert.deepStrictEqual(pass(a, 0)[0]?.apply, { fromIndex: 3, toIndex: 4 })
  })

  it("whose log ends below it, or differs, starts the log anew: a crash came before the mark (§7)", () => {
    for (const terms of [[1], [1, 1, 1, 1, 1]]) {
      const a = core("a", abc, { terms, snapshot: { index: 4, term: 3 }, mark: { index: 0, term: 0 } })
      assert.deepStrictEqual([a.log.firstIndex, a.log.lastIndex, a.currentTerm], [5, 4, 3])
      const write = pass(a, 0)[0]?.write
      assert.deepStrictEqual(write?.snapshot, { index: 4, term: 3 })
      assert.deepStrictEqual(write?.hardState, { currentTerm: 3, votedFor: undefined })
    }
  })

  it("does not start where entries are gone that no snapshot stands for (C14)", () => {
    const disk = { terms: [1], firstIndex: 8, snapshot: { index: 5, term: 1 }, mark: { index: 7, term: 1 } }
    assert.throws(() => core("a", abc, disk))
  })
})
