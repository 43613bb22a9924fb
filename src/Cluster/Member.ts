/**
 * One member of a cluster, as the rooms above see it. It forms the cluster once, then takes part in consensus, and
 * forwards to the leader what it cannot decide itself. RaftNode.ts has consensus, and Http the routes.
 */

import { Context, type Effect } from "effect"
import type { Policy } from "../Access/Policy.ts"
import type { DirectoryMismatch } from "../EventStore/Directory.ts"
import type { DiskUsage } from "../EventStore/DiskUsage.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { SnapshotStore } from "../EventStore/SnapshotStore.ts"
import type { ModelMismatch } from "../Local/checkModels.ts"
import type { Retention } from "../Local/Retention.ts"
import type { Command, Keyed } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import type { Formats } from "../Machine/Format.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { Procedures } from "../Machine/Procedure.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Watcher } from "../Machine/Watcher.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { RaftConfig } from "../Raft/core/RaftConfig.ts"
import type * as Answers from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type * as RaftNode from "../Raft/node/RaftNode.ts"
import type * as Removal from "../Raft/node/Removal.ts"
import type { Begin, Forget, Settle } from "../Raft/node/Settle.ts"
import type { Self } from "../Raft/peers/Transport.ts"
import type { OfCommand } from "./CommandDurations.ts"
import type { Erasing } from "./Erasing.ts"
import type * as Feed from "./Feed.ts"
import type { FormingRefused } from "./Forming.ts"
import type { Administer, AdministerResult } from "./Order.ts"

type Node = RaftNode.RaftNode<Command, CommandResult | Logged>
type Answered = Answers.Answered<CommandResult>

/** Why a member ended: its disk or its files failed, or its cluster refused or removed it. */
export type MemberFailure =
  | LogFailed
  | LogCorrupt
  | DirectoryMismatch
  | FormingRefused
  | Removal.MemberRemoved
  | Removal.ClusterSuperseded
  | Removal.DirectoryCopied
  | ModelMismatch

/** A member of the cluster: it decides commands, confirms reads and serves the applied state. */
export class Member extends Context.Service<
  Member,
  {
    readonly self: Self
    /** What this node enforces; undefined if it is open. */
    readonly policy: Policy | undefined
    /**
     * Decides a command on the leader, wherever the leader is, and tells `settle` the outcome. `NotDone` is certain for
     * this attempt. A command without a key is given one, which `UnknownOutcome` carries. The answer comes within
     * `answerTimeoutMs` of Attempts.ts.
     *
     * No fiber waits. `settle` is called once: perhaps before this returns, and usually in the middle of a turn of the
     * node, so it must be quick. A defect of it is logged. The function that this returns gives the command up: `settle`
     * is not called any more, and a command that was not proposed here never will be. Call it when the client has gone;
     * after the outcome it does nothing.
     */
    readonly submitUnsafe: (command: Command, settle: Settle<Answered, NotDone | UnknownOutcome>) => Forget
    /** {@link submitUnsafe} as an Effect. Interruption gives the command up. */
    readonly submit: (command: Command) => Effect.Effect<Answered, NotDone | UnknownOutcome>
    /** The status of a key, linearizably. A command under way on this node counts as pending. */
    readonly inquire: (keyed: Keyed) => Effect.Effect<{ readonly index: number; readonly status: KeyStatus }, NotDone>
    /**
     * Tells `settle` once this node's tables are linearizable for a read that begins now (diss. 6.4), with the index.
     * Called as for {@link submitUnsafe}: read the tables in `settle`, at once.
     */
    readonly readIndexUnsafe: Begin<number, NotDone>
    /** {@link readIndexUnsafe} as an Effect. */
    readonly readIndex: Effect.Effect<number, NotDone>
    /**
     * The greatest possible age, in milliseconds, of a state at `index`. It is undefined until a quorum has confirmed
     * an index up to it since this node started: until then the state may be older than an earlier read of this node.
     */
    readonly staleMs: (index: number, nowMs: number) => number | undefined
    /**
     * Waits until `holds` is true. It is checked when more is applied or confirmed here, when this node is removed, when
     * it begins to drain, and when it stops.
     */
    readonly until: (holds: () => boolean) => Effect.Effect<void>
    /** Whether this node was removed from its cluster. It then takes and serves nothing, and ends soon. */
    readonly isRemoved: () => boolean
    /**
     * Takes no more commands, waits until those under way here are answered, and hands leadership over. Reads go on.
     * Within a few seconds every waiting request is answered: commands that may be done get `UnknownOutcome`.
     */
    readonly drain: Effect.Effect<void>
    readonly isDraining: () => boolean
    /** Whether this node is about to stop, so that every waiting request must be answered at once. */
    readonly isStopping: () => boolean
    /** The applied state. It changes with every entry: read it at once, or clone it. */
    readonly tables: Tables
    /** Has a watcher hear of each record that changes in the applied state, until the function that this returns is called. */
    readonly watch: (watcher: Watcher) => () => void
    /** Carries out erasures in this node's files, with the parts that keep data beside the log. */
    readonly erasing: Erasing
    /** The feed of entries that are applied here. */
    readonly feed: Feed.Feed
    /** Changes the members, transfers leadership, or does without members that block new versions. The leader does it, wherever it is. `NotDone` is certain. */
    readonly administer: (order: Administer) => Effect.Effect<AdministerResult, NotDone | UnknownOutcome>
    /** The cluster's id, once this node is formed, and the node, once it runs. */
    readonly clusterId: () => string | undefined
    readonly node: () => Node | undefined
    /** The snapshots on this node's disk, once it runs. */
    readonly snapshots: () => SnapshotStore["Service"] | undefined
    readonly leader: () => NodeId | undefined
    /** How long commands took, since this node started. */
    readonly commandDurations: () => ReadonlyArray<OfCommand>
    /** The queues of this node: how many wait in each, and how many may. */
    readonly queues: () => ReadonlyArray<{ readonly queue: string; readonly count: number; readonly maxCount: number }>
    /** How full the disk of this node is; undefined if it has none. */
    readonly diskUsage: Effect.Effect<DiskUsage | undefined>
    /** Fails with the reason once this member ends. */
    readonly stopped: Effect.Effect<never, MemberFailure>
  }
>()("lithair/Raft/Member") {}

export interface MemberOptions {
  readonly self: Self
  readonly models: ReadonlyArray<Descriptor>
  /** The names of models that have ended. */
  readonly dropped?: ReadonlyArray<string>
  /** The handlers of declared commands, which run while this node leads. */
  readonly procedures?: Procedures
  /** What this node enforces. Without it the node is open. */
  readonly policy?: Policy
  /** Settings that differ from the defaults. */
  readonly config?: Partial<RaftConfig>
  /** Bounds of the history; all of it is retained by default. */
  readonly retention?: Retention
  /** Begins a chain of digests over the log (Proving.ts). False by default. */
  readonly tamperEvident?: boolean
  /** Makes ids for records that come without one. UUIDv7 by default. */
  readonly newId?: () => string
  /** The formats that this node knows. Those of its release by default. */
  readonly formats?: Formats
  /**
   * The address of a member of a running cluster, which this node asks to take it in while its directory is empty. Without
   * it, the node forms a cluster with its peers.
   */
  readonly join?: string
}
