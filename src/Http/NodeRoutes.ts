/** What a node says of itself and its cluster: health for those who route to it, state for those who run it. */
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { definition } from "../Machine/StateElements.ts"
import { stateHash } from "../Machine/Tables.ts"
import { termAt } from "../Raft/core/RaftLog.ts"
import { standstillMs } from "../Raft/core/Standstill.ts"
import { membersStatus } from "../Raft/core/Status.ts"
import { splitTarget } from "./Routing.ts"

/** Entries that a ready node may lack of what it knows to be committed. */
const readyLagMaxCount = 1_000
/** How long a ready node may get none of the committed entries that it lacks, however few they are. */
const readyStandstillMaxMs = 1_000

/** One thing that must hold for a node to be ready; `reason` says why it does not. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly reason?: string
}

const check = (name: string, reason: string | undefined): Check =>
  reason === undefined ? { name, ok: true } : { name, ok: false, reason }

/**
 * Why a node has not caught up, or does not keep up. Just started it knows of no commit and lacks nothing that it knows of: what it has
 * applied must reach into the term of its leader, whose first entry follows all that was committed before.
 */
const laggingReason = (member: Member["Service"]): string | undefined => {
  const node = member.node()
  if (node === undefined) return "Nothing is applied yet"
  const { commitIndex, currentTerm, leaderCommit, log } = node.core
  const appliedIndex = node.appliedIndex()
  if (termAt(log, appliedIndex) !== currentTerm) return "What is applied is older than the leader's term"
  const lag = Math.max(commitIndex, leaderCommit) - appliedIndex
  if (lag > readyLagMaxCount) return `${lag} committed entries are not applied yet`
  const stoodMs = standstillMs(node.core)
  return stoodMs > readyStandstillMaxMs ? `Committed entries are missing, and none came for ${stoodMs} ms` : undefined
}

const suspectReason = "The state of this node differs from that of a majority, and is made anew"

/** What it has may be older than what it answered before it started: it answers no read yet. */
const startingReason = (member: Member["Service"]): string | undefined =>
  member.staleMs(member.node()?.appliedIndex() ?? 0, 0) === undefined
    ? "No quorum has confirmed yet what this node has"
    : undefined

/**
 * A ready node belongs to a cluster, is not about to stop, has started, knows a leader, has caught up and holds
 * what the others hold.
 */
export const readyChecks = (member: Member["Service"]): ReadonlyArray<Check> => [
  check("formed", member.node() === undefined ? "The node has not formed a cluster yet" : undefined),
  check("member", member.isRemoved() ? "The node was removed from its cluster" : undefined),
  check("started", startingReason(member)),
  check("serving", member.isDraining() ? "The node is about to stop" : undefined),
  check("leader", member.leader() === undefined ? "No leader is known" : undefined),
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

/** `/_admin/api/cluster`: node ids, with their addresses beside them. */
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
    nodes: (core === undefined ? [] : membersStatus(core)).map((each) => ({
      id: each.id,
      address: each.address,
      role: each.isLeader ? "leader" : each.isVoter ? "follower" : "learner",
      voter: each.isVoter,
      matchIndex: each.matchIndex ?? null,
      lag: each.lagCount ?? null,
      lastContactMs: each.lastContactMs ?? null
    }))
  }
}

/** `/livez` and `/readyz`. */
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

/** `/_admin/api/cluster`. */
export const clusterRoutes = (member: Member["Service"]) =>
  [
    HttpRouter.route(
      "GET",
      "/_admin/api/cluster",
      Effect.sync(() => HttpServerResponse.jsonUnsafe(clusterStatus(member)))
    )
  ] as const
