/** Prints the first seed whose harm breaks a promise, as JSON: `node firstFailingHarm.ts <from> <count>`. The mutation tests run it with a fault in the sources. */
import { Effect, Logger } from "effect"
import { run } from "./Harm.ts"
import { failureOf } from "./HarmVerdict.ts"

const [from, count] = process.argv.slice(2).map(Number) as [number, number]

const firstFailing = Effect.gen(function* () {
  for (let seed = from; seed < from + count; seed++) {
    const failure = failureOf(yield* Effect.exit(run(seed)))
    if (failure !== undefined) return { seed, failure }
  }
  return null
}).pipe(Effect.provide(Logger.layer([])))

console.log(JSON.stringify(await Effect.runPromise(firstFailing)))
