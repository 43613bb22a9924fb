/** Finds a port for a program that a test starts. */
import { createServer } from "node:net"
import { Effect } from "effect"

/** A port of this host that nobody listens to now. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
