/** A process of its own that holds a data directory until it is killed: it says "held" once it has the lock. */
import { Effect } from "effect"
import { layerDirectory } from "../../src/EventStore/Directory.ts"

const [directory = "", nodeId = ""] = process.argv.slice(2)
const held = Effect.andThen(
  Effect.sync(() => console.log("held")),
  Effect.never
)
Effect.runFork(Effect.provide(held, layerDirectory({ directory, nodeId })))
setInterval(() => {}, 60_000)
