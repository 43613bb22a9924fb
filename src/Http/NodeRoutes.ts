/** Routes by which a node reports on itself: health for load balancers, the cluster's state for operators. */
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { definition } from "../Machine/StateElements.ts"
import { stateHash } from "../Machine/Tables.ts"
import { termAt } from "../Raft/core/RaftLog.ts"
import { standstillMs } from "../Raft/core/Standstill.ts"
import type { State } from "../Raft/core/State.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import { noFlags } from "./AdminRoutes.ts"
import { viewing } from "./OperatorRoutes.ts"
import { splitTarget } from "./Routing.ts"

/** A ready node lacks at most so many entries that it knows to be committed. */
const readyLagMaxCount = 1_000
/** For how long a ready node may lack committed entries, however few, and get none of them. */
const readyStandstillMaxMs = 1_000

/** One condition for a node to be ready. `reason` says why it does not hold. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly reason?: string
}

const check = (name: string, reason: string | undefined): Check =>
  reason === undefined ? { name, ok: true } : { name, ok: false, reason }

/**
 * Says why a node has not caught up, or does not keep up. A node that has just started knows of no commits, so it cannot
 * count what it lacks. It must have applied an entry of its leader's term: that follows all earlier commits.
 */
const laggingReason = (member: Member["Service"]): string | undefined => {
  const node = member.node()
  if (node === undefined) return "The node has applied no entries yet"
  const { commitIndex, currentTerm, leaderCommit, log } = node.core
  const appliedIndex = node.appliedIndex()
  if (termAt(log, appliedIndex) !== currentTerm) return "The node has not applied an entry of the leader's term yet"
  const lag = Math.max(commitIndex, leaderCommit) - appliedIndex
  if (lag > readyLagMaxCount) return `The node has not applied ${lag} committed entries yet`
  const stoodMs = standstillMs(node.core)
  return stoodMs > readyStandstillMaxMs ? `The node lacks committed entries, and got none for ${stoodMs} ms` : undefined
}

const suspectReason = "The state of this node differs from the state of a majority: the node is rebuilding it"

/** Its data may be older than its answers before the restart, so it serves no reads yet. */
const startingReason = (member: Member["Service"]): string | undefined =>
  member.staleMs(member.node()?.appliedIndex() ?? 0, 0) === undefined
    ? "No quorum has confirmed yet that this node is up to date"
    : undefined

/**
 * The conditions of readiness: the node belongs to a cluster, is not stopping, has started, knows a leader, has caught
 * up, needs no repair, and has the same state as the others.
 */
export const readyChecks = (member: Member["Service"]): ReadonlyArray<Check> => [
  check("formed", member.node() === undefined ? "The node has not formed a cluster yet" : undefined),
  check("member", member.isRemoved() ? "The node was removed from its cluster" : undefined),
  check("log", repairingReason(member)),
  check("started", startingReason(member)),
  check("serving", member.isDraining() ? "The node is stopping" : undefined),
  check("leader", member.leader() === undefined ? "The node knows no leader" : undefined),
  check("caught-up", laggingReason(member)),
  check("state", member.node()?.states.isSuspect() === true ? suspectReason : undefined)
]

const health = (checks: ReadonlyArray<Check>, isVerbose: boolean) => {
  const reasons = checks.flatMap(({ reason }) => reason ?? [])
  const details = isVerbose ? { checks } : {}
  return reasons.length === 0
    ? HttpServerResponse.jsonUnsafe({ status: "ok", ...details })
    : HttpServerResponse.jsonUnsafe({ status: "unavailable", reasons, ...details }, { status: 503 })
}

/** How far the repair of this node's log is; null if there is none. */
const repairOf = ({ commitIndex, durableIndex, repairing }: Readonly<State>) =>
  repairing === undefined
    ? null
    : {
        throughIndex: repairing.throughIndex ?? null,
        heldIndex: Math.min(durableIndex, Math.max(commitIndex, repairing.matchedIndex))
      }

const repairingReason = (member: Member["Service"]): string | undefined => {
  const core = member.node()?.core
  const repair = core === undefined ? null : repairOf(core)
  if (repair === null) return undefined
  return repair.throughIndex === null
    ? "The log of this node is damaged: it waits for a leader that a quorum of the others confirms"
    : `The log of this node is damaged: peers have given back entries through ${repair.heldIndex} of ${repair.throughIndex}`
}

/** The body of `/_admin/api/cluster`: node ids with their addresses. */
const clusterStatus = (member: Member["Service"]) => {
  const core = member.node()?.core
  const leader = member.leader()
  const commitIndex = core?.commitIndex ?? 0
  return {
    clusterId: member.clusterId() ?? null,
    nodeId: member.self.nodeId,
    role: core?.role._tag.toLowerCase() ?? "unformed",
    term: core?.currentTerm ?? 0,
    leader: leader ?? null,
    commitIndex,
    appliedIndex: member.node()?.appliedIndex() ?? 0,
    stateHash: stateHash(member.tables),
    stateHashDefinition: definition,
    stateSuspect: member.node()?.states.isSuspect() ?? false,
    stateDifference: member.node()?.states.difference() ?? null,
    repairing: core === undefined ? null : repairOf(core),
    nodes: (core === undefined ? [] : membersStatus(core)).map((each) => ({
      id: each.id,
      address: each.address,
      role: each.isLeader ? "leader" : each.isVoter ? "follower" : "learner",
      voter: each.isVoter,
      repairing: each.isRepairing,
      matchIndex: each.matchIndex ?? null,
      lag: each.lagCount ?? null,
      lastContactMs: each.lastContactMs ?? null
    }))
  }
}

/** Makes the routes `/livez` and `/readyz`. */
export const healthRoutes = (member: Member["Service"]) =>
  [
    HttpRouter.route(
      "GET",
      "/livez",
      Effect.sync(() => health([], false))
    ),
    HttpRouter.route(
      "GET",
      "/readyz",
      Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) =>
        health(readyChecks(member), /(^|&)verbose(=|&|$)/.test(splitTarget(url).query))
      )
    )
  ] as const

/** Makes the route `/_admin/api/cluster`. */
export const clusterRoutes = (member: Member["Service"]) =>
  [
    viewing(
      "/_admin/api/cluster",
      Effect.map(noFlags, () => HttpServerResponse.jsonUnsafe(clusterStatus(member)))
    )
  ] as const
