/** Prints the first seed whose run fails, as JSON: `node firstFailing.ts <from> <count>`. The mutation tests run it with a fault in the sources. */
import * as Simulator from "../../src/Testing/simulator/Simulator.ts"
import { optionsOf } from "./simulatorSeeds.ts"

const [from, count] = process.argv.slice(2).map(Number) as [number, number]

const firstFailing = () => {
  for (let seed = from; seed < from + count; seed++) {
    const { failure } = Simulator.run(optionsOf(seed))
    if (failure !== undefined) return { seed, failure }
  }
  return null
}

console.log(JSON.stringify(firstFailing()))
