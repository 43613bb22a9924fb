/** How the flags name nodes: `8082` is a port of this host, `host:port` is elsewhere, `id=host:port` has a name of its own. */
import { Result, Schema } from "effect"

/** A member as the flags name it. */
export interface Peer {
  readonly id: string
  readonly address: string
}

/** A flag that cannot be what it is; the message is the one line that its writer reads. */
export class BadFlag extends Schema.TaggedError<BadFlag>()("BadFlag", { message: Schema.String }) {}

const parsePeer = (text: string, host: string): Result.Result<Peer, BadFlag> => {
  const match = /^(?:([^=,\s]+)=)?(?:([^:,\s]+|\[[0-9a-f:]+\]):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > 65_535) {
    return Result.fail(new BadFlag({ message: `--peers: "${text}" is not a port, host:port or id=host:port` }))
  }
  const address = `${match[2] ?? host}:${port}`
  return Result.succeed({ id: match[1] ?? address, address })
}

/** The peers in `text`, separated by commas; none in an empty one. */
export const parsePeers = (text: string, host: string): Result.Result<ReadonlyArray<Peer>, BadFlag> => {
  const peers: Array<Peer> = []
  for (const part of text.split(",").filter((each) => each !== "")) {
    const peer = parsePeer(part, host)
    if (Result.isFailure(peer)) return Result.fail(peer.failure)
    if (peers.some(({ address, id }) => id === peer.success.id || address === peer.success.address)) {
      return Result.fail(new BadFlag({ message: `--peers: "${part}" is there twice` }))
    }
    peers.push(peer.success)
  }
  return Result.succeed(peers)
}
