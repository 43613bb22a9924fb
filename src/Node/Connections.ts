/**
 * Bounds the connections of a node's server, in all and from one address, so that one client that opens connections and
 * leaves them idle keeps no other out. The server closes a connection past a bound before it reads a byte of it.
 */
import type { AddressBounds } from "../Raft/peers/AddressCount.ts"

/** The bounds of a server's connections. */
export interface ConnectionLimits extends AddressBounds {
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
