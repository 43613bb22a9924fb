/** The flags of a node's command line, each with its `LITHAIR_*` variable, and the node's options that they give. */
import { Config, Effect, Option, Schema } from "effect"
import { type Command, Flag } from "effect/cli"
import { peerAddressOf } from "../Lithair/PeerTls.ts"
import type { PlaceOptions } from "../Lithair/Place.ts"
import type { RaftConfig } from "../Raft/core/RaftConfig.ts"
import { type AdminOptions, adminFlags, adminOf } from "./AdminFlags.ts"
import { edgeFlags, edgeOf } from "./EdgeFlags.ts"
import { BadFlag, parseOwn, parsePeers, parsePlace } from "./Peers.ts"
import { peerTlsFlags, peerTlsOf } from "./PeerTlsFlags.ts"
import type { TlsFiles } from "./ServerTls.ts"
import { textFlag } from "./TextFlag.ts"
import { tlsFlags, tlsOf } from "./TlsFlags.ts"

/** The flags. Without `port` a program runs its demo. */
export const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Run one node on this port"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_PORT")),
    Flag.optional
  ),
  peers: textFlag("peers", "LITHAIR_PEERS", "The other nodes: port, host:port or id=host:port, separated by commas"),
  host: Flag.String("host").pipe(
    Flag.withDescription("The host to listen on; peers use it too, unless --address names another"),
    Flag.withFallbackConfig(Config.String("LITHAIR_HOST")),
    Flag.withDefault("127.0.0.1")
  ),
  address: textFlag(
    "address",
    "LITHAIR_ADDRESS",
    "The address, host:port, at which peers reach this node; --host and --port by default"
  ),
  data: textFlag("data", "LITHAIR_DATA", "The directory of this node's data; by default a folder named by its port"),
  id: textFlag("id", "LITHAIR_ID", "The node's id, which its peers must use for it; its address by default"),
  join: textFlag(
    "join",
    "LITHAIR_JOIN",
    "A member of a running cluster, port or host:port, through which this empty node joins"
  ),
  secret: textFlag(
    "secret",
    "LITHAIR_SECRET",
    "The cluster's shared secret of at least 32 characters; without it and TLS, peers must be on this host"
  ),
  acceptedSecret: textFlag(
    "accepted-secret",
    "LITHAIR_ACCEPTED_SECRET",
    "Another secret that peers may prove, while one replaces the other"
  ),
  ...tlsFlags,
  ...peerTlsFlags,
  insecureOpen: Flag.Boolean("insecure-open").pipe(
    Flag.withDescription("Let an application without auth serve other hosts: everybody who reaches it may change all"),
    Flag.withFallbackConfig(Config.Boolean("LITHAIR_INSECURE_OPEN")),
    Flag.withDefault(false)
  ),
  ...edgeFlags,
  electionTimeoutMs: Flag.Int("election-timeout-ms").pipe(
    Flag.withDescription("A follower waits this many ms, up to twice as long, for its leader; 300 by default"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 60_000 }))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_ELECTION_TIMEOUT_MS")),
    Flag.optional
  ),
  readLeaseDriftMs: Flag.Int("read-lease-drift-ms").pipe(
    Flag.withDescription(
      "Let the leader serve reads without asking a quorum, if clocks drift by less than this many ms meanwhile"
    ),
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_READ_LEASE_DRIFT_MS")),
    Flag.optional
  ),
  retainEntries: Flag.Int("retain-entries").pipe(
    Flag.withDescription(
      "How many entries to keep in the log below a snapshot; 10,000 by default, 4 MiB at most. Older ones move into the history"
    ),
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_RETAIN_ENTRIES")),
    Flag.optional
  ),
  ...adminFlags
}

type Values = Command.Command.Config.Infer<typeof flags>

/** The bounds of consensus that flags can change. Give all members the same. */
const raftOf = (
  flags: Pick<Values, "electionTimeoutMs" | "readLeaseDriftMs" | "retainEntries">
): Partial<RaftConfig> => ({
  ...Option.match(flags.electionTimeoutMs, {
    onNone: () => ({}),
    onSome: (timeoutMs) => ({
      electionTimeoutMinMs: timeoutMs,
      electionTimeoutMaxMs: timeoutMs * 2,
      heartbeatIntervalMs: Math.ceil(timeoutMs / 6)
    })
  }),
  ...Option.match(flags.readLeaseDriftMs, {
    onNone: () => ({}),
    onSome: (driftBoundMs) => ({ readLease: { driftBoundMs } })
  }),
  ...Option.match(flags.retainEntries, { onNone: () => ({}), onSome: (logRetainedCount) => ({ logRetainedCount }) })
})

/** The options of a node: where it listens, its data directory, and its place in the cluster. */
export interface NodeOptions extends PlaceOptions {
  readonly host: string
  readonly port: number
  readonly directory: string
  readonly admin: AdminOptions
  readonly tls?: TlsFiles
}

/** The values of the flags of a program that runs a node. */
export interface NodeFlags extends Omit<Values, "port"> {
  readonly port: number
}

/** Turns the flags into the options of a node. Fails with `BadFlag`. By default the data are in a folder of `directory`. */
export const optionsOf = Effect.fnUntraced(function* (flags: NodeFlags, directory: string) {
  const { port } = flags
  const secret = Option.getOrUndefined(flags.secret)
  if (secret === undefined && Option.isSome(flags.acceptedSecret)) {
    return yield* new BadFlag({
      message: "--accepted-secret: a node that accepts a secret needs one of its own: --secret"
    })
  }
  const tls = yield* tlsOf(flags)
  const peerTls = yield* peerTlsOf(flags, flags.host)
  const own = yield* Effect.fromResult(
    parseOwn({
      port,
      secret,
      host: flags.host,
      address: Option.getOrUndefined(flags.address) ?? peerAddressOf(peerTls),
      id: Option.getOrUndefined(flags.id)
    })
  )
  const text = Option.getOrElse(flags.peers, () => "")
  const peers = yield* Effect.fromResult(parsePeers(text, own))
  if (Option.isSome(flags.id) && peers.some((peer) => peer.id === peer.address)) {
    return yield* new BadFlag({ message: "--id: the peers need ids too, as in --peers b=host:port" })
  }
  const asked = Option.getOrUndefined(flags.join)
  const join = asked === undefined ? undefined : yield* Effect.fromResult(parsePlace("--join", asked, own.host))
  if (join?.text === own.address)
    return yield* new BadFlag({ message: `--join: ${join.text} is this node itself: name another member` })
  const options: NodeOptions = {
    host: own.listenHost,
    port,
    address: own.address,
    id: own.id,
    peers,
    directory: Option.getOrElse(flags.data, () => `${directory}/${port}`),
    raft: raftOf(flags),
    insecureOpen: flags.insecureOpen,
    edge: yield* edgeOf(flags),
    insecurePeers: flags.insecurePeers,
    ...(tls === undefined ? {} : { tls }),
    ...(peerTls === undefined ? {} : { peerTls }),
    admin: yield* adminOf(flags),
    ...(join === undefined ? {} : { join: join.text }),
    ...(secret === undefined ? {} : { secret: [secret, ...Option.toArray(flags.acceptedSecret)] })
  }
  return options
})
