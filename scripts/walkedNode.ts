/** Loaded into a node by walk.ts (`--import`): tells its parent which functions have run since the last question. */
import { Session } from "node:inspector/promises"

const session = new Session()
session.connect()
await session.post("Profiler.enable")
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })

process.on("message", async () => {
  const { result } = await session.post("Profiler.takePreciseCoverage")
  const ran = result
    .filter(({ url }) => url.includes("/src/") && !url.includes("node_modules"))
    .flatMap(({ functions, url }) =>
      functions.flatMap(({ ranges: [range] }) =>
        // A range from 0 on is the module itself, which runs when it is loaded.
        range !== undefined && range.count > 0 && range.startOffset > 0
          ? [{ file: url.slice(url.lastIndexOf("/src/") + "/src/".length), offset: range.startOffset }]
          : []
      )
    )
  process.send?.(ran)
})
// The channel must not keep a node alive that has stopped.
process.channel?.unref()
