/**
 * Bounds the connections of a node's server, in all and from one address, so that one client that opens connections and
 * leaves them idle keeps no other out. A connection past a bound is closed before a byte of it is read.
 */
import { isLoopback } from "../Raft/peers/Handshake.ts"

/** The bounds of a server's connections. */
export interface ConnectionLimits {
  /** All connections at once; 10,000 by default. */
  readonly max: number
  /** Those of one address; 256 by default. Raise it behind a proxy on another host, which opens all of its clients'. */
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

/** The connections of one server. */
export interface Connections {
  /** Counts a connection until the function that it returns is called; undefined if it is one too many. */
  readonly admit: (address: string) => (() => void) | undefined
}

export const make = ({ max, ofOneAddressMax, ofThisHostMax }: ConnectionLimits): Connections => {
  /** No more addresses than connections. */
  const byAddress = new Map<string, number>()
  let total = 0
  return {
    admit: (address) => {
      const count = byAddress.get(address) ?? 0
      if (total >= max || count >= (isLoopback(address) ? ofThisHostMax : ofOneAddressMax)) return undefined
      total += 1
      byAddress.set(address, count + 1)
      let isCounted = true
      return () => {
        if (!isCounted) return
        isCounted = false
        total -= 1
        const left = byAddress.get(address)! - 1
        if (left > 0) byAddress.set(address, left)
        else byAddress.delete(address)
      }
    }
  }
}
