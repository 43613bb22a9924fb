/**
 * Faults of a line or so, each of which the simulator must find within `seedsCount` runs. A list, and no more:
 * plantedFaults.test.ts plants them one by one in the sources. docs/testing.md.
 */
import type { Mutation } from "../Mutation.ts"
import { markingFromSeed } from "../Testing/simulatorSeeds.ts"

export interface PlantedFault extends Mutation {
  readonly name: string
  /** What it breaks: a row of docs/raft.md, a property of Fig. 3, or a decision. */
  readonly breaks: string
  /** The first run, where the first ones find nothing: what is found once in a hundred runs is not searched every time. */
  readonly fromSeed?: number
  readonly seedsCount: number
}

export const plantedFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a start applies all of its log behind a mark",
    breaks: "Fig. 3",
    fromSeed: markingFromSeed + 1,
    seedsCount: 10,
    file: "src/Raft/core/State.ts",
    find: `RaftLog.termAt(log, mark.index) === mark.term ? mark.index : 0`,
    replace: `RaftLog.termAt(log, mark.index) === mark.term ? log.lastIndex : 0`
  },
  {
    name: "a vote leaves before it is durable",
    breaks: "C1",
    seedsCount: 10,
    file: "src/Raft/core/Election.ts",
    find: `  Draft.sendAfterHardState(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })`,
    replace: `  Draft.send(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })`
  },
  {
    name: "an acknowledgement leaves before its entries are durable",
    breaks: "C2",
    seedsCount: 10,
    file: "src/Raft/core/Draft.ts",
    find: `  else sendAfterWrites(state, draft, to, message)`,
    replace: `  else send(state, draft, to, message)`
  },
  {
    name: "a new leader answers with a commit index from before its no-op",
    breaks: "C4",
    fromSeed: 17,
    seedsCount: 20,
    file: "src/Raft/core/Reads.ts",
    find: `  for (const request of requests) request.readIndex = Math.max(request.readIndex, leader.noopIndex)
`,
    replace: ``
  },
  {
    name: "a round of reads bears the number of the one before",
    breaks: "C5",
    fromSeed: 35,
    seedsCount: 20,
    file: "src/Raft/core/Reads.ts",
    find: `readNumber: state.readNumber + 1, requests`,
    replace: `readNumber: state.readNumber, requests`
  },
  {
    name: "a leader confirms its own read index without a quorum",
    breaks: "C5",
    fromSeed: 25,
    seedsCount: 30,
    file: "src/Raft/core/Reads.ts",
    find: `  if (round === undefined || !Quorum.isQuorum(state.configuration, (voter) => round.acks.has(voter))) return`,
    replace: `  if (round === undefined) return`
  },
  {
    name: "a read under a lease does not look at the clock again",
    breaks: "C7",
    fromSeed: 150,
    seedsCount: 20,
    file: "src/Testing/simulator/Clients.ts",
    find: `    if (leaseUntilMs !== undefined && clockOf(world, node) >= leaseUntilMs) {`,
    replace: `    if (leaseUntilMs !== undefined && clockOf(world, node) < 0) {`
  },
  {
    name: "a follower truncates without a conflict",
    breaks: "C8",
    seedsCount: 20,
    file: "src/Raft/core/Replication.ts",
    find: `      if (RaftLog.termAt(state.log, entry.index) === entry.term) continue
`,
    replace: ``
  },
  {
    name: "two votes in a term",
    breaks: "§5.2",
    seedsCount: 20,
    file: "src/Raft/core/Election.ts",
    find: `state.votedFor === undefined || state.votedFor === from
`,
    replace: `state.votedFor !== state.nodeId
`
  },
  {
    name: "a vote for a log that is behind",
    breaks: "§5.4.1",
    fromSeed: 240,
    seedsCount: 20,
    file: "src/Raft/core/Election.ts",
    find: `    upToDate && isFree && mayElect`,
    replace: `    isFree && mayElect`
  },
  {
    name: "a joint configuration commits with a majority of one side",
    breaks: "C10, §6",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Raft/core/Quorum.ts",
    find: `  return outgoing === undefined ? value : Math.min(value, majorityValue(outgoing, valueOf))`,
    replace: `  return outgoing === undefined ? value : Math.max(value, majorityValue(outgoing, valueOf))`
  },
  {
    name: "voters change without a joint configuration",
    breaks: "C10, §6",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Raft/core/Membership.ts",
    find: `hasSameVoters(target, state.configuration) ? target : { ...target, outgoing: voters })`,
    replace: `voters.length === 0 ? { ...target, outgoing: voters } : target)`
  },
  {
    name: "a truncated configuration stays in force",
    breaks: "C10, §6",
    fromSeed: 265,
    seedsCount: 20,
    file: "src/Raft/core/Draft.ts",
    find: `  Configurations.truncate(state.configurations, fromIndex)
`,
    replace: ``
  },
  {
    name: "a snapshot forgets the keys of clients",
    breaks: "C13, C17",
    seedsCount: 20,
    file: "src/Machine/Snapshot.ts",
    find: `of tables.sessions.entries()) yield`,
    replace: `of tables.sessions.entries()) if (false) yield`
  },
  {
    name: "a snapshot bears the newest configuration and not the one at its index",
    breaks: "C13, §7",
    fromSeed: 16,
    seedsCount: 20,
    file: "src/Raft/core/Configurations.ts",
    find: `configurations.findLast((each) => each.index <= index) ?? configurations[0]!`,
    replace: `configurations.findLast((each) => each.index <= index || true) ?? configurations[0]!`
  },
  {
    name: "compaction goes on above the snapshot",
    breaks: "C14",
    seedsCount: 20,
    file: "src/Raft/core/Snapshots.ts",
    find: `Math.min(state.snapshot.index, RaftLog.lastBefore(state.log, state.lastApplied, retained))`,
    replace: `RaftLog.lastBefore(state.log, state.lastApplied, retained)`
  },
  {
    name: "a key is used again",
    breaks: "C17",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Machine/decideKey.ts",
    find: `  if (known === undefined) {`,
    replace: `  if (known !== null) {`
  },
  {
    name: "the fingerprint of a key is not compared",
    breaks: "C17",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Machine/Sessions.ts",
    find: `? known.fingerprint === fingerprint`,
    replace: `? known.fingerprint !== null`
  },
  {
    name: "the success of a declared command is not kept with its key",
    breaks: "C17",
    fromSeed: 4,
    seedsCount: 20,
    file: "src/Machine/decide.ts",
    find: `  if (value !== undefined) return { _tag: "Accepted", value }
`,
    replace: ``
  },
  {
    name: "losing the lead is taken for proof that a write is not done",
    breaks: "C18",
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: `  deciding.speculatedIndex = undefined
  deciding.machine.dropSpeculation()
`,
    replace: `  deciding.speculatedIndex = undefined
  deciding.machine.dropSpeculation()
  for (const ticket of Waiters.drain(deciding.waiters)) settle(deciding, ticket, notDone("no-quorum", "No longer leads"))
`
  },
  {
    name: "a rejection is answered at once",
    breaks: "D2",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: `  run({ _tag: "Read", readIds, atLeastIndex: last.onIndex })`,
    replace: `  for (const id of readIds) WaitingReads.ready(reads, { readId: id, readIndex: Math.min(core.lastApplied, last.onIndex) })`
  },
  {
    name: "a refusal by a declared command is answered at once, unless a key remembers it",
    breaks: "D2",
    fromSeed: 292,
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: `  run({ _tag: "Read", readIds, atLeastIndex: last.onIndex })`,
    replace: `  const isNo = (at: number) => /InsufficientFunds.*}}}$/.test(JSON.stringify(answered[at]!.result))
  for (const [at, readId] of readIds.entries()) if (isNo(at)) WaitingReads.ready(reads, { readId, readIndex: 0 })
  run({ _tag: "Read", readIds: readIds.filter((_, at) => !isNo(at)), atLeastIndex: last.onIndex })`
  },
  {
    name: "speculation goes on after leadership was lost",
    breaks: "D2",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: `  deciding.speculatedIndex = undefined
  deciding.machine.dropSpeculation()
}

/** Decides the waiting commands, as one batch. */
export const decide = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>, at: TurnState): void => {
  const { core, run } = at
  const { machine, pending, waiters } = deciding
  // The core may have appended an entry by itself, as a change of the members does.
  if (mayDecide(core) && deciding.speculatedIndex !== core.log.lastIndex) {`,
    replace: `  deciding.machine.dropSpeculation.name
}

/** Decides the waiting commands, as one batch. */
export const decide = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>, at: TurnState): void => {
  const { core, run } = at
  const { machine, pending, waiters } = deciding
  // The core may have appended an entry by itself, as a change of the members does.
  if (mayDecide(core) && deciding.speculatedIndex === undefined) {`
  },
  {
    name: "entries are applied before they are committed",
    breaks: "Fig. 3, State Machine Safety",
    seedsCount: 20,
    file: "src/Raft/core/step.ts",
    find: `  const toIndex = Math.min(state.commitIndex, state.durableIndex)`,
    replace: `  const toIndex = state.durableIndex`
  },
  {
    name: "a heartbeat commits what the leader does not know to be held",
    breaks: "§5.3",
    fromSeed: 80,
    seedsCount: 20,
    file: "src/Raft/core/Receiving.ts",
    find: `Math.min(message.leaderCommit, knownIndex)`,
    replace: `message.leaderCommit`
  },
  {
    name: "probes are not repeated",
    breaks: "C21",
    fromSeed: 25,
    seedsCount: 30,
    file: "src/Raft/core/Resending.ts",
    find: `  Progress.toProbe(progress, { nextIndex: progress.nextIndex, empty: true })`,
    replace: `  Progress.toProbe.call(undefined, { ...progress }, { nextIndex: 1, empty: true })`
  },
  {
    name: "what was in flight and lost is not sent again",
    breaks: "C21",
    seedsCount: 10,
    file: "src/Raft/core/Resending.ts",
    find: `  inflight.length > 0 && state.nowMs`,
    replace: `  inflight.length < 0 && state.nowMs`
  },
  {
    name: "every round of reads puts off what is to be sent again",
    breaks: "C21",
    seedsCount: 20,
    file: "src/Raft/core/Reads.ts",
    find: `  Leases.sent(state, leader)
`,
    replace: `  Leases.sent(state, leader)
  for (const each of leader.progress.values()) each.ackedMs = state.nowMs
`
  },
  {
    name: "a snapshot that could not be sent is not asked for again",
    breaks: "C21, §7",
    fromSeed: 70,
    seedsCount: 20,
    file: "src/Raft/core/Snapshots.ts",
    find: `const probe = sent.ok ? undefined : Replication.sentNow(state)`,
    replace: `const probe = sent.ok ? undefined : { atMs: Number.POSITIVE_INFINITY, readNumber: Number.POSITIVE_INFINITY }`
  },
  {
    name: "a projection is saved with a position one too far",
    breaks: "projections: each entry once",
    fromSeed: 11,
    seedsCount: 20,
    file: "src/Projection/Folding.ts",
    find: `({ index, states: states.clone() })`,
    replace: `({ index: index + 1, states: states.clone() })`
  },
  {
    name: "a projection that starts folds the entry of its saved position again",
    breaks: "projections: each entry once",
    fromSeed: 5,
    seedsCount: 20,
    file: "src/Projection/Folding.ts",
    find: `Position.make(projection.name, index)`,
    replace: `Position.make(projection.name, Math.max(0, index - 1))`
  },
  {
    name: "of an entry that has several events of one key, the last one alone is folded",
    breaks: "projections: each event once",
    fromSeed: 4,
    seedsCount: 20,
    file: "src/Projection/Fold.ts",
    find: `changed.has(key) ? changed.get(key) : states.get(key)`,
    replace: `states.get(key)`
  },
  {
    name: "what another version of a projection saved is folded on",
    breaks: "projections: another version is folded anew",
    fromSeed: 6,
    seedsCount: 20,
    file: "src/Projection/Saved.ts",
    find: ` || version !== projection.version`,
    replace: ``
  },
  {
    name: "followers are given what memory holds past what is applied",
    breaks: "projections: committed entries alone",
    seedsCount: 10,
    file: "src/Testing/simulator/Followers.ts",
    find: `slice(core.log, range)`,
    replace: `slice(core.log, { ...range, toIndex: core.log.lastIndex })`
  },
  {
    name: "followers are given what the disk still holds of a log that a snapshot has replaced",
    breaks: "projections: committed entries alone; §7",
    fromSeed: markingFromSeed + 59,
    seedsCount: 10,
    file: "src/Testing/simulator/Followers.ts",
    find: `  if (range.fromIndex < core.log.firstIndex) return Result.fail(compactedAway(range.fromIndex, core.log))
`,
    replace: ``
  },
  {
    name: "limits are those of the code and not those of the log",
    breaks: "C24",
    seedsCount: 10,
    file: "src/Machine/Machine.ts",
    find: `  evolve(machine.applied, { index: entry.index, transaction })`,
    replace: `  machine.applied.limits = machine.limits
  evolve(machine.applied, { index: entry.index, transaction })`
  },
  {
    name: "a leader of an older release states its limits too",
    breaks: "C24",
    seedsCount: 10,
    file: "src/Machine/Machine.ts",
    find: `if (!Limits.isNewer(limits, tables.limits)) return undefined`,
    replace: `if (limits.revision === tables.limits.revision) return undefined`
  },
  {
    name: "a snapshot does not say where a generation of keys ends",
    breaks: "C13, C24",
    fromSeed: 6,
    seedsCount: 20,
    file: "src/Machine/KeyPage.ts",
    find: `return ends ? { ...taken, endsGeneration: true } : taken`,
    replace: `return taken`
  },
  {
    name: "a snapshot leaves out the limits",
    breaks: "C13, C24",
    seedsCount: 20,
    file: "src/Machine/Snapshot.ts",
    find: `    limits,
    tombstonesMax,`,
    replace: `    tombstonesMax,`
  },
  {
    name: "a tombstone that is evicted raises no floor",
    breaks: "versions only grow",
    fromSeed: 13,
    seedsCount: 20,
    file: "src/Machine/evolve.ts",
    find: `  table.versionFloor = Math.max(table.versionFloor, tombstone.version)
`,
    replace: ``
  },
  {
    name: "a tombstone that is evicted stays in the state hash",
    breaks: "the state hash is that of the state",
    fromSeed: 11,
    seedsCount: 20,
    file: "src/Machine/evolve.ts",
    find: `  removeTombstone(tables, table, model, id)
  table.versionFloor`,
    replace: `  table.tombstones.delete(id)
  table.tombstoneOrder.delete(tombstone.sequence)
  table.versionFloor`
  },
  {
    name: "keys expire before their time",
    breaks: "C17",
    fromSeed: 8,
    seedsCount: 10,
    file: "src/Machine/Sessions.ts",
    find: `> limits.keyLifetimeMs`,
    replace: `> limits.keyLifetimeMs / 2`
  },
  {
    name: "a full table of keys makes room by forgetting one that is held",
    breaks: "C17",
    fromSeed: 6,
    seedsCount: 10,
    file: "src/Machine/Sessions.ts",
    find: `    if (oldest === undefined || !isExpired(tables, oldest.session, logAgeMs)) return
`,
    replace: `    const isFull = tables.sessions.size >= tables.limits.keysMax
    if (oldest === undefined || (!isExpired(tables, oldest.session, logAgeMs) && !isFull)) return
`
  },
  {
    name: "a key that a node assigned is not looked for",
    breaks: "C17",
    fromSeed: 8,
    seedsCount: 60,
    file: "src/Machine/Sessions.ts",
    find: `  if (index !== undefined) return { _tag: "Logged", index, fingerprint: undefined }
`,
    replace: ``
  },
  {
    name: "a dated key that is forgotten counts as new",
    breaks: "C17",
    fromSeed: 3,
    seedsCount: 60,
    file: "src/Machine/Sessions.ts",
    find: `return afterIndex < horizonIndex ? { _tag: "Expired" } : undefined`,
    replace: `return undefined`
  },
  {
    name: "dated keys are forgotten, and the horizon of their bucket stays",
    breaks: "C17",
    fromSeed: 3,
    seedsCount: 60,
    file: "src/Machine/DatedKeys.ts",
    find: `  own.horizonIndex = forgotten.lastIndex\n`,
    replace: ``
  },
  {
    name: "a dated key is looked for in another bucket than it was noted in",
    breaks: "C17",
    fromSeed: 6,
    seedsCount: 20,
    file: "src/Machine/DatedKeys.ts",
    find: `  const held = keys.buckets.get(bucket)
  if (held === undefined) return undefined
  const index`,
    replace: `  const held = keys.buckets.get((bucket + 1) % 4096)
  if (held === undefined) return undefined
  const index`
  },
  {
    name: "the horizon of another bucket is looked at",
    breaks: "C17",
    fromSeed: 3,
    seedsCount: 60,
    file: "src/Machine/DatedKeys.ts",
    find: `keys.buckets.get(bucket)?.horizonIndex ?? 0)`,
    replace: `keys.buckets.get(bucket + 1)?.horizonIndex ?? 0)`
  },
  {
    name: "a closed key lets a late copy through",
    breaks: "C17",
    fromSeed: 112,
    seedsCount: 20,
    file: "src/Machine/decideKey.ts",
    find: `  if (isClosed) return refuse({ _tag: "KeyClosed" })`,
    replace: `  if (isClosed) return undefined`
  },
  {
    name: "the state hash leaves out when a record was created",
    breaks: "the state hash is that of the state",
    fromSeed: 21,
    seedsCount: 20,
    file: "src/Machine/StateElements.ts",
    find: `[model, id, version, modelVersion, createdIndex, index, data]`,
    replace: `[model, id, version, modelVersion, index, data]`
  },
  {
    name: "what no entry changed is never looked for",
    breaks: "the state hash is that of the state",
    fromSeed: 11,
    seedsCount: 20,
    file: "src/Cluster/ReplicatedMachine.ts",
    find: `  StateHash.plus(applied.hash, found)`,
    replace: `  StateHash.plus(applied.hash, clone.hash)`
  },
  {
    name: "a node whose state differs from a majority campaigns",
    breaks: "a suspect never leads",
    fromSeed: 21,
    seedsCount: 60,
    file: "src/Raft/core/Election.ts",
    find: ` || state.isSuspect || state.repairing !== undefined) return false`,
    replace: ` || state.repairing !== undefined) return false`
  },
  {
    name: "a node whose state differs from a majority reads",
    breaks: "a suspect never reads",
    fromSeed: 11,
    seedsCount: 60,
    file: "src/Raft/core/Reads.ts",
    find: `    state.isSuspect ||
`,
    replace: ``
  },
  {
    name: "who differs from anybody is suspect, whatever a majority says",
    breaks: "the majority is right",
    fromSeed: 11,
    seedsCount: 20,
    file: "src/Raft/core/StateComparison.ts",
    find: `isContrary(one, agreed) ? [id] : []`,
    replace: `said.some(([, other]) => isContrary(one, other)) ? [id] : []`
  }
]
