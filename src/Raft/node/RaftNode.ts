/** Consensus on one node, as the rooms above use it. makeRaftNode.ts has the shell that runs it. */
import type { Effect } from "effect"
import type { LogCorrupt, LogFailed } from "../../EventStore/LogStore.ts"
import type { Configuration } from "../core/Configuration.ts"
import type { ConfigurationAt } from "../core/Configurations.ts"
import type { Message, NodeId } from "../core/Message.ts"
import type { TransferResult } from "../core/Output.ts"
import type { RaftConfig } from "../core/RaftConfig.ts"
import type { State } from "../core/State.ts"
import type { AppliedMarks } from "./AppliedMarks.ts"
import type { SettleAnswer } from "./CommandQueue.ts"
import type { EntryTraces } from "./EntryTraces.ts"
import type { Measures } from "./Measures.ts"
import type * as MembershipRequests from "./MembershipRequests.ts"
import type { NotDone, UnknownOutcome } from "./Outcome.ts"
import type { Forget } from "./Settle.ts"
import type { StateMachine } from "./StateMachine.ts"
import type * as StateWatch from "./StateWatch.ts"
import type { SettleIndex } from "./takeReadIndex.ts"

/** What a node runs with. */
export interface RaftNodeOptions<Command, CommandResult> {
  readonly nodeId: NodeId
  /** The instance of the data directory. A configuration with another one means a former node (C16). */
  readonly instanceId: string
  /** The number of this start in the data directory. */
  readonly life: number
  /** The configurations of the log. The latest is in force, committed or not (§6). */
  readonly configurations: ReadonlyArray<ConfigurationAt>
  /** Called when another configuration is in force, which names the peers to connect to. */
  readonly onConfiguration?: (configuration: Configuration) => void
  /** Called when this node learns of a leader. */
  readonly onLeader?: (leader: NodeId) => void
  /** Called when more entries are applied. */
  readonly onApplied?: () => void
  readonly config: RaftConfig
  readonly machine: StateMachine<Command, CommandResult>
  /** Follows traced commands, if spans are recorded. */
  readonly traces?: EntryTraces
  /** Where the node remembers how far it has applied its log. It remembers nothing by default. */
  readonly marks?: AppliedMarks
}

/** Consensus on one node, for a machine with `Command` and `CommandResult`. */
export interface RaftNode<Command, CommandResult> {
  /**
   * Decides `command` here, if this node leads, and tells `settle` once its answer is final. `NotDone` is certain. After
   * `timeoutMs` a command that was not proposed is `NotDone`, and a proposed one has an unknown outcome. A command that
   * is given up before it was proposed never will be.
   */
  readonly submit: (command: Command, timeoutMs: number, settle: SettleAnswer<CommandResult>) => Forget
  /**
   * Tells `settle` once the applied state is linearizable for a read that begins now, with its index. A follower may be
   * cut off from the entries up to it: after `timeoutMs` the read is refused.
   */
  readonly readIndex: (timeoutMs: number, settle: SettleIndex) => Forget
  /** Takes a message from a peer's core. */
  readonly receive: (from: NodeId, message: Message) => void
  /** `peerDown`: messages under way to the peer may be lost. `peerReachable`: from now on it can be sent entries. */
  readonly peerDown: (peer: NodeId) => void
  readonly peerReachable: (peer: NodeId) => void
  /** Compares the members' states, and says whether this node's own can be trusted. */
  readonly states: StateWatch.StateWatch
  /** Begins a change of the members and waits until it is over, or refuses it. `NotDone` is certain. */
  readonly changeMembers: (
    asked: MembershipRequests.AskedChange,
    timeoutMs: number
  ) => Effect.Effect<MembershipRequests.ChangeResult, NotDone | UnknownOutcome>
  /** Hands leadership to `to`, or to the voter that has caught up most, or refuses (diss. 3.10). */
  readonly transferLeadership: (to?: NodeId) => Effect.Effect<TransferResult, NotDone>
  /** Call before this node stops. When it returns, the node campaigns no more and does not lead. */
  readonly handOver: Effect.Effect<void>
  /** Call before this node stops. Waiting requests learn what is certain by now, and new ones are refused. */
  readonly giveUp: () => void
  /** Since when no leader is known, on the monotonic clock; undefined while one is. */
  readonly leaderlessSinceMs: () => number | undefined
  /**
   * Removes all entries through an index from this node's log, once a snapshot stands for them, even if a peer lacks them. Its
   * history keeps them. Returns when they are gone.
   */
  readonly discard: (throughIndex: number) => Effect.Effect<void, LogFailed | LogCorrupt>
  /** The index that the machine's state reflects now. */
  readonly appliedIndex: () => number
  /** Whether the log has no room for its next segment, so that this node takes no writes (`storage-full`). */
  readonly isStorageShort: () => boolean
  /** What this node measures of its own work. */
  readonly measures: Measures
  /** How many commands wait to be decided, of `pendingMaxCount`. */
  readonly pendingCount: () => number
  /** The core's state, to read and never to change. */
  readonly core: Readonly<State>
  /** Fails with the reason once this node stops: a failed disk, or a defect. */
  readonly stopped: Effect.Effect<never, LogFailed | LogCorrupt>
}
