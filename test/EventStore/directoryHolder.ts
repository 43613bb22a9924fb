/** A process of its own that holds a data directory until it is killed: it says "held", or why it was refused. */
import { Effect } from "effect"
import { layerDirectory } from "../../src/EventStore/Directory.ts"

const [directory = "", nodeId = ""] = process.argv.slice(2)
const say = (what: string) => Effect.sync(() => console.log(what))
const held = Effect.andThen(say("held"), Effect.never)
const told = Effect.catch(Effect.provide(held, layerDirectory({ directory, nodeId })), ({ _tag, message }) =>
  Effect.andThen(
    say(`${_tag}: ${message}`),
    Effect.sync(() => process.exit(1))
  )
)
Effect.runFork(told)
setInterval(() => {}, 60_000)
