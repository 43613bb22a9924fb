/**
 * How the flags name nodes: `8082` is a port of this host, `host:port` is elsewhere, `id=host:port` has a name of its own.
 * IPv6 is `::1` where a host stands alone, and `[::1]:8082` with a port.
 */
import { Result, Schema } from "effect"
import { formatHost, parseAddress, parseHost, wrongWithHost } from "../Raft/peers/Address.ts"

/** A member as the flags name it. */
export interface Peer {
  readonly id: string
  readonly address: string
}

/** This node as the flags name it; `listenHost` is what its server listens on. */
export interface Own extends Peer {
  readonly listenHost: string
  /** The host that a bare port of another flag is of. */
  readonly host: string
}

/** A flag that cannot be what it is; the message is the one line that its writer reads. */
export class BadFlag extends Schema.TaggedError<BadFlag>()("BadFlag", { message: Schema.String }) {}

const bad = (message: string) => Result.fail(new BadFlag({ message }))

/** Short enough for a hello, and nothing that would be read otherwise in `--peers` or in a path. */
const parseId = (flag: string, id: string): Result.Result<string, BadFlag> =>
  /^[^=,/\s]{1,128}$/.test(id) ? Result.succeed(id) : bad(`${flag}: "${id}" is no name of a node`)

/** Where this node is. A host that listens on all interfaces is nobody's address: `--address` then says another. */
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
      (what) => new BadFlag({ message: `--host: "${flags.host}" is no host: ${what}` })
    )
    const wrong = flags.address === undefined ? wrongWithHost(host) : undefined
    if (wrong !== undefined) {
      const alone = flags.secret === undefined ? " (and without a secret a node listens to its own host alone)" : ""
      return yield* bad(`--host: "${flags.host}" is no address of a node: ${wrong}, as --address host:port${alone}`)
    }
    const own = yield* parsePlace("--address", flags.address ?? `${formatHost(host)}:${flags.port}`, host)
    const id = yield* parseId("--id", flags.id ?? own.text)
    return { id, address: own.text, listenHost: host, host: own.host }
  })

/** A port of `host`, or `host:port`. */
export const parsePlace = (flag: string, text: string, host: string) =>
  Result.mapError(
    parseAddress(/^\d+$/.test(text) ? `${formatHost(host)}:${text}` : text),
    (what) => new BadFlag({ message: `${flag}: ${what}` })
  )

/** The peers in `text`, separated by commas; none in an empty one. */
export const parsePeers = (text: string, own: Own): Result.Result<ReadonlyArray<Peer>, BadFlag> =>
  Result.gen(function* () {
    const peers: Array<Peer> = []
    for (const part of text === "" ? [] : text.split(",")) {
      const [, name, place = ""] = /^(?:([^=]*)=)?(.*)$/s.exec(part) ?? []
      const { text: address } = yield* parsePlace("--peers", place, own.host)
      const id = yield* parseId("--peers", name ?? address)
      if (address === own.address || id === own.id) return yield* bad(`--peers: ${part} is this node itself`)
      if (peers.some((peer) => id === peer.id || address === peer.address)) {
        return yield* bad(`--peers: "${part}" is there twice`)
      }
      peers.push({ id, address })
    }
    return peers
  })
