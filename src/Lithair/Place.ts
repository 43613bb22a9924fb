/** A node's place in its cluster: its name and address, the peers it starts with, and the secret that peers prove. */
import { Config, Context, Effect, Layer, Option, Redacted, Result, Schema } from "effect"
import { type EdgeOptions, wrongWithEdge } from "../Http/EdgeOptions.ts"
import type { RaftConfig } from "../Raft/core/RaftConfig.ts"
import { BadAddress, BadId, parseAddress, parseId } from "../Raft/peers/Address.ts"
import type { BadCertificate } from "../Raft/peers/Certificates.ts"
import { join as joinSecrets, WeakSecret, wrongWithSecret } from "../Raft/peers/Secret.ts"
import { type ListeningTls, type PeerTls, parsePeerTls, peerTlsConfig } from "./PeerTls.ts"

/** Another member that this node starts with: its address, and its id if that differs. */
export interface Peer {
  readonly id: string
  readonly address: string
}

/** Options of a node's place. */
export interface PlaceOptions {
  /** The address at which peers reach this node, `host:port`. It is also the node's id by default. */
  readonly address: string
  /** Up to 128 characters of ASCII, without `=`, `,`, `/` and spaces. */
  readonly id?: string
  /** The other members of the cluster that this node forms. Without any it forms a cluster of one. Once a cluster is formed, its log says who the members are. */
  readonly peers?: ReadonlyArray<Peer>
  /** The address of a member of a running cluster, through which this node joins while its directory is empty. */
  readonly join?: string
  /**
   * The cluster's shared secret, of at least 32 characters, 8 of them distinct. Without one, and without `peerTls`, the
   * node only talks to peers on its own host. As a bearer token it also admits operators from elsewhere. Give several
   * while one replaces another: the node proves the first, and takes any.
   */
  readonly secret?: Secret | ReadonlyArray<Secret>
  /** Has peers speak under TLS, at an address of their own, and not at `/_raft` of a server. */
  readonly peerTls?: PeerTls
  /** Lets peers of other hosts speak without TLS, proved by the secret: others can read and change what they say. */
  readonly insecurePeers?: boolean
  /** Has a node without `auth` answer other hosts too: everybody who reaches it may read and change everything. */
  readonly insecureOpen?: boolean
  /** Settings of the edge that override the application's on this node. */
  readonly edge?: EdgeOptions
  /** Bounds and timeouts of consensus that override the application's on this node. */
  readonly raft?: Partial<RaftConfig>
}

type Secret = string | Redacted.Redacted

/** A node's place in its cluster: id, address, peers and secret. */
export class Place extends Context.Service<
  Place,
  {
    readonly address: string
    readonly id: string
    readonly peers: ReadonlyArray<Peer>
    readonly join: string | undefined
    readonly peerTls: ListeningTls | undefined
    readonly insecurePeers: boolean
    readonly insecureOpen: boolean
    /** All of its secrets (Secret.ts). */
    readonly secret: Redacted.Redacted | undefined
    readonly edge: EdgeOptions
    readonly raft: Partial<RaftConfig>
  }
>()("lithair/Place") {}

/** A setting of the edge is wrong. The message says which, and what it takes. */
export class BadEdge extends Schema.TaggedError<BadEdge>()("BadEdge", { message: Schema.String }) {}

/** Makes a place, with defaults for missing options. */
export const make = (
  { address, edge = {}, id, insecureOpen, insecurePeers, join, peers = [], raft = {}, secret }: PlaceOptions,
  peerTls?: ListeningTls
): Place["Service"] => ({
  address,
  id: id ?? address,
  peers,
  join,
  peerTls,
  insecurePeers: insecurePeers === true,
  insecureOpen: insecureOpen === true,
  edge,
  secret: textsOf(secret).length === 0 ? undefined : Redacted.make(joinSecrets(textsOf(secret))),
  raft
})

const textsOf = (secret: Secret | ReadonlyArray<Secret> = []): ReadonlyArray<string> =>
  (isSeveral(secret) ? secret : [secret]).map((each) => (typeof each === "string" ? each : Redacted.value(each)))

const isSeveral = (secret: Secret | ReadonlyArray<Secret>): secret is ReadonlyArray<Secret> => Array.isArray(secret)

/** Why a place is invalid: a bad address, id or setting of the edge, or a secret that is easy to guess. */
export type PlaceFailure = BadAddress | BadId | BadEdge | WeakSecret

/** Checks the addresses, the ids, the edge and the secret of a place. */
const checked = Effect.fnUntraced(function* (options: PlaceOptions) {
  const place = make(options, options.peerTls === undefined ? undefined : yield* parsePeerTls(options.peerTls))
  const { address, id, join, peers } = place
  for (const each of [address, ...peers.map((peer) => peer.address), ...(join === undefined ? [] : [join])]) {
    const parsed = parseAddress(each)
    if (Result.isFailure(parsed)) return yield* new BadAddress({ message: parsed.failure })
  }
  for (const each of [id, ...peers.map((peer) => peer.id)]) {
    const parsed = parseId(each)
    if (Result.isFailure(parsed)) return yield* new BadId({ message: parsed.failure })
  }
  for (const secret of textsOf(options.secret)) {
    const message = wrongWithSecret(secret)
    if (message !== undefined) return yield* new WeakSecret({ message })
  }
  const wrong = wrongWithEdge(place.edge)
  if (wrong !== undefined) return yield* new BadEdge({ message: wrong })
  return place
})

/** Makes a place from options. Fails with `BadAddress`, `BadId`, `BadEdge` or `WeakSecret`. */
export const layer = (options: PlaceOptions): Layer.Layer<Place, PlaceFailure> => Layer.effect(Place, checked(options))

/**
 * Makes a place from `LITHAIR_ADDRESS`, `LITHAIR_ID`, `LITHAIR_PEERS` (`host:port`, separated by commas), `LITHAIR_JOIN`,
 * `LITHAIR_SECRET` and `LITHAIR_ACCEPTED_SECRET`, `LITHAIR_INSECURE_PEERS`, and the four `LITHAIR_PEER_*` of TLS.
 */
export const layerConfig: Layer.Layer<Place, Config.ConfigError | PlaceFailure | BadCertificate> = Layer.effect(
  Place,
  Effect.gen(function* () {
    const optional = <A>(config: Config.Config<A>) => Effect.map(Config.option(config), Option.getOrUndefined)
    const address = yield* Config.String("LITHAIR_ADDRESS")
    const id = yield* optional(Config.String("LITHAIR_ID"))
    const join = yield* optional(Config.String("LITHAIR_JOIN"))
    const secret = yield* optional(Config.Redacted("LITHAIR_SECRET"))
    const accepted = yield* optional(Config.Redacted("LITHAIR_ACCEPTED_SECRET"))
    const peers = yield* Config.String("LITHAIR_PEERS").pipe(Config.withDefault(""))
    const insecurePeers = yield* Config.Boolean("LITHAIR_INSECURE_PEERS").pipe(Config.withDefault(false))
    const peerTls = yield* peerTlsConfig
    return yield* checked({
      address,
      peers: peers === "" ? [] : peers.split(",").map((peer) => ({ id: peer, address: peer })),
      insecurePeers,
      ...(peerTls === undefined ? {} : { peerTls }),
      ...(id === undefined ? {} : { id }),
      ...(join === undefined ? {} : { join }),
      ...(secret === undefined ? {} : { secret: accepted === undefined ? secret : [secret, accepted] })
    })
  })
)
