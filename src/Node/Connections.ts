/**
 * Bounds the connections of a node's server, in all and from one address, so that one client that opens connections and
 * leaves them idle keeps no other out. The server closes a connection past a bound before it reads a byte of it.
 */
import { Result } from "effect"
import * as ClientAddress from "../Http/ClientAddress.ts"
import type { AddressBounds } from "../Raft/peers/AddressCount.ts"
import * as AddressCount from "../Raft/peers/AddressCount.ts"

/** The bounds of a server's connections. */
export interface ConnectionLimits extends AddressBounds {
  /** All connections at once; 10,000 by default. */
  readonly max: number
  /** Those of one address, or of one IPv6 network of 64 bits; 256 by default. Proxies that the node trusts may have all. */
  readonly ofOneAddressMax: number
  /** Those of this host, where a proxy may stand; as many as all by default. */
  readonly ofThisHostMax: number
}

const maxDefault = 10_000
const ofOneAddressMaxDefault = 256

/** The bounds with their defaults. */
export const limitsOf = ({
  max = maxDefault,
  ofOneAddressMax = ofOneAddressMaxDefault,
  ofThisHostMax = max
}: Partial<ConnectionLimits> = {}): ConnectionLimits => ({ max, ofOneAddressMax, ofThisHostMax })

/** The connections of a node's server. */
export interface Connections {
  /** Admits one by the address of its socket; undefined if it is one too many. Call what it returns once it has ended. */
  readonly admit: (socket: string) => (() => void) | undefined
  /** From now on these proxies too may open connections for all their clients. */
  readonly trust: (proxies: ReadonlyArray<string>) => void
}

/** Admits connections by the addresses of their sockets, within these bounds. */
export const make = (
  limits: Partial<ConnectionLimits> = {},
  trustedProxies: ReadonlyArray<string> = []
): Connections => {
  const bounds = limitsOf(limits)
  const { admit } = AddressCount.make(bounds)
  const findBehind = (proxies: ReadonlyArray<string>) =>
    ClientAddress.make(Result.getOrThrow(ClientAddress.parseNetworks(proxies)))
  let find = findBehind(trustedProxies)
  return {
    admit: (socket) => {
      const peer = find(socket, {})
      // A unix socket says no address, and only programs of this host open it.
      if (peer === undefined) return admit(socket, bounds.ofThisHostMax)
      return admit(peer.isOfThisHost ? peer.text : peer.key, peer.isProxy ? bounds.max : undefined)
    },
    trust: (proxies) => {
      find = findBehind([...trustedProxies, ...proxies])
    }
  }
}
