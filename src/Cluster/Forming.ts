/**
 * Takes a node from an empty directory to membership of a cluster, once in its life (C16, diss. 11.7.2). It listens to
 * its peers' hellos until it may form the cluster or is told of one, and makes the cluster id and entry 1 durable.
 * FormingRules.ts decides. A formed node passes at once, and tells empty peers of its cluster.
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

/** This node may not become a member. The message tells its operator why, and what to do. */
export class FormingRefused extends Schema.TaggedError<FormingRefused>()("FormingRefused", {
  reason: Schema.String,
  message: Schema.String
}) {}

/** The cluster that this node joins, and its first entry. Without the entry, the leader sends it. */
interface Membership {
  readonly clusterId: string
  readonly firstEntry: LogEntry | undefined
}

/**
 * Asks a running cluster to take this node in. Returns the cluster, and the members to connect to. `clusterId` is the
 * one of the node's directory, null while it is empty.
 */
export type Join<R = never> = (
  self: Self,
  clusterId: string | null
) => Effect.Effect<
  { readonly clusterId: string; readonly members: ReadonlyArray<ConfigurationMember> },
  FormingRefused,
  R
>

/** The first entry. No election precedes it: no node leads term 1. */
const firstEntryOf = (configuration: Configuration): LogEntry => ({
  index: 1,
  term: 1,
  type: "configuration",
  payload: encodeConfiguration(configuration)
})

/**
 * A peer's proposal, if the peer is a voter of the cluster that it says it belongs to. Other proposals form no cluster.
 */
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

/** How often a node that waits for its peers logs which peers it waits for, and why. */
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

/** Waits until this node is formed, and returns its cluster's id. It opens the log only to write it. */
export const formed = Effect.fnUntraced(function* (
  self: Self,
  openLog: (options: {
    readonly mustExist: boolean
  }) => Effect.Effect<LogStore["Service"], LogFailed | LogCorrupt, Scope.Scope>,
  join: Join<Transport> | undefined
) {
  const directory = yield* Directory
  const transport = yield* Transport
  const identity = yield* directory.identity
  const crypto = yield* WebCrypto.WebCrypto

  if (identity.clusterId !== null) return identity.clusterId

  const become = Effect.fnUntraced(function* ({ clusterId, firstEntry }: Membership) {
    // Writes the log first: an id without its log would look like a lost log. A log without the id has made no promise.
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
    } else if (event._tag === "JoinAsked") {
      event.answer({ _tag: "NotJoined", isFinal: false, message: "it waits to form a cluster of its own" })
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
