/**
 * One member of a cluster, as the rooms above see it: it forms the cluster once, then agrees with it, and hands to the
 * leader what it cannot decide itself. Not consensus (RaftNode.ts) and not HTTP.
 */

import { Context, type Effect } from "effect"
import type { DirectoryMismatch } from "../EventStore/Directory.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Command } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import type { Procedures } from "../Machine/Procedure.ts"
import type { Keyed } from "../Machine/Sessions.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { RaftConfig } from "../Raft/core/RaftConfig.ts"
import type { Administered, Administration } from "../Raft/node/Administration.ts"
import type * as CommandQueue from "../Raft/node/CommandQueue.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type * as RaftNode from "../Raft/node/RaftNode.ts"
import type * as Removal from "../Raft/node/Removal.ts"
import type { Self } from "../Raft/peers/Transport.ts"
import type * as Feed from "./Feed.ts"
import type { FormingRefused, Join } from "./Forming.ts"

type Node = RaftNode.RaftNode<Command, CommandResult | Logged>
type Answered = CommandQueue.Answered<CommandResult>

/** Why a member ended: its disk, its files, or a cluster that will not have it, or has it no longer. */
export type MemberFailure = LogFailed | LogCorrupt | DirectoryMismatch | FormingRefused | Removal.MemberRemoved

export class Member extends Context.Service<
  Member,
  {
    readonly self: Self
    /**
     * Decides a command on the leader, wherever it is. `NotDone` is certain, of this attempt. One without a key is given
     * one, which `UnknownOutcome` tells.
     */
    readonly submit: (command: Command) => Effect.Effect<Answered, NotDone | UnknownOutcome>
    /** What became of a key, linearizably: as the leader knows it, or as it is under way here. */
    readonly inquire: (keyed: Keyed) => Effect.Effect<{ readonly index: number; readonly status: KeyStatus }, NotDone>
    /** Waits until this node's tables are linearizable for a read that begins now (diss. 6.4); gives the index. */
    readonly readIndex: Effect.Effect<number, NotDone>
    /**
     * How long ago, at most, what reflects `index` was the newest there was; undefined until a quorum has confirmed, since
     * this node started, an index up to it: until then it may be older than what was read here before.
     */
    readonly staleMs: (index: number, nowMs: number) => number | undefined
    /** Whether this node was removed from its cluster: it takes and serves nothing, and ends soon. */
    readonly isRemoved: () => boolean
    /**
     * Takes no more commands, waits until those under way here are answered, and hands leadership over. Reads go on. Within
     * a few seconds all who wait are told: of what may be done, that its outcome is unknown.
     */
    readonly drain: Effect.Effect<void>
    readonly isDraining: () => boolean
    /** Whether whoever waits here, for whatever, is to be answered at once: this node is about to go. */
    readonly isStopping: () => boolean
    /** What is applied here. It changes with every entry: read it at once, or clone it. */
    readonly tables: Tables
    /** The history of what is applied here, to be followed. */
    readonly feed: Feed.Feed
    /** Changes the members, or who leads: carried out by the leader, wherever it is. `NotDone` is certain. */
    readonly administer: (order: Administration) => Effect.Effect<Administered, NotDone | UnknownOutcome>
    /** The cluster, once this node is formed; the node, once it runs. */
    readonly clusterId: () => string | undefined
    readonly node: () => Node | undefined
    readonly leader: () => NodeId | undefined
    /** Ends with what stopped this member. */
    readonly stopped: Effect.Effect<never, MemberFailure>
  }
>()("lithair/Raft/Member") {}

export interface MemberOptions {
  readonly self: Self
  readonly models: ReadonlyArray<Descriptor>
  /** What declared commands do while this node leads. */
  readonly procedures?: Procedures
  /** What is not the default. */
  readonly config?: Partial<RaftConfig>
  /** Ids of records that come without one; UUIDv7 unless given. */
  readonly newId?: () => string
  /** How this node, while it is empty, asks a running cluster to take it in; without it, it forms one with its peers. */
  readonly join?: Join
}
