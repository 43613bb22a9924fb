/**
 * The address of a node: `host:port`, as flags, members and paths write it, and its id. The parser refuses an address that peers
 * cannot dial, with a hint. The host is a name, an IPv4 address, or an IPv6 address in brackets (RFC 3986 §3.2.2).
 * Pure.
 */
import { Result, Schema } from "effect"
import { Host, NetAddress } from "effect/net"
import { idMaxBytes } from "./Handshake.ts"

/** An address in its parts. `text` has IPv6 in its shortest form, so that one address has one spelling. */
export interface Address {
  /** As a socket takes it: IPv6 without brackets. */
  readonly host: string
  readonly port: number
  readonly text: string
}

/** No peer can dial this address. The message says why, and what to write instead. */
export class BadAddress extends Schema.TaggedError<BadAddress>()("BadAddress", { message: Schema.String }) {}

/** A text that cannot be a node's id. The message says what an id may be. */
export class BadId extends Schema.TaggedError<BadId>()("BadId", { message: Schema.String }) {}

/**
 * Parses a node's id; fails with the reason. Each answer of a node has its id in a header, a path of the administration
 * names it, and so do the flags.
 */
export const parseId = (text: string): Result.Result<string, string> =>
  /^[!-~]+$/.test(text) && !/[=,/]/.test(text) && text.length <= nodeIdMaxCount
    ? Result.succeed(text)
    : Result.fail(
        `"${text.slice(0, shownMax)}" cannot be a node's id: use 1 to ${nodeIdMaxCount} characters of ASCII without = , / and spaces`
      )

/** A host as a URL has it: IPv6 in brackets. */
export const formatHost = (host: string): string => (host.includes(":") ? `[${host}]` : host)

/** Parses a host, IPv6 with or without brackets; fails with the reason. The host may be one that only listens. */
export const parseHost = (text: string): Result.Result<string, string> => {
  if (text === "") return Result.fail("it is empty")
  if (/[\s\p{Cc}]/u.test(text)) return Result.fail("it holds a space")
  if (text.includes("/")) return Result.fail('write a host alone, without "http://" or a path')
  const [, bracketed] = /^\[(.*)\]$/.exec(text) ?? []
  if (text.includes("%")) return Result.fail("an address with a zone means another host elsewhere")
  const parsed = Host.hostFromString(bracketed ?? text)
  // `127.0x1` would be a name here, and an IPv4 address for a reader of URLs.
  if (Result.isFailure(parsed) || text === "." || /(^|\.)0x[\da-f]*\.?$/i.test(text)) {
    return Result.fail("it is neither a host name nor an IP address")
  }
  const host = parsed.success
  if (bracketed !== undefined && !NetAddress.isIpv6Address(host)) {
    return Result.fail("only an IPv6 address stands in brackets")
  }
  // A name keeps its case: it is also the name of the node whose directory has it.
  return Result.succeed(typeof host === "string" ? text : NetAddress.formatIp(host))
}

/** Why peers cannot dial this host; undefined if they may. */
export const wrongWithHost = (host: string): string | undefined => {
  const ip = NetAddress.ipFromString(host.replace(/^::ffff:(?=.*\.)/, ""))
  if (Result.isFailure(ip)) return undefined
  if (NetAddress.isUnspecified(ip.success)) {
    return "it means all interfaces of the host that listens: write an address that the other nodes can dial"
  }
  const isBroadcast = NetAddress.isIpv4Address(ip.success) && NetAddress.isBroadcast(ip.success)
  return isBroadcast || NetAddress.isMulticast(ip.success) ? "it is the address of many hosts" : undefined
}

/** Parses an address; fails with the reason. */
export const parseAddress = (text: string): Result.Result<Address, string> => {
  const wrong = (what: string) => Result.fail(`"${text.slice(0, shownMax)}" is no address of a node: ${what}`)
  if (text === "") return wrong("it is empty, write host:port")
  if (text.includes("/")) return wrong('write host:port, without "http://" or a path')
  if (/^[^[]*:.*:/.test(text)) return wrong("write IPv6 in brackets, as in [::1]:8081")
  const [, hostText = "", portText] = /^(.*?)(?::([^:\]]*))?$/s.exec(text) ?? []
  if (portText === undefined) return wrong("it has no port, write host:port")
  const parsed = Result.flatMap(parseHost(hostText), (host) => {
    const what = wrongWithHost(host)
    return what === undefined ? Result.succeed(host) : Result.fail(what)
  })
  if (Result.isFailure(parsed)) return wrong(parsed.failure)
  if (!isPort(portText)) return wrong("its port is no number from 1 to 65535")
  const host = parsed.success
  const address = { host, port: Number(portText), text: `${formatHost(host)}:${portText}` }
  return Buffer.byteLength(address.text) > idMaxBytes
    ? wrong(`it has more than ${idMaxBytes} bytes`)
    : Result.succeed(address)
}

/** Where a server listens: `host:port`, where the host may be one that means all interfaces. Fails with the reason. */
export const parseListen = (text: string): Result.Result<Pick<Address, "host" | "port">, string> => {
  const wrong = (what: string) => Result.fail(`"${text.slice(0, shownMax)}" is no place to listen at: ${what}`)
  const [, hostText = "", portText = ""] = /^(.*):([^:\]]*)$/s.exec(text) ?? []
  if (!isPort(portText)) return wrong("write host:port, with a port from 1 to 65535")
  if (/^[^[]*:/.test(hostText)) return wrong("write IPv6 in brackets, as in [::]:8081")
  return Result.match(parseHost(hostText), {
    onFailure: wrong,
    onSuccess: (host) => Result.succeed({ host, port: Number(portText) })
  })
}

/** Without leading zeros: one address has one spelling. */
const isPort = (text: string): boolean => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535

/** An address in a body, or in a forwarded command. */
export const MemberAddress = Schema.String.check(
  Schema.makeFilter((text) => Result.match(parseAddress(text), { onFailure: (what) => what, onSuccess: () => true }), {
    // It leaves out the rarest forms of names and IPv6: everything that matches is an address.
    toJsonSchema: () => ({
      pattern:
        "^([A-Za-z]([A-Za-z0-9]|-[A-Za-z0-9]){0,30}(\\.[A-Za-z]([A-Za-z0-9]|-[A-Za-z0-9]){0,30}){0,6}|(1[0-9]|[1-9])(\\.[0-9]){3}|\\[([0-9a-f]{1,4}:){7}[1-9]\\]):[1-9][0-9]{0,3}$"
    })
  })
)

const nodeIdMaxCount = 128
const shownMax = 200
