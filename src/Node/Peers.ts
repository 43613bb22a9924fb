/**
 * Parses nodes in flags: `8082` is a port on this host, `host:port` is on another, `id=host:port` has an id of its own.
 * IPv6 is `::1` alone, and `[::1]:8082` with a port.
 */
import { Result, Schema } from "effect"
import { formatHost, parseAddress, parseHost, parseId as parseNodeId, wrongWithHost } from "../Raft/peers/Address.ts"

/** A member that a flag names. */
export interface Peer {
  readonly id: string
  readonly address: string
}

/** This node by its flags. Its server listens on `listenHost`. */
export interface Own extends Peer {
  readonly listenHost: string
  /** The host of bare ports in other flags. */
  readonly host: string
}

/** A flag has a bad value. The message is the line that the user reads. */
export class BadFlag extends Schema.TaggedError<BadFlag>()("BadFlag", { message: Schema.String }) {}

const bad = (message: string) => Result.fail(new BadFlag({ message }))

const parseId = (flag: string, id: string): Result.Result<string, BadFlag> =>
  Result.mapError(parseNodeId(id), (what) => new BadFlag({ message: `${flag}: ${what}` }))

/** Parses this node's own flags. A host that means all interfaces is not an address, so `--address` must name one. */
export const parseOwn = (flags: {
  readonly host: string
  readonly port: number
  readonly address: string | undefined
  readonly id: string | undefined
  readonly secret: string | undefined
}): Result.Result<Own, BadFlag> =>
  Result.gen(function* () {
    const host = yield* Result.mapError(
      parseHost(flags.host),
      (what) => new BadFlag({ message: `--host: "${flags.host}" is not a host: ${what}` })
    )
    const wrong = flags.address === undefined ? wrongWithHost(host) : undefined
    if (wrong !== undefined) {
      const alone = flags.secret === undefined ? " (and without a secret a node only listens to its own host)" : ""
      return yield* bad(`--host: "${flags.host}" cannot be a node's address: ${wrong}, as --address host:port${alone}`)
    }
    const own = yield* parsePlace("--address", flags.address ?? `${formatHost(host)}:${flags.port}`, host)
    const id = yield* parseId("--id", flags.id ?? own.text)
    return { id, address: own.text, listenHost: host, host: own.host }
  })

/** Parses a port on `host`, or `host:port`. */
export const parsePlace = (flag: string, text: string, host: string) =>
  Result.mapError(
    parseAddress(/^\d+$/.test(text) ? `${formatHost(host)}:${text}` : text),
    (what) => new BadFlag({ message: `${flag}: ${what}` })
  )

/** Parses peers that commas separate. An empty text has none. */
export const parsePeers = (text: string, own: Own): Result.Result<ReadonlyArray<Peer>, BadFlag> =>
  Result.gen(function* () {
    const peers: Array<Peer> = []
    for (const part of text === "" ? [] : text.split(",")) {
      const [, name, place = ""] = /^(?:([^=]*)=)?(.*)$/s.exec(part) ?? []
      const { text: address } = yield* parsePlace("--peers", place, own.host)
      const id = yield* parseId("--peers", name ?? address)
      if (address === own.address || id === own.id)
        return yield* bad(`--peers: ${part} is this node itself: leave it out`)
      if (peers.some((peer) => id === peer.id || address === peer.address)) {
        return yield* bad(`--peers: "${part}" is there twice`)
      }
      peers.push({ id, address })
    }
    return peers
  })
