/**
 * Finds the address of the client behind proxies. Any client can send `X-Forwarded-For`, so only what a listed proxy has
 * added counts: the header is read from its end, as far as proxies of the list have written it. RFC 7239 §7.4, §8.1.
 */
import { Result } from "effect"
import { IpNetwork, NetAddress } from "effect/net"
import { isLoopback } from "../Raft/peers/Handshake.ts"

/** The header in which proxies name the client. A proxy may pass on the other one as the client sent it. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded"

/** A longer chain of proxies is none. */
const hopsMaxCount = 16

/** Where a request comes from. */
export interface ClientAddress {
  /** An IP address in its normal form. IPv4 mapped into IPv6 is IPv4. */
  readonly text: string
  /** The key of limits by address. A host may choose its address within its IPv6 network of 64 bits, so that is one key. */
  readonly key: string
  /** Whether a program of this host has connected, and no listed proxy. */
  readonly isOfThisHost: boolean
  /** Whether it is a listed proxy that speaks for nobody else. */
  readonly isProxy: boolean
}

/** Parses addresses and networks of proxies: `10.0.0.0/8`, `192.168.1.7`, `::1`. Fails with the text that is neither. */
export const parseNetworks = (
  texts: ReadonlyArray<string>
): Result.Result<ReadonlyArray<IpNetwork.IpNetwork>, string> =>
  Result.all(
    texts.map((text) => {
      const network = text.includes("/")
        ? IpNetwork.fromString(text)
        : Result.flatMap(NetAddress.ipFromString(text), (address) =>
            IpNetwork.fromAddress(address, NetAddress.width(address))
          )
      return Result.mapError(network, ({ message }) => `"${text}" is no address and no network: ${message}`)
    })
  )

const parse = (text: string | undefined): NetAddress.IpAddress | undefined => {
  if (text === undefined) return undefined
  // A link-local address names its interface, as in fe80::1%eth0.
  const bare = text.replace(/%.*$/, "").replace(/^\[(.*)\]$/, "$1")
  const ip = NetAddress.ipFromString(bare)
  if (Result.isSuccess(ip)) return NetAddress.toCanonical(ip.success)
  const inet = NetAddress.inetAddressFromString(text)
  return Result.isSuccess(inet) ? NetAddress.toCanonical(inet.success.address) : undefined
}

/** The `for` of each element of a `Forwarded` header, from the client's end to ours. */
const forsOf = (header: string): ReadonlyArray<string> =>
  header.split(",").map((element) => {
    const [, quoted, token] = /(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]*))\s*(?:;|$)/i.exec(element.trim()) ?? []
    return quoted ?? token ?? ""
  })

const keyOf = (address: NetAddress.IpAddress, text: string): string =>
  NetAddress.isIpv4Address(address) ? text : NetAddress.ipv6ToSegments(address).slice(0, 4).join(":")

/** Finds the client's address from that of the socket, and the headers of the request. */
export type FindAddress = (
  socket: string | undefined,
  headers: Readonly<Record<string, string | undefined>>
) => ClientAddress | undefined

/** Sockets have few addresses, and each of them many requests. */
const rememberedMaxCount = 1_024

/** Makes the search. Without proxies, the client is at the other end of the socket. */
export const make = (
  proxies: ReadonlyArray<IpNetwork.IpNetwork>,
  header: ForwardedHeader = "x-forwarded-for"
): FindAddress => {
  const isListed = (address: NetAddress.IpAddress): boolean =>
    proxies.some((network) => IpNetwork.contains(network, address))
  const describe = (address: NetAddress.IpAddress, socket: string | undefined): ClientAddress => {
    const text = NetAddress.formatIp(address)
    const isProxy = isListed(address)
    const isOfThisHost = socket !== undefined && !isProxy && isLoopback(socket)
    return { text, key: keyOf(address, text), isOfThisHost, isProxy }
  }
  const remembered = new Map<string, ClientAddress | undefined>()
  const peerOf = (socket: string): ClientAddress | undefined => {
    const known = remembered.get(socket)
    if (known !== undefined) return known
    const address = parse(socket)
    const peer = address === undefined ? undefined : describe(address, socket)
    if (remembered.size >= rememberedMaxCount) remembered.clear()
    remembered.set(socket, peer)
    return peer
  }

  /** The last of the addresses that is of no listed proxy; the first, if all are. */
  const behind = (hops: ReadonlyArray<string>): NetAddress.IpAddress | undefined => {
    let client: NetAddress.IpAddress | undefined
    for (let at = hops.length - 1; at >= Math.max(0, hops.length - hopsMaxCount); at--) {
      const address = parse(hops[at]?.trim())
      // What stands before a hop that says no address is not known to be true.
      if (address === undefined) return client
      client = address
      if (!isListed(address)) return client
    }
    return client
  }

  return (socket, headers) => {
    if (socket === undefined) return undefined
    const peer = peerOf(socket)
    const sent = headers[header]
    if (peer === undefined || !peer.isProxy || sent === undefined) return peer
    const client = behind(header === "forwarded" ? forsOf(sent) : sent.split(","))
    return client === undefined ? peer : describe(client, undefined)
  }
}
