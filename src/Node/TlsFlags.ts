/** The flags by which a node's own server speaks TLS, each with its `LITHAIR_*` variable. */
import { Effect, Option } from "effect"
import type { Command } from "effect/cli"
import { BadFlag } from "./Peers.ts"
import type { TlsFiles } from "./ServerTls.ts"
import { textFlag } from "./TextFlag.ts"

/** The flags. */
export const tlsFlags = {
  certFile: textFlag(
    "cert-file",
    "LITHAIR_CERT_FILE",
    "Serve clients under TLS with this certificate (PEM), and those between it and its authority; read again on SIGHUP and hourly"
  ),
  keyFile: textFlag("key-file", "LITHAIR_KEY_FILE", "The key of that certificate (PEM)")
}

/** Their values. */
export type TlsValues = Command.Command.Config.Infer<typeof tlsFlags>

/** The files that the flags give: both, or none. Fails with `BadFlag`. */
export const tlsOf = ({ certFile, keyFile }: TlsValues): Effect.Effect<TlsFiles | undefined, BadFlag> => {
  if (Option.isNone(certFile) && Option.isNone(keyFile)) return Effect.succeed(undefined)
  if (Option.isSome(certFile) && Option.isSome(keyFile)) {
    return Effect.succeed({ certFile: certFile.value, keyFile: keyFile.value })
  }
  const missing = Option.isNone(certFile) ? "--cert-file" : "--key-file"
  return Effect.fail(new BadFlag({ message: `TLS for clients needs ${missing} too` }))
}
