/**
 * From an empty directory to a member of a cluster, once in a node's life (C16, diss. 11.7.2): listens to its
 * peers' hellos until it may mint the cluster or is told of it, and makes both the cluster id and entry 1 durable.
 * The shell around FormingRules.ts. A node that is formed passes through at once, and tells empty peers of its cluster.
 */
import { Deferred, Effect, Schema, type Scope } from "effect"
import { WebCrypto } from "effect/crypto"
import { Directory } from "../EventStore/Directory.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogCorrupt, LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import type { Configuration, ConfigurationMember } from "../Raft/core/Configuration.ts"
import { decodeConfiguration, encodeConfiguration } from "../Raft/core/ConfigurationCodec.ts"
import { type Self, Transport, type TransportEvent } from "../Raft/peers/Transport.ts"
import { decideForming, type Forming, type Heard, type Proposed } from "./FormingRules.ts"

/** This node may not become a member: what it says is for the person who started it. */
export class FormingRefused extends Schema.TaggedError<FormingRefused>()("FormingRefused", {
  reason: Schema.String,
  message: Schema.String
}) {}

/** What a node becomes a member with: the cluster, and its first entry unless the leader is to send it all. */
interface Membership {
  readonly clusterId: string
  readonly firstEntry: LogEntry | undefined
}

/**
 * How a node asks a running cluster to take it in: gives that cluster, and whom to connect to. `clusterId` is that of its
 * directory already, null while it is empty.
 */
export type Join = (
  self: Self,
  clusterId: string | null
) => Effect.Effect<{ readonly clusterId: string; readonly members: ReadonlyArray<ConfigurationMember> }, FormingRefused>

/** The first entry, which no election precedes: no node leads term 1. */
const firstEntryOf = (configuration: Configuration): LogEntry => ({
  index: 1,
  term: 1,
  type: "configuration",
  payload: encodeConfiguration(configuration)
})

/** What a peer proposes, if it is a voter of the very cluster that it says it belongs to. Nobody else's word forms one. */
const proposalOf = (
  { clusterId, entry }: { readonly clusterId: string; readonly entry: LogEntry },
  from: Heard | undefined
): (Proposed & { readonly entry: LogEntry }) | undefined => {
  if (entry.index !== 1 || entry.term !== 1 || entry.type !== "configuration") return undefined
  const decoded = decodeConfiguration(entry.payload)
  if (decoded._tag !== "Configuration" || from?.clusterId !== clusterId) return undefined
  const { configuration } = decoded
  const isVoter = configuration.voters.some(({ id, instanceId }) => {
    return id === from.nodeId && instanceId === from.instanceId
  })
  return isVoter ? { clusterId, configuration, entry } : undefined
}

/** How often a node that waits for its peers says for whom, and why. */
const explainIntervalMs = 5_000

const explanation = (waiting: Extract<Forming, { readonly _tag: "Wait" }> | undefined): string => {
  const unheard = waiting?.unheard ?? []
  const disagreeing = waiting?.disagreeing ?? []
  return [
    "Waiting to form a cluster",
    ...(unheard.length === 0 ? [] : [`no word yet of ${unheard.join(", ")}`]),
    ...(disagreeing.length === 0 ? [] : [`${disagreeing.join(", ")} names other peers than this node does`])
  ].join(": ")
}

/** Waits until this node is formed, and gives its cluster's id. Its log is open only while it is written. */
export const formed = Effect.fnUntraced(function* (
  self: Self,
  openLog: (options: {
    readonly mustExist: boolean
  }) => Effect.Effect<LogStore["Service"], LogFailed | LogCorrupt, Scope.Scope>,
  join: Join | undefined
) {
  const directory = yield* Directory
  const transport = yield* Transport
  const identity = yield* directory.identity
  const crypto = yield* WebCrypto.WebCrypto

  if (identity.clusterId !== null) return identity.clusterId

  const become = Effect.fnUntraced(function* ({ clusterId, firstEntry }: Membership) {
    // The log first: an id without its log would be a lost log. A log without the id has promised nobody anything.
    yield* openLog({ mustExist: false }).pipe(
      Effect.flatMap((store) =>
        store.append([
          {
            ...(store.recovered.lastIndex === 0 ? {} : { truncateFromIndex: 1 }),
            hardState: { currentTerm: 1, votedFor: undefined },
            entries: firstEntry === undefined ? [] : [firstEntry]
          }
        ])
      ),
      Effect.scoped
    )
    yield* directory.setClusterId(clusterId)
    return clusterId
  })

  if (join !== undefined)
    return yield* become({ clusterId: (yield* join(self, null)).clusterId, firstEntry: undefined })

  const next = yield* Deferred.make<Membership, FormingRefused>()
  const heard = new Map<string, Heard>()
  let proposed: (Proposed & { readonly entry: LogEntry }) | undefined
  const own = { ...self, peers: self.peers.map(({ id }) => id) }

  let waiting: Extract<Forming, { readonly _tag: "Wait" }> | undefined

  const consider = (): void => {
    const forming = decideForming({ own, heard: [...heard.values()], proposed })
    switch (forming._tag) {
      case "Wait":
        waiting = forming
        return
      case "Refuse":
        return void Deferred.doneUnsafe(
          next,
          Effect.fail(new FormingRefused({ reason: forming.reason, message: forming.message }))
        )
      case "Mint": {
        const firstEntry = firstEntryOf(forming.configuration)
        return void Deferred.doneUnsafe(next, Effect.succeed({ clusterId: crypto.randomUUID(), firstEntry }))
      }
      case "Adopt": {
        invariant(proposed !== undefined, "adopted what nobody proposed")
        const { clusterId } = forming
        return void Deferred.doneUnsafe(next, Effect.succeed({ clusterId, firstEntry: proposed.entry }))
      }
    }
  }

  const listen = (event: TransportEvent): void => {
    if (event._tag === "PeerUp") heard.set(event.peer, { ...event.hello, nodeId: event.peer })
    else if (event._tag === "PeerDown") heard.delete(event.peer)
    else if (event._tag === "Received" && event.message._tag === "Form") {
      proposed = proposalOf(event.message, heard.get(event.from))
    }
    consider()
  }

  consider()
  const explain = Effect.suspend(() => Effect.logWarning(explanation(waiting))).pipe(
    Effect.delay(explainIntervalMs),
    Effect.forever
  )
  const cluster = yield* Effect.raceAllFirst([Deferred.await(next), transport.run(listen), explain])
  return yield* become(cluster)
})
