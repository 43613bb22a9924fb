/** The flags of a node's operators: where they are served, and the file of their token. */
import { Effect, Option, Result } from "effect"
import type { Command } from "effect/cli"
import { parseListening } from "./Listening.ts"
import { BadFlag } from "./Peers.ts"
import { textFlag } from "./TextFlag.ts"

/** How operators reach a node. */
export interface AdminOptions {
  /**
   * Where `/_admin`, `/metrics` and `/docs` are served, and then nowhere else: `host:port`, a port of 127.0.0.1, or the path
   * of a unix socket. By default they are beside the API.
   */
  readonly listen?: string
  /** A file with the token that operators show, at least 32 characters. It is read again when it changes, and on SIGHUP. */
  readonly tokenFile?: string
}

/** The flags. */
export const adminFlags = {
  adminListen: textFlag(
    "admin-listen",
    "LITHAIR_ADMIN_LISTEN",
    "Serve operators here and nowhere else: host:port, port, or the path of a unix socket"
  ),
  adminTokenFile: textFlag(
    "admin-token-file",
    "LITHAIR_ADMIN_TOKEN_FILE",
    "A file with the token that operators show; then everybody needs a credential for /_admin"
  )
}

/** The values of the flags. */
export type AdminValues = Command.Command.Config.Infer<typeof adminFlags>

/** Turns the flags into options. Fails with `BadFlag`. */
export const adminOf = Effect.fnUntraced(function* ({
  adminListen,
  adminTokenFile
}: AdminValues): Effect.fn.Return<AdminOptions, BadFlag> {
  if (Option.isSome(adminListen)) {
    const parsed = parseListening(adminListen.value)
    if (Result.isFailure(parsed)) return yield* new BadFlag({ message: `--admin-listen: ${parsed.failure}` })
  }
  return {
    ...(Option.isSome(adminListen) ? { listen: adminListen.value } : {}),
    ...(Option.isSome(adminTokenFile) ? { tokenFile: adminTokenFile.value } : {})
  }
})
