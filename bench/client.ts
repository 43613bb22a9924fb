/** The load generator's own process: runs one load for every message, and answers with its result. */
import { type LoadSpec, runLoad } from "./Load.ts"

process.on("message", (spec: LoadSpec) => {
  runLoad(spec).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    }
  )
})
process.on("disconnect", () => process.exit(0))
