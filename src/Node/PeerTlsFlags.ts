/** The flags by which peers speak under TLS, or without it beyond this host, each with its `LITHAIR_*` variable. */
import { Config, Effect, Option } from "effect"
import { type Command, Flag } from "effect/cli"
import { type PeerTls, together } from "../Lithair/PeerTls.ts"
import { formatHost } from "../Raft/peers/Address.ts"
import { BadFlag } from "./Peers.ts"
import { textFlag } from "./TextFlag.ts"

/** The flags. */
export const peerTlsFlags = {
  peerListen: textFlag(
    "peer-listen",
    "LITHAIR_PEER_LISTEN",
    "Where peers speak under TLS, port or host:port; needs the three files"
  ),
  peerCertFile: textFlag(
    "peer-cert-file",
    "LITHAIR_PEER_CERT_FILE",
    "This node's certificate (PEM), with the URI lithair:node:<id>; read again on SIGHUP and hourly, as the other two"
  ),
  peerKeyFile: textFlag("peer-key-file", "LITHAIR_PEER_KEY_FILE", "The key of that certificate (PEM)"),
  peerCaFile: textFlag(
    "peer-ca-file",
    "LITHAIR_PEER_CA_FILE",
    "The authorities that sign the certificates of all nodes (PEM)"
  ),
  peerAlsoPlain: Flag.Boolean("peer-also-plain").pipe(
    Flag.withDescription("Take peers without TLS too, while a running cluster changes over to TLS"),
    Flag.withFallbackConfig(Config.Boolean("LITHAIR_PEER_ALSO_PLAIN")),
    Flag.withDefault(false)
  ),
  insecurePeers: Flag.Boolean("insecure-peers").pipe(
    Flag.withDescription(
      "Let peers on other hosts speak without TLS, by the secret alone: others can read what they say"
    ),
    Flag.withFallbackConfig(Config.Boolean("LITHAIR_INSECURE_PEERS")),
    Flag.withDefault(false)
  )
}

/** Their values. */
export type PeerTlsValues = Command.Command.Config.Infer<typeof peerTlsFlags>

/** The options of TLS that the flags give. A bare port is one of `host`. */
export const peerTlsOf = (
  { peerAlsoPlain, peerCaFile, peerCertFile, peerKeyFile, peerListen }: PeerTlsValues,
  host: string
): Effect.Effect<PeerTls | undefined, BadFlag> => {
  const listen = Option.map(peerListen, (text) => (/^\d+$/.test(text) ? `${formatHost(host)}:${text}` : text))
  const values = [listen, peerCertFile, peerKeyFile, peerCaFile].map(Option.getOrUndefined)
  return Effect.mapError(
    together(["--peer-listen", "--peer-cert-file", "--peer-key-file", "--peer-ca-file"], values, peerAlsoPlain),
    ({ message }) => new BadFlag({ message })
  )
}
