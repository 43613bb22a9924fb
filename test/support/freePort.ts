/** Finds a port for a program that a test starts. */
import { createServer } from "node:net"
import { Effect } from "effect"

/**
 * Ports are drawn below those that Linux gives to outgoing connections (32,768 on): one of those might be taken between the
 * moment when it was free and that when the program listens.
 */
const first = 20_000
const count = 12_000

/** A port of this host that nobody listens to now. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const tryOne = (): void => {
    const port = first + Math.floor(Math.random() * count)
    const server = createServer()
    server.once("error", tryOne)
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(port))))
  }
  tryOne()
})
