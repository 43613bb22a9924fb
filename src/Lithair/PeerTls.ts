/** Where a node listens for its peers under TLS, and its certificate: as options and as `LITHAIR_PEER_*` variables. */
import { Config, Effect, Option, Result } from "effect"
import { BadAddress, parseListen } from "../Raft/peers/Address.ts"
import { BadCertificate, type CertificateFiles } from "../Raft/peers/Certificates.ts"

/** Peers speak under TLS at an address of their own. All members need it, each with a certificate of its own. */
export interface PeerTls extends CertificateFiles {
  /** `host:port`; the host may be one that means all interfaces. Peers dial the node's address there. */
  readonly listen: string
  /**
   * Takes peers without TLS too, at the node's own address, and dials them so if they speak no TLS: for a cluster that
   * changes over to TLS while it works. False by default.
   */
  readonly alsoPlain?: boolean
}

/** The same with the parts of `listen`. */
export interface ListeningTls extends CertificateFiles {
  readonly listen: { readonly host: string; readonly port: number }
  readonly alsoPlain: boolean
}

/** Parses where to listen. */
export const parsePeerTls = ({
  alsoPlain = false,
  listen,
  ...files
}: PeerTls): Effect.Effect<ListeningTls, BadAddress> =>
  Effect.fromResult(
    Result.mapBoth(parseListen(listen), {
      onFailure: (message) => new BadAddress({ message }),
      onSuccess: (at) => ({ ...files, listen: at, alsoPlain })
    })
  )

/**
 * The settings of flags or variables of these names: where to listen, certificate, key, authorities. All four, or none, and
 * then no peer is plain besides.
 */
export const together = (
  names: ReadonlyArray<string>,
  values: ReadonlyArray<string | undefined>,
  alsoPlain = false
): Effect.Effect<PeerTls | undefined, BadCertificate> => {
  const [listen, certFile, keyFile, caFile] = values
  if (listen !== undefined && certFile !== undefined && keyFile !== undefined && caFile !== undefined) {
    return Effect.succeed({ listen, certFile, keyFile, caFile, alsoPlain })
  }
  const missing = names.filter((_, at) => values[at] === undefined)
  return missing.length === names.length && !alsoPlain
    ? Effect.succeed(undefined)
    : Effect.fail(new BadCertificate({ message: `TLS between peers needs ${missing.join(", ")} too` }))
}

/** Where peers dial a node with these settings; undefined for the node's own address. */
export const peerAddressOf = (tls: PeerTls | undefined): string | undefined =>
  tls?.alsoPlain === true ? undefined : tls?.listen

const variables = ["LITHAIR_PEER_LISTEN", "LITHAIR_PEER_CERT_FILE", "LITHAIR_PEER_KEY_FILE", "LITHAIR_PEER_CA_FILE"]

/** The settings of the environment. */
export const peerTlsConfig: Effect.Effect<PeerTls | undefined, Config.ConfigError | BadCertificate> = Effect.gen(
  function* () {
    const values = yield* Effect.forEach(variables, (name) =>
      Effect.map(Config.option(Config.String(name)), Option.getOrUndefined)
    )
    const alsoPlain = yield* Config.Boolean("LITHAIR_PEER_ALSO_PLAIN").pipe(Config.withDefault(false))
    return yield* together(variables, values, alsoPlain)
  }
)
