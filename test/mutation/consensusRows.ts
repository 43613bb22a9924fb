/**
 * For each row of docs/raft.md a line that ensures it, what becomes of the line when somebody breaks it, and the tests
 * that must then fail. Also which line each story of test/Raft/core/transcripts would miss. Data only.
 */
import type { Mutation, NamedTest } from "../Mutation.ts"

export interface BrokenRow extends Mutation {
  readonly row: string
  readonly tests: ReadonlyArray<NamedTest>
}

const inFile =
  (file: string) =>
  (title: string): NamedTest => ({ file: `test/${file}`, title })

const attempts = inFile("Cluster/attempts.test.ts")
const peerInbox = inFile("Cluster/peerInbox.test.ts")
const moves = inFile("Cluster/moves.test.ts")
const quorum = inFile("Raft/core/quorum.test.ts")
const stateComparison = inFile("Raft/core/stateComparison.test.ts")
const election = inFile("Raft/core/election.test.ts")
const formingRules = inFile("Cluster/formingRules.test.ts")
const handshake = inFile("Raft/peers/handshake.test.ts")
const datedKeys = inFile("Machine/DatedKeys.test.ts")
const introduction = inFile("Raft/peers/introduction.test.ts")
const keys = inFile("Machine/Keys.test.ts")
const decideBatch = inFile("Raft/node/decideBatch.test.ts")
const leases = inFile("Raft/core/leases.test.ts")
const limits = inFile("Machine/limits.test.ts")
const membership = inFile("Raft/core/membership.test.ts")
const reads = inFile("Raft/core/reads.test.ts")
const recovered = inFile("Cluster/recovered.test.ts")
const removal = inFile("Raft/node/removal.test.ts")
const repair = inFile("Raft/core/repair.test.ts")
const repairedLog = inFile("EventStore/repair.test.ts")
const replication = inFile("Raft/core/replication.test.ts")
const resending = inFile("Raft/core/resending.test.ts")
const standstill = inFile("Raft/core/standstill.test.ts")
const sessions = inFile("Machine/Sessions.test.ts")
const shell = inFile("Raft/node/shell.test.ts")
const snapshotDamage = inFile("EventStore/snapshotDamage.test.ts")
const snapshotStore = inFile("EventStore/snapshotStore.test.ts")
const snapshots = inFile("Raft/core/snapshots.test.ts")
const stateHash = inFile("Machine/stateHash.test.ts")
const story = inFile("Raft/core/transcript.test.ts")
const suspect = inFile("Raft/node/suspect.test.ts")
const transfer = inFile("Raft/core/transfer.test.ts")
const transport = inFile("Raft/peers/transport.test.ts")
const waiters = inFile("Raft/node/waiters.test.ts")

