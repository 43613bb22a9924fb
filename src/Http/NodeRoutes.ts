/** What a node says of itself and its cluster: health for those who route to it, state for those who run it. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { stateHash } from "../Machine/Tables.ts"
import type { Member } from "../Raft/Member.ts"

/** Entries that a ready node may lack of what it knows to be committed. */
const readyLagMaxCount = 1_000

/** Why a node is not ready; none: it knows a leader and has caught up. */
export const unreadyReasons = (member: Member["Service"]): ReadonlyArray<string> => {
  const node = member.node()
  if (node === undefined) return ["The node has not formed a cluster yet"]
  const lag = node.core.commitIndex - node.appliedIndex()
  return [
    ...(member.leader() === undefined ? ["No leader is known"] : []),
    ...(lag > readyLagMaxCount ? [`${lag} committed entries are not applied yet`] : [])
  ]
}

const health = (reasons: ReadonlyArray<string>) =>
  reasons.length === 0
    ? HttpServerResponse.jsonUnsafe({ status: "ok" })
    : HttpServerResponse.jsonUnsafe({ status: "unavailable", reasons }, { status: 503 })

/** `/_admin/api/cluster`: node ids, with their addresses beside them. */
const clusterStatus = (member: Member["Service"]) => {
  const core = member.node()?.core
  const leader = member.leader()
  const commitIndex = core?.commitIndex ?? 0
  return {
    clusterId: member.cluster()?.clusterId ?? null,
    nodeId: member.self.nodeId,
    role: core?.role._tag.toLowerCase() ?? "unformed",
    term: core?.currentTerm ?? 0,
    leader: leader ?? null,
    commitIndex,
    appliedIndex: member.node()?.appliedIndex() ?? 0,
    stateHash: stateHash(member.tables),
    nodes: (member.cluster()?.configuration.voters ?? []).map(({ address, id }) => {
      const progress = core?.role._tag === "Leader" ? core.role.progress.get(id) : undefined
      const matchIndex = id === member.self.nodeId ? (core?.durableIndex ?? 0) : (progress?.matchIndex ?? null)
      return {
        id,
        address,
        role: id === leader ? "leader" : "follower",
        voter: true,
        matchIndex,
        lag: matchIndex === null ? null : Math.max(0, commitIndex - matchIndex),
        lastContactMs: null
      }
    })
  }
}

export const nodeRoutes = (member: Member["Service"]) =>
  [
    HttpRouter.route(
      "GET",
      "/livez",
      Effect.sync(() => health([]))
    ),
    HttpRouter.route(
      "GET",
      "/readyz",
      Effect.sync(() => health(unreadyReasons(member)))
    ),
    HttpRouter.route(
      "GET",
      "/_admin/api/cluster",
      Effect.sync(() => HttpServerResponse.jsonUnsafe(clusterStatus(member)))
    )
  ] as const
