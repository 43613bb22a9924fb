/** A unix socket that a server listens on: its file is for the user of the node alone, and a stale one is removed. */
import { chmodSync, lstatSync, unlink } from "node:fs"
import type { Server } from "node:http"
import { connect } from "node:net"
import process from "node:process"
import { Effect } from "effect"

/** What the mask takes from the file of a new socket: everything but reading and writing by its owner. */
const mask = 0o177
const ownerOnly = 0o600

/** Has the server make its socket so that no other user can connect, from the first moment on. */
export const ownerOnlySocket = (server: Server, path: string): void => {
  const listen = server.listen.bind(server) as (...args: ReadonlyArray<unknown>) => Server
  server.listen = ((...args: ReadonlyArray<unknown>) => {
    const before = process.umask(mask)
    try {
      return listen(...args)
    } finally {
      process.umask(before)
    }
  }) as Server["listen"]
  // Where the runtime makes the file later than in the call.
  server.once("listening", () => chmodSync(path, ownerOnly))
}

/** Removes the file of a socket on which nobody listens: a killed node leaves it behind. Leaves every other file. */
export const removeStale = (path: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (!isSocket(path)) return resume(Effect.void)
    const probe = connect(path)
    probe.once("connect", () => {
      probe.destroy()
      resume(Effect.void)
    })
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNREFUSED") return resume(Effect.void)
      // If the file stays, listening says what is wrong.
      unlink(path, () => resume(Effect.void))
    })
  })

const isSocket = (path: string): boolean => {
  try {
    return lstatSync(path).isSocket()
  } catch {
    // There is no such file, or it is out of reach: then listening says what is wrong.
    return false
  }
}
