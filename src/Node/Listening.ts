/** Where a server listens: a port of a host, or a unix socket, as `--admin-listen` names it. */
import { Result } from "effect"
import { formatHost, parseHost } from "../Raft/peers/Address.ts"

/** A place to listen at. */
export type Listening =
  | { readonly _tag: "Port"; readonly host: string; readonly port: number }
  | { readonly _tag: "UnixSocket"; readonly path: string }

/**
 * Parses `9081` (a port of 127.0.0.1), `host:port`, or the path of a unix socket, which has a slash. Fails with the reason.
 */
export const parseListening = (text: string): Result.Result<Listening, string> => {
  if (text.includes("://")) return Result.fail(`"${text}" is no place to listen at: write host:port, without "http://"`)
  if (text.includes("/")) {
    return Buffer.byteLength(text) > pathMaxBytes
      ? Result.fail(`"${text}" is too long for a unix socket: its path has at most ${pathMaxBytes} bytes`)
      : Result.succeed({ _tag: "UnixSocket", path: text })
  }
  const [, hostText = "127.0.0.1", portText = ""] = /^(?:(.+):)?([^:]*)$/s.exec(text) ?? []
  const wrong = (what: string) => Result.fail(`"${text}" is no place to listen at: ${what}`)
  const host = parseHost(hostText)
  if (Result.isFailure(host)) return wrong(host.failure)
  if (/^[^[]*:.*:/.test(text)) return wrong("write IPv6 in brackets, as in [::1]:9081")
  if (!/^[1-9]\d{0,4}$/.test(portText) || Number(portText) > 65_535) return wrong("write port, host:port, or a path")
  return Result.succeed({ _tag: "Port", host: host.success, port: Number(portText) })
}

/** The place as people and `curl` write it. */
export const formatListening = (place: Listening): string =>
  place._tag === "Port" ? `http://${formatHost(place.host)}:${place.port}` : `the unix socket ${place.path}`

/** The least that Linux, macOS and the BSDs allow. */
const pathMaxBytes = 103
