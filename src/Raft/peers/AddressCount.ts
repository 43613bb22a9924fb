/** Counts connections of a server, in all and by their addresses, and admits none beyond its bounds. */
import { isLoopback } from "./Handshake.ts"

/** How many connections there may be at once. */
export interface AddressBounds {
  /** In all. */
  readonly max: number
  /** From one address. */
  readonly ofOneAddressMax: number
  /** From this host. */
  readonly ofThisHostMax: number
}

/** The connections of one server. */
export interface AddressCount {
  /**
   * Counts a connection until the function that it returns is called; undefined if it is one too many. `boundMax` replaces the
   * bound of its address.
   */
  readonly admit: (address: string, boundMax?: number) => (() => void) | undefined
}

export const make = ({ max, ofOneAddressMax, ofThisHostMax }: AddressBounds): AddressCount => {
  /** No more addresses than connections. */
  const byAddress = new Map<string, number>()
  let total = 0
  return {
    admit: (address, boundMax = isLoopback(address) ? ofThisHostMax : ofOneAddressMax) => {
      const count = byAddress.get(address) ?? 0
      if (total >= max || count >= boundMax) return undefined
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