export const brokenRows: ReadonlyArray<BrokenRow> = [
  {
    row: "§5.2",
    file: "src/Raft/core/Quorum.ts",
    find: "* 2 > voters.length",
    replace: "* 2 >= voters.length",
    tests: [
      quorum("half of the voters is no majority, and nobody is none (§5.2)"),
      story("Vote split: two candidates of one term with half of the votes each, and neither leads (§5.2)")
    ]
  },
  {
    row: "§5.3",
    file: "src/Raft/core/Replication.ts",
    find: "if (prevLogIndex > state.commitIndex && RaftLog.termAt(log, prevLogIndex) !== prevLogTerm) {",
    replace: "if (prevLogIndex > log.lastIndex) {",
    tests: [
      replication(
        "a follower that lacks the previous entry says where its log ends, or its conflicting term begins (§5.3)"
      ),
      story("Figure 7: a new leader makes six followers equal to itself, whatever they lack or hold too much (§5.3)")
    ]
  },
  {
    row: "§5.4.1",
    file: "src/Raft/core/Election.ts",
    find: "const upToDate = RaftLog.isUpToDate(state.log, message)",
    replace: "const upToDate = true",
    tests: [
      election("a voter refuses a candidate whose log is less up to date (§5.4.1)"),
      story(
        "Figure 8 (e): an entry of the leader's own term on a majority commits those before it, and nobody without them is elected (§5.4.2)"
      )
    ]
  },
  {
    row: "C1",
    file: "src/Raft/core/Election.ts",
    find: 'Draft.sendAfterHardState(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })',
    replace: 'Draft.send(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })',
    tests: [
      election("a vote leaves only once it is durable, and is given once per term (Fig. 2, C1)"),
      story(
        "Double vote after restart: a vote is durable before it is given, so a crash cannot take it back (Fig. 2, §5.2, C1)"
      )
    ]
  },
  {
    row: "C1",
    file: "src/Raft/core/Election.ts",
    find: "else Draft.sendAfterHardState(state, draft, voter, message)",
    replace: "else Draft.send(state, draft, voter, message)",
    tests: [election("a candidate asks for votes only once its own term and vote are durable (Fig. 2, C1)")]
  },
  {
    row: "C1",
    file: "src/Raft/core/Election.ts",
    find: " || state.hardStateSeq > state.durableSeq",
    replace: "",
    tests: [
      election("a candidate counts its own vote once that is durable, and not with an earlier write (Fig. 2, C1)")
    ]
  },
  {
    row: "C1",
    file: "src/Raft/core/Receiving.ts",
    find: 'Draft.sendAfterHardState(state, draft, from, { _tag: "HeartbeatReply", term, readNumber })',
    replace: 'Draft.send(state, draft, from, { _tag: "HeartbeatReply", term, readNumber })',
    tests: [election("to Heartbeat of a newer term, and of an older one")]
  },
  {
    row: "C2",
    file: "src/Raft/core/Draft.ts",
    find: "else sendAfterWrites(state, draft, to, message)",
    replace: "else send(state, draft, to, message)",
    tests: [
      replication("a follower answers only once the entries are durable (Fig. 2, C2)"),
      story("Slow disks: what is not synced is not acknowledged, the leader's own copy included (Fig. 2, C2)")
    ]
  },
  {
    row: "C2",
    file: "src/Raft/core/Replication.ts",
    find: "voter === state.nodeId ? state.durableIndex :",
    replace: "voter === state.nodeId ? state.log.lastIndex :",
    tests: [
      replication(
        "a leader sends in parallel with its own write, and counts itself once that is durable (diss. 10.2.1)"
      )
    ]
  },
  {
    row: "C2",
    file: "src/Raft/core/Draft.ts",
    find: "for (const write of state.pendingWrites) write.lastIndex = Math.min(write.lastIndex, fromIndex - 1)",
    replace: "",
    tests: [replication("an entry overwritten before its write was synced is not counted durable by that write (C2)")]
  },
  {
    row: "C2",
    file: "src/Raft/core/Draft.ts",
    find: "const isMarked = state.unwritten.snapshot === undefined && state.snapshotSeq <= state.durableSeq",
    replace: "const isMarked = true",
    tests: [snapshots("claims nothing of it before the log notes it, not even to a probe (C2)")]
  },
  {
    row: "C3",
    file: "src/Raft/core/Replication.ts",
    find: " || RaftLog.termAt(state.log, index) !== state.currentTerm",
    replace: "",
    tests: [
      replication("entries of an older term commit only under one of the current term (§5.4.2, Fig. 8, C3)"),
      story(
        "Figure 8 (d): an entry of an older term that a majority holds may still be overwritten, so it is not committed (§5.4.2)"
      )
    ]
  },
  {
    row: "C4",
    file: "src/Raft/core/Reads.ts",
    find: "if (state.commitIndex < leader.noopIndex) return",
    replace: "",
    tests: [
      reads("a new leader answers no read before its no-op commits (diss. 6.4, C4)"),
      story(
        "Lagging commit: a new leader does not know what is committed, and answers no read before its no-op is (diss. 6.4, C4)"
      )
    ]
  },
  {
    row: "C4",
    file: "src/Raft/core/Membership.ts",
    find: 'if (state.commitIndex < leader.noopIndex) return "notReady"',
    replace: "",
    tests: [
      membership("no change before the term's no-op is committed (diss. 4.1, the bug of 2015, C4)"),
      story(
        "The membership bug of 2015: a new leader begins no change before an entry of its own term is committed (diss. 4.1, erratum)"
      )
    ]
  },
  {
    row: "C4",
    file: "src/Raft/node/decideBatch.ts",
    find: "core.lastApplied >= core.role.noopIndex",
    replace: "core.lastApplied >= 0",
    tests: [decideBatch("a leader decides nothing before its own no-op is applied (diss. 6.4)")]
  },
  {
    row: "C4",
    file: "src/Raft/core/Reads.ts",
    find: "lastApplied < recoveredIndex ? 0 : lastApplied",
    replace: "lastApplied",
    tests: [
      recovered("lets nothing be read before all of it is applied again"),
      recovered("not even where a snapshot stands for the beginning of it")
    ]
  },
  {
    row: "C5",
    file: "src/Raft/core/Reads.ts",
    find: " || reply.readNumber < round.readNumber",
    replace: "",
    tests: [
      reads("a read waits for a round of heartbeats that began after it (diss. 6.4, C5)"),
      story(
        "Stale read confirmations: the late echo of an earlier round confirms no later read (diss. 6.4, C5, etcd issue 20418)"
      )
    ]
  },
  {
    row: "C5",
    file: "src/Raft/core/Reads.ts",
    find: "readNumber: state.readNumber + 1, requests",
    replace: "readNumber: state.readNumber, requests",
    tests: [reads("a read waits for a round of heartbeats that began after it (diss. 6.4, C5)")]
  },
  {
    row: "C5",
    file: "src/Raft/core/Reads.ts",
    find: "state.readNumber++",
    replace: "if (leader.reads.round?.readNumber !== state.readNumber) state.readNumber++",
    tests: [reads("a lost round is repeated by the next beat, under a number of its own (C5)")]
  },
  {
    row: "C6",
    file: "src/Raft/core/Reads.ts",
    find: "if (leader.reads.round !== undefined || leader.reads.waiting.length === 0) return",
    replace: "if (leader.reads.waiting.length === 0) return",
    tests: [reads("reads that arrive during a round share the next one (diss. 6.4, C6)")]
  },
  {
    row: "C6",
    file: "src/Raft/core/Reads.ts",
    find: "if (reads.outstanding !== undefined || reads.waiting.length === 0) return",
    replace: "if (reads.waiting.length === 0) return",
    tests: [reads("a follower asks its leader for a read index, once for all that wait (diss. 6.4, C6)")]
  },
  {
    row: "C7",
    file: "src/Raft/core/Leases.ts",
    find: "const endMs = promisedMs + electionTimeoutMinMs - heartbeatIntervalMs - driftBoundMs",
    replace: "const endMs = promisedMs + 2 * electionTimeoutMinMs - heartbeatIntervalMs - driftBoundMs",
    tests: [
      leases(
        "a read is ready at once, until a lease's time after the beat was sent that a quorum echoed (diss. 6.4.1)"
      ),
      story(
        "Lease expiry: a leader reads without a round only while a quorum still keeps its promise (diss. 6.4.1, C7)"
      )
    ]
  },
  {
    row: "C7",
    file: "src/Raft/core/Leases.ts",
    find: "state.lastTickMs ??",
    replace: "state.nowMs ??",
    tests: [leases("a lease ends, by the real clock and not by the credited time (C7)")]
  },
  {
    row: "C7",
    file: "src/Raft/core/Reads.ts",
    find: "input.mayLease === true ? ",
    replace: "true ? ",
    tests: [leases("without being configured, or asked for, there is none: a round confirms every read (C7)")]
  },
  {
    row: "C7",
    file: "src/Raft/node/takeReadIndex.ts",
    find: "if (monotonicNowMs() < leaseUntilMs) settle(exit)",
    replace: "if (true) settle(exit)",
    tests: [
      shell(
        "a lease that ended while the process was paused is found out by the clock, and the read takes a round (C7)"
      )
    ]
  },
  {
    row: "C8",
    file: "src/Raft/core/Replication.ts",
    find: "if (RaftLog.termAt(state.log, entry.index) === entry.term) continue",
    replace: "",
    tests: [
      replication("a follower truncates on a real conflict only (§5.3, C8)"),
      story("Truncation: a late copy of an older message undoes nothing that was acknowledged after it (§5.3, C8)")
    ]
  },
  {
    row: "C9",
    file: "src/Raft/core/Election.ts",
    find: "const mayElect = message.transfer || !isLeaderAlive(state)",
    replace: "const mayElect = true",
    tests: [
      election("a node that hears a leader refuses votes and keeps its term (diss. 4.2.3, C9)"),
      story(
        "Asymmetric partition: a follower that does not hear its leader does not depose it for those who do (diss. 4.2.3, 9.6, C9)"
      ),
      story("Disruptive servers: a node that comes back from isolation brings no new term along (diss. 9.6, C9)")
    ]
  },
  {
    row: "C9",
    file: "src/Raft/core/Receiving.ts",
    find: 'if (message._tag === "RequestVote" && !message.transfer && Election.isLeaderAlive(state)) return',
    replace: "",
    tests: [
      membership("even a real request of its own is ignored while a leader lives (diss. 4.2.3, C9)"),
      story(
        "Disruptive servers: a removed node's delayed request for votes deposes nobody, and nobody waits for it (§6, diss. 4.2.3, C9)"
      )
    ]
  },
  {
    row: "C9",
    file: "src/Raft/core/Receiving.ts",
    find: "if (!countsForSender(message)) return",
    replace: "",
    tests: [election("messages of a peer that does not answer are no contact with it (C9)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Quorum.ts",
    find: "isMajority(voters, has) && (outgoing === undefined || isMajority(outgoing, has))",
    replace: "isMajority(voters, has)",
    tests: [
      membership("a candidate of a joint configuration needs both majorities (§6)"),
      quorum("a joint configuration needs a majority of the old voters and one of the new (§6)")
    ]
  },
  {
    row: "C10",
    file: "src/Raft/core/Quorum.ts",
    find: "outgoing === undefined ? value : Math.min(value, majorityValue(outgoing, valueOf))",
    replace: "value",
    tests: [
      membership("a joint configuration commits with a majority of each side only (§6)"),
      story("Joint consensus: old and new voters never decide without each other (§6, Figures 10 and 11, C10)")
    ]
  },
  {
    row: "C10",
    file: "src/Raft/core/Draft.ts",
    find: "  Configurations.truncate(state.configurations, fromIndex)\n",
    replace: "",
    tests: [membership("a configuration is rolled back with its entry (§6)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: 'return index > state.commitIndex || configuration.outgoing !== undefined ? "changing" : undefined',
    replace: "return undefined",
    tests: [membership("one change at a time: another is refused until the first is committed and left (§6, C10)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: "if (configuration.outgoing !== undefined) {",
    replace: "if (false) {",
    tests: [
      membership("a voter is replaced through a joint configuration, which the leader leaves by itself (§6, C10)"),
      membership("a leader that inherits a joint configuration leaves it after its own no-op (§6)")
    ]
  },
  {
    row: "C10",
    file: "src/Raft/core/Draft.ts",
    find: "Configurations.append(state.configurations, entry)\n  state.configuration = Configurations.latest(state.configurations).configuration",
    replace: "",
    tests: [membership("a follower uses a configuration as soon as it is in its log, committed or not (§6)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: "if (index > state.commitIndex || state.commitIndex < leader.noopIndex) return",
    replace: "",
    tests: [membership("the joint configuration is left once it is committed, and not before (§6)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: "} else if (!isVoter(configuration, state.nodeId)) {",
    replace: "} else if (false) {",
    tests: [
      membership("a leader that is not among the new voters steps down once they have committed it (§6)"),
      story(
        "Removed leader: it leads until the configuration without it is committed, by the others alone, and then goes (§6)"
      )
    ]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: "(index > namedIndex && index <= state.commitIndex)",
    replace: "index > namedIndex",
    tests: [removal("once a configuration without it is committed, and not before: it may be undone (§6)")]
  },
  {
    row: "C10",
    file: "src/Raft/core/Membership.ts",
    find: "toldIndex > namedIndex ||",
    replace: "toldIndex > 0 ||",
    tests: [removal("by the word of a peer that knows a later configuration than the one that names it")]
  },
  {
    row: "C11",
    file: "src/Raft/core/Membership.ts",
    find: 'return refuse("notCaughtUp")',
    replace: "{}",
    tests: [
      membership("a learner that lags behind is not promoted, even when asked (diss. 4.2.1, C11)"),
      story("Learner promotion: a node votes once it has caught up, and counts for nothing before (diss. 4.2.1, C11)")
    ]
  },
  {
    row: "C11",
    file: "src/Raft/core/step.ts",
    find: "  Membership.promoteReady(state, draft, leader)\n",
    replace: "",
    tests: [
      membership("a learner that asked for it is promoted by the leader once it has caught up (diss. 4.2.1, C11)")
    ]
  },
  {
    row: "C11",
    file: "src/Raft/core/CatchUp.ts",
    find: "if (at.matchIndex < catchUp.endIndex) return",
    replace: "",
    tests: [membership("what it acknowledges within a round makes that no shorter (diss. 4.2.1)")]
  },
  {
    row: "C12",
    file: "src/Raft/core/Transfer.ts",
    find: "if (Progress.countedIndex(leader.progress.get(transfer.target)) !== state.log.lastIndex) return",
    replace: "",
    tests: [
      transfer("the target is told only once it holds the whole log (diss. 3.10)"),
      story(
        "Leadership transfer: the target is brought up to date, told to campaign at once, and elected under a living leader (diss. 3.10, C12)"
      )
    ]
  },
  {
    row: "C12",
    file: "src/Raft/core/Transfer.ts",
    find: 'if (role._tag === "Leader" && target !== undefined) begin(state, draft, role, target)',
    replace: "if (false) {}",
    tests: [transfer("a leader that is to stop hands over first (C12)")]
  },
  {
    row: "C12",
    file: "src/Raft/core/Transfer.ts",
    find: "if (target !== undefined) tell(state, draft, leader, target)",
    replace: "",
    tests: [
      transfer("a leader whose disk stalls steps down at once, and tells the best voter to campaign (C12, C20)"),
      story(
        "Stalled disk: a leader whose disk does not answer hands leadership to one whose disk does (diss. 3.10, C12, C20)"
      )
    ]
  },
  {
    row: "C13",
    file: "src/Raft/core/Draft.ts",
    find: "Configurations.startAfter(state.configurations, { index: mark.index, configuration })\n  state.configuration = configuration",
    replace: "",
    tests: [snapshots("takes the configuration of the snapshot, be it joint (§6, §7)")]
  },
  {
    row: "C13",
    file: "src/EventStore/SnapshotFormat.ts",
    find: 'if (view.getUint32(4, true) !== sum) return { _tag: "Damaged", what: "chunk checksum differs" }',
    replace: "",
    tests: [snapshotDamage("every flipped bit is refused, and nothing before it is doubted")]
  },
  {
    row: "C13",
    file: "src/EventStore/PartialSnapshot.ts",
    find: "if (offset !== receivedBytes || bytes.length === 0) return receivedBytes",
    replace: "if (bytes.length === 0) return receivedBytes",
    tests: [snapshotStore("a chunk that does not come next changes nothing, and tells which one does (C13)")]
  },
  {
    row: "C13",
    file: "src/EventStore/PartialSnapshot.ts",
    find: 'receivedBytes = verdict._tag === "Intact" ? verdict.info.fileBytes : verdict.offset',
    replace: "receivedBytes = 0",
    tests: [snapshotStore("the same offer goes on with the intact chunks, another one begins anew (C13)")]
  },
  {
    row: "C13",
    file: "src/EventStore/PartialSnapshot.ts",
    find: "if (!isOffered) {",
    replace: "if (false) {",
    tests: [snapshotStore("a received file that differs from the offer is refused and thrown away (C13)")]
  },
  {
    row: "C13",
    file: "src/Machine/Snapshot.ts",
    find: 'for (const [name, session] of tables.sessions.entries()) yield { _tag: "Session", name, session: written(session) }',
    replace: "",
    tests: [
      inFile("Machine/Snapshot.test.ts")(
        "a snapshot carries what became of keys, so that a copy is one also where it was restored (C17)"
      )
    ]
  },
  {
    row: "C13",
    file: "src/Raft/core/Snapshots.ts",
    find: "if (RaftLog.termAt(state.log, index) !== term) {",
    replace: "if (false) {",
    tests: [
      snapshots("starts its log anew behind it, and acknowledges once that is durable (§7, C2)"),
      story(
        "Slow follower after compaction: what it lacks is gone, so it is sent a snapshot, and then the entries behind it (§7, C13, C14)"
      )
    ]
  },
  {
    row: "C13",
    file: "src/Raft/core/Snapshots.ts",
    find: "if (!reply.installed) return",
    replace: "",
    tests: [snapshots("tells the shell how much of it has arrived (C13)")]
  },
  {
    row: "C14",
    file: "src/Raft/core/Snapshots.ts",
    find: " || state.snapshotSeq > state.durableSeq",
    replace: "",
    tests: [snapshots("a snapshot is noted in the log, and history goes only once that is durable (§7, C14)")]
  },
  {
    row: "C15",
    file: "src/Raft/peers/Handshake.ts",
    find: "own.clusterId !== theirs.clusterId) {",
    replace: "false) {",
    tests: [handshake("a node of another cluster is refused (C15)")]
  },
  {
    row: "C15",
    file: "src/Raft/peers/Handshake.ts",
    find: 'if (theirs.targetNodeId !== own.nodeId && !(isJoining && theirs.targetNodeId === "")) {',
    replace: "if (false) {",
    tests: [handshake("a hello meant for, or coming from, another node is refused (C15)")]
  },
  {
    row: "C15",
    file: "src/Cluster/PeerInbox.ts",
    find: "if (event.hello.clusterId === null) propose(event.peer)\n        else {",
    replace: "{",
    tests: [peerInbox("a node that belongs to no cluster says nothing to this one (C15)")]
  },
  {
    row: "C16",
    file: "src/Cluster/FormingRules.ts",
    find: 'if (witness !== undefined) return refuse("DataLost", dataLost(own, witness.nodeId))',
    replace: "",
    tests: [
      formingRules("a voter that comes back empty is told so by any formed peer, and refuses (C16, diss. 11.7.2)")
    ]
  },
  {
    row: "C16",
    file: "src/Raft/core/Instances.ts",
    find: "return known === undefined || known.instanceId === peer.instanceId",
    replace: "return true",
    tests: [
      inFile("Raft/core/instances.test.ts")(
        "an answer counts only from the data directory that the configuration names (C16)"
      ),
      story(
        "Wiped node under its old name: its vote was lost with its data, and is given to nobody (diss. 11.7.2, C16)"
      )
    ]
  },
  {
    row: "C16",
    file: "src/Cluster/FormingRules.ts",
    find: "allUnformed && unheard.length === 0 && disagreeing.length === 0",
    replace: "allUnformed",
    tests: [formingRules("nobody mints while a listed node is silent, or names other peers (C16)")]
  },
  {
    row: "C16",
    file: "src/Raft/core/Configuration.ts",
    find: "votersOf(configuration).some(({ id, instanceId }) => id === own.id && instanceId === own.instanceId)",
    replace: "votersOf(configuration).some(({ id }) => id === own.id)",
    tests: [membership("one that lost its data does not take the vote of its former self for its own (C16)")]
  },
  {
    row: "C16",
    file: "src/Cluster/PeerInbox.ts",
    find: "if (mayTake(configuration(), { id: from, instanceId: hello.instanceId }, message))",
    replace: "if (true)",
    tests: [
      peerInbox("a link that was up before a configuration brings no more answers of whom it replaced (C16)"),
      peerInbox("a leader that came back with other data is heard by a member that lags, and its answers are not (C16)")
    ]
  },
  {
    row: "C16",
    file: "src/Raft/peers/PeerSockets.ts",
    find: "if (control === undefined || !isSameProcess(control.hello, link.hello)) return",
    replace: "",
    tests: [
      inFile("Raft/peers/transport.test.ts")(
        "what a former data directory said in one lane is not taken for its successor's in the other (C16)"
      )
    ]
  },
  {
    row: "C17",
    file: "src/Machine/decide.ts",
    find: "if (known !== undefined) return { result: known, entry: undefined }",
    replace: "",
    tests: [sessions("makes a copy answer what the first was told, and nothing happens twice")]
  },
  {
    row: "C17",
    file: "src/Machine/evolve.ts",
    find: "Sessions.note(tables, index, transaction, () => answerOf(transaction, changed))",
    replace: "",
    tests: [sessions("survives replay, with the same answer, also of what changed nothing")]
  },
  {
    row: "C17",
    file: "src/Machine/Sessions.ts",
    find: "logAgeMs - session.logAgeMs > limits.keyLifetimeMs",
    replace: "true",
    tests: [sessions("expires when the log is 24 hours older, and is dropped then")]
  },
  {
    row: "C17",
    file: "src/Machine/Sessions.ts",
    find: 'return afterIndex < horizonIndex ? { _tag: "Expired" } : undefined',
    replace: "return undefined",
    tests: [keys("is forgotten when so many others have come, and is then said to have expired, never to be absent")]
  },
  {
    row: "C17",
    file: "src/Machine/Sessions.ts",
    find: "bytes <= tables.limits.outcomeMaxBytes &&",
    replace: "",
    tests: [keys("is kept up to 4 KiB and not beyond, and tables keep no larger one")]
  },
  {
    row: "C17",
    file: "src/Machine/Recall.ts",
    find: "return createdIndex <= index ? createdIndex : 0",
    replace: "return createdIndex",
    tests: [keys("tells of an update, once its record was created anew, nothing of the new one")]
  },
  {
    row: "C17",
    file: "src/Machine/decideKey.ts",
    find: 'if (isClosed) return refuse({ _tag: "KeyClosed" })',
    replace: "",
    tests: [
      keys(
        "of which nothing became ends it: no copy is done after that, with whatever fingerprint, and none is a replay"
      )
    ]
  },
  {
    row: "C17",
    file: "src/Machine/AssignedKeys.ts",
    find: "if (keys.open.size !== keys.openCount) keys.open = new Map(firstOf(keys.open, keys.openCount))",
    replace: "",
    tests: [
      inFile("Machine/AssignedKeys.test.ts")(
        "clones go on each by itself, whichever is first, and none sees what another notes"
      )
    ]
  },
  {
    row: "C17",
    file: "src/Machine/DatedKeys.ts",
    find: "if (own.open.size !== own.openCount)",
    replace: "if (false)",
    tests: [datedKeys("clones go on each by itself, whichever is first, and none sees what another notes")]
  },
  {
    row: "C17",
    file: "src/Machine/DatedKeys.ts",
    find: "if (each.count <= count) continue",
    replace: "if (each.count === 0) continue",
    tests: [datedKeys("of a bucket that floods are forgotten, and those of no other")]
  },
  {
    row: "C17",
    file: "src/Machine/Sessions.ts",
    find: "own < shareOfFree * (max - sessions.size)",
    replace: "own < max",
    tests: [
      inFile("Machine/manyKeys.test.ts")("refuses a holder that floods, by closing keys as by writing, and nobody else")
    ]
  },
  {
    row: "C17",
    file: "src/Machine/LogAge.ts",
    find: "Math.max(age.offsetMs, appliedMs - monotonicMs)",
    replace: "appliedMs - monotonicMs",
    tests: [
      inFile("Machine/LogAge.test.ts")(
        "is not set back by an entry that is applied late, nor by a clock that began anew"
      )
    ]
  },
  {
    row: "C18",
    file: "src/Raft/core/Replication.ts",
    find: "if (batch.term !== state.currentTerm || batch.lastIndex !== state.log.lastIndex) {",
    replace: "if (false) {",
    tests: [replication("a batch is appended exactly where it was decided, or refused whole (C18)")]
  },
  {
    row: "C18",
    file: "src/Raft/node/Waiters.ts",
    find: "done: there.filter((entry) => entry.term === at.term)",
    replace: "done: there",
    tests: [waiters("another term's entry at the index proves that the awaited one is not done (Fig. 8)")]
  },
  {
    row: "C18",
    file: "src/Cluster/Attempts.ts",
    find: "end(Exit.fail(unknown ?? error))",
    replace: "end(Exit.fail(error))",
    tests: [attempts("after one unknown attempt no refusal makes the request certainly not done (C18)")]
  },
  {
    row: "C18",
    file: "src/Cluster/Attempts.ts",
    find: "end(unknown === undefined || covers ? exit : Exit.fail(unknown))",
    replace: "end(exit)",
    tests: [attempts("after one unknown attempt an answer that holds for no copy makes nothing certain (C18)")]
  },
  {
    row: "C18",
    file: "src/Machine/CommandResult.ts",
    find: 'result._tag === "Accepted" || result.replayedIndex !== undefined || isRemembered(result.rejection)',
    replace: "true",
    tests: [
      inFile("Machine/Keys.test.ts")(
        "that left none says nothing of a copy, which a leader of other code, or of more room, may do"
      )
    ]
  },
  {
    row: "C19",
    file: "src/Machine/decide.ts",
    find: "logAgeMs: Math.max(tables.logAgeMs, circumstances.logAgeMs)",
    replace: "logAgeMs: Math.max(tables.logAgeMs, circumstances.nowMs)",
    tests: [sessions("does not expire by a wall clock that jumps, however far (C19)")]
  },
  {
    row: "C19",
    file: "src/Raft/core/step.ts",
    find: "state.nowMs += Math.min(Math.max(0, nowMs - state.lastTickMs), state.config.heartbeatIntervalMs)",
    replace: "state.nowMs += nowMs - state.lastTickMs",
    tests: [election("a pause of the process counts as one heartbeat interval, so it deposes nobody (C19)")]
  },
  {
    row: "C19",
    file: "src/Raft/node/makeRaftNode.ts",
    find: "const nowNanos = yield* Clock.monotonicTimeNanos",
    replace: "const nowNanos = yield* Clock.currentTimeNanos",
    tests: [shell("a wall clock that jumps, to and fro, makes no time pass for an election (C19)")]
  },
  {
    row: "C20",
    file: "src/Raft/core/Election.ts",
    find: "if (!isQuorum) becomeFollower(state, draft, { term: state.currentTerm })",
    replace: "",
    tests: [
      election("a leader cut from a quorum steps down within an election timeout (diss. 6.2, C20)"),
      story("Asymmetric partition: a leader that is heard and hears nobody steps down, and makes room (diss. 6.2, C20)")
    ]
  },
  {
    row: "C20",
    file: "src/Raft/core/step.ts",
    find: "      state.diskStalled = true\n      standDown(state, draft)",
    replace: "      state.diskStalled = true",
    tests: [election("a leader whose disk stalls steps down, and campaigns only once a write completes (C20)")]
  },
  {
    row: "C20",
    file: "src/Raft/node/makeRaftNode.ts",
    find: 'if (isStalled && !core.diskStalled) run({ _tag: "DiskStalled" })',
    replace: "",
    tests: [shell("a leader whose disk stalls steps down, and may lead again once the write is over (C20)")]
  },
  {
    row: "C20",
    file: "src/Raft/core/Election.ts",
    find: " || state.diskStalled",
    replace: "",
    tests: [
      story(
        "Stalled disk: a leader whose disk does not answer hands leadership to one whose disk does (diss. 3.10, C12, C20)"
      )
    ]
  },
  {
    row: "C21",
    file: "src/Raft/core/Resending.ts",
    find: "if (isProbeDue(state, progress)) probeAgain(progress)\n    else if",
    replace: "if",
    tests: [resending("what could not be sent is not tried again before a beat has passed")]
  },
  {
    row: "C21",
    file: "src/Raft/core/step.ts",
    find: "  Resending.tick(state, draft, leader)\n",
    replace: "",
    tests: [
      resending("what was in flight and lost is sent again an election timeout later (read-only)"),
      resending("a peer that is far behind gets its share when its time has come (read-only)")
    ]
  },
  {
    row: "C21",
    file: "src/Raft/core/Reads.ts",
    find: "  state.readNumber++\n",
    replace: "  state.readNumber++\n  leader.heartbeatDueMs = state.nowMs + state.config.heartbeatIntervalMs\n",
    tests: [resending("beats go on at their own pace under reads, which beat besides")]
  },
  {
    row: "C21",
    file: "src/Raft/core/Resending.ts",
    find: "if (sent !== undefined && readNumber > sent.readNumber && state.nowMs > sent.atMs) probeAgain(progress)",
    replace: "",
    tests: [resending("a later beat that comes back without the probe's answer repeats the probe, once in a tick")]
  },
  {
    row: "C21",
    file: "src/Raft/node/PeerSending.ts",
    find: 'if (!isTaken && message._tag === "AppendEntries")',
    replace: "if (false)",
    tests: [shell("entries for which a queue was full are sent two beats later, not an election timeout later")]
  },
  {
    row: "C21",
    file: "src/Raft/core/step.ts",
    find: "  Standstill.tickLeader(state, draft, leader)\n",
    replace: "",
    tests: [
      standstill("whose entries reach nobody, though its beats do, says so and hands over to one whose entries do"),
      standstill("hands over to the voter whose log reaches furthest")
    ]
  },
  {
    row: "C21",
    file: "src/Raft/core/Standstill.ts",
    find: " || isCatchingUp(state, leader)",
    replace: "",
    tests: [standstill("is none that has nothing to commit, and none whose voters come nearer")]
  },
  {
    row: "C21",
    file: "src/Raft/core/Standstill.ts",
    find: "indexOf(voter) <= indexOf(id) && ",
    replace: "",
    tests: [
      standstill("says so once and goes on where nobody could be elected: those whom it hears hold less than it does")
    ]
  },
  {
    row: "C21",
    file: "src/Raft/core/Standstill.ts",
    find: "return Math.min(2 * pauseMs, pauseMaxMs)",
    replace: "return pauseMs",
    tests: [standstill("makes no leaders rotate where nobody's entries arrive: the pause between two hand-overs grows")]
  },
  {
    row: "C22",
    file: "src/Raft/core/Election.ts",
    find: "    upToDate && isFree && mayElect",
    replace: "    upToDate && isFree",
    tests: [
      leases(
        'a voter keeps its promise in a term that it learned of by {"_tag":"HeartbeatReply","term":2,"readNumber":0} (diss. 6.4.1)'
      ),
      leases("a voter that started again in the candidate's term keeps the promise of its former life (diss. 6.4.1)")
    ]
  },
  {
    row: "C22",
    file: "src/Raft/core/State.ts",
    find: "options.config.readLease === undefined ? undefined : 0",
    replace: "undefined",
    tests: [
      leases("a voter that started again in the candidate's term keeps the promise of its former life (diss. 6.4.1)"),
      leases("a node that starts keeps the promise that it may have made before, also before its first tick (C7)")
    ]
  },
  {
    row: "C23",
    file: "src/Raft/core/Reads.ts",
    find: "message.life !== life || ",
    replace: "",
    tests: [
      reads(
        "an answer to a former life of a follower confirms nothing of this one, whatever random numbers both drew (C23)"
      )
    ]
  },
  {
    row: "C23",
    file: "src/Raft/core/Reads.ts",
    find: "other.life === life && ",
    replace: "",
    tests: [reads("a leader answers two lives of a follower each under its own number (C23)")]
  },
  {
    row: "C23",
    file: "src/Cluster/Forwarding.ts",
    find: "if (message.life !== life) return",
    replace: "",
    tests: [
      inFile("Cluster/forwarding.test.ts")(
        "an answer to a former life of a node is no answer to this one, though both count alike (C23)"
      )
    ]
  },
  {
    row: "C23",
    file: "src/EventStore/Life.ts",
    find: "const life = former + 1",
    replace: "const life = Math.max(former, 1)",
    tests: [
      inFile("EventStore/directory.test.ts")(
        "counts every start, one that was killed too, and none that was refused (C23)"
      )
    ]
  },
  {
    row: "C24",
    file: "src/Machine/evolve.ts",
    find: "tables.limits = { ...tables.limits, ...limits }",
    replace: "tables.limits = { ...limits, ...tables.limits }",
    tests: [
      limits(
        "are stated once, by the first leader of a newer release, before whatever it decides; an older one leaves them"
      )
    ]
  },
  {
    row: "C24",
    file: "src/Machine/Limits.ts",
    find: "limits.revision > than.revision",
    replace: "limits.revision !== than.revision",
    tests: [
      limits(
        "are stated once, by the first leader of a newer release, before whatever it decides; an older one leaves them"
      )
    ]
  },
  {
    row: "C24",
    file: "src/Machine/Machine.ts",
    find: "evolve(machine.applied, { index: entry.index, transaction })",
    replace: "machine.applied.limits = machine.limits\n  evolve(machine.applied, { index: entry.index, transaction })",
    tests: [limits("are applied alike by every release: what one forgets all forget, whoever leads")]
  },
  {
    row: "C24",
    file: "src/Raft/node/decideBatch.ts",
    find: "  if (opening !== undefined) {",
    replace: "  if (opening === null) {",
    tests: [decideBatch("appends what the machine opens with before what it decides, and counts it (C24)")]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "  if (outliers.includes(comparing.nodeId)) {\n    comparing.isSuspect = true",
    replace: "  if (outliers.includes(comparing.nodeId)) {",
    tests: [
      stateComparison(
        "make the one suspect that differs from a majority, follower or leader, and all say which and where"
      )
    ]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "const outliers = agreed === undefined ? []",
    replace: "const outliers = agreed === null ? []",
    tests: [stateComparison("make nobody suspect without a majority that agrees: the alarm is all")]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "  one.definition === other.definition && one.hash !== other.hash",
    replace: "  one.hash !== other.hash",
    tests: [
      stateComparison(
        "of two definitions are not compared: neither does one make the other suspect, nor are they a majority"
      )
    ]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "  if (isBefore({ term, number }, comparing.concluded)) return\n",
    replace: "",
    tests: [stateComparison("of an older round, said late, do not end a suspicion that is newer")]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "  if (comparing.isSuspect && isAlone(comparing, configuration)) comparing.isSuspect = false\n",
    replace: "",
    tests: [
      stateComparison(
        "make nobody suspect any more once no voter is left that was right: else the cluster would have no leader"
      )
    ]
  },
  {
    row: "C25",
    file: "src/Raft/core/StateComparison.ts",
    find: "  if (unaskedMs >= unaskedAfterMs) comparing.isSuspect = false\n",
    replace: "",
    tests: [
      stateComparison(
        "that were made anew are believed where no leader asks, and judged again by the next one that does"
      )
    ]
  },
  {
    row: "C25",
    file: "src/Raft/core/Election.ts",
    find: " || state.isSuspect || state.repairing !== undefined) return false",
    replace: " || state.repairing !== undefined) return false",
    tests: [suspect("does not campaign, neither by itself nor when it is told to")]
  },
  {
    row: "C25",
    file: "src/Raft/core/Reads.ts",
    find: "    state.isSuspect ||\n",
    replace: "",
    tests: [suspect("refuses reads while it follows, those that wait for its leader too")]
  },
  {
    row: "C25",
    file: "src/Raft/core/step.ts",
    find: "      standDown(state, draft)\n      Reads.refuseAll(state, draft)",
    replace: "      Reads.refuseAll(state, draft)",
    tests: [suspect("hands leadership over and steps down, and its reads are refused"), suspect("stops its campaign")]
  },
  {
    row: "C25",
    file: "src/Machine/StateElements.ts",
    find: "[model, id, version, modelVersion, createdIndex, index, data]",
    replace: "[model, id, version, modelVersion, index, data]",
    tests: [stateHash("changes with every field of the state")]
  },
  {
    row: "C25",
    file: "src/Machine/SnapshotTables.ts",
    find: "      StateHash.add(state.tables.hash, StateElements.row(model, id, RowBlock.rowAt(read.block, at)))\n",
    replace: "",
    tests: [stateHash("is what the tables hold, after any history, by way of a snapshot too")]
  },
  {
    row: "C26",
    file: "src/Raft/core/Election.ts",
    find: "  if (state.repairing !== undefined) return\n",
    replace: "",
    tests: [
      repair(
        "neither votes, nor campaigns by itself or on order, nor reads, and answers a beat by asking for an index (C26)"
      )
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Election.ts",
    find: "state.isSuspect || state.repairing !== undefined) return false",
    replace: "state.isSuspect) return false",
    tests: [
      repair(
        "neither votes, nor campaigns by itself or on order, nor reads, and answers a beat by asking for an index (C26)"
      )
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Election.ts",
    find: "progress === undefined || progress.repair !== undefined) return false",
    replace: "progress === undefined) return false",
    tests: [repair("counts it as unheard at once, and for no quorum, until it acknowledges again (C26)")]
  },
  {
    row: "C26",
    file: "src/Raft/core/Progress.ts",
    find: "progress === undefined || progress.repair !== undefined ? 0",
    replace: "progress === undefined ? 0",
    tests: [repair("counts it as unheard at once, and for no quorum, until it acknowledges again (C26)")]
  },
  {
    row: "C26",
    file: "src/Raft/core/Repair.ts",
    find: "(voter) => voter !== peer && repair.acks.has(voter))",
    replace: "(voter) => voter === peer || repair.acks.has(voter))",
    tests: [
      repair("names its last index, and not its commit index, once a quorum without the node echoed a later beat (C26)")
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Repair.ts",
    find: "repair.throughIndex = state.log.lastIndex",
    replace: "repair.throughIndex = state.commitIndex",
    tests: [
      repair("names its last index, and not its commit index, once a quorum without the node echoed a later beat (C26)")
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Repair.ts",
    find: "repairing === undefined || repairing.nonce !== message.nonce",
    replace: "repairing === undefined",
    tests: [
      repair(
        "is not ended by an index that was named to an earlier repair, in an older term, or by a former leader (C26)"
      )
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Repairing.ts",
    find: "  repairing.throughIndex = undefined\n  repairing.matchedIndex = 0\n",
    replace: "",
    tests: [
      repair(
        "is not ended by an index that was named to an earlier repair, in an older term, or by a former leader (C26)"
      )
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Repair.ts",
    find: "if (Math.min(matchedIndex, durableIndex) < throughIndex) return",
    replace: "if (durableIndex < throughIndex) return",
    tests: [
      repair("is over once it holds, compared and on its disk, the leader's log through the index that was named (C26)")
    ]
  },
  {
    row: "C26",
    file: "src/Raft/core/Receiving.ts",
    find: "state.repairing?.matchedIndex ?? Number.POSITIVE_INFINITY",
    replace: "Number.POSITIVE_INFINITY",
    tests: [repair("commits nothing by a beat that knew its log before the damage (C26)")]
  },
  {
    row: "C26",
    file: "src/EventStore/VotedLog.ts",
    find: "Effect.andThen(keep(newest), store.append(writes))",
    replace: "store.append(writes)",
    tests: [repairedLog("finds a vote that was acted on after a kill, though the log is lost")]
  },
  {
    row: "C27",
    file: "src/Raft/peers/Introduction.ts",
    find: "known === undefined || own.includes(known) ? undefined : known",
    replace: "undefined",
    tests: [introduction("ends the node whose directory lacks what the peer knows")]
  },
  {
    row: "C27",
    file: "src/Raft/peers/Introduction.ts",
    find: "recorded !== undefined && start !== undefined && !isSameStart(recorded, start) && !isSameStart(recorded, told)",
    replace: "false",
    tests: [
      introduction("does not count any more once the members name a start of which the peer was not asked"),
      transport("a directory that lacks the start that a peer knows is told to be a copy, and does not come up (C27)")
    ]
  },
  {
    row: "C27",
    file: "src/Raft/peers/Greeting.ts",
    find: "if (later !== undefined) {",
    replace: "if (false) {",
    tests: [
      transport("a directory that lacks the start that a peer knows is told to be a copy, and does not come up (C27)")
    ]
  },
  {
    row: "C27",
    file: "src/Raft/peers/PeerSockets.ts",
    find: "yield* links.close(({ hello, introduced }) => isOutdated(hello, introduced, next.members))",
    replace: "",
    tests: [
      transport("a directory that lacks the start that a peer knows is told to be a copy, and does not come up (C27)")
    ]
  },
  {
    row: "C27",
    file: "src/Cluster/Moves.ts",
    find: "if (start !== undefined && !isKnown && !isSameStart(recorded, told)) return []",
    replace: "",
    tests: [moves("is not recorded of a directory that has not shown the recorded one, nor is its address")]
  }
]
