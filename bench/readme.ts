/**
 * Measures all that README.md shows, in a quarter of an hour on two quiet cores, and puts it there: each line's report, samples
 * and charts into results, and its short tables between the marks of README.md. `--render` only puts there what is in
 * results. Prose around the marks stays as it is: read it again.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { conditions } from "./Report.ts"
import { runLines } from "./runLines.ts"
import type { Sample } from "./Sample.ts"
import { summary } from "./Summary.ts"

const readme = fileURLToPath(new URL("README.md", import.meta.url))
const results = fileURLToPath(new URL("results", import.meta.url))
const runtimes = join(results, "runtimes")

/** What is run, in this order: flags as `compare.ts` takes them. */
const parts: ReadonlyArray<readonly [out: string, flags: string]> = [
  [results, "writes --runs 5 --step-ms 1200"],
  [results, "reads --runs 3 --step-ms 1200 --clients 1,64"],
  [results, "transactions --runs 3 --step-ms 1200 --clients 1,64"],
  [runtimes, "writes --systems node,bun,deno --runs 1 --step-ms 1500 --clients 1,64"],
  [runtimes, "reads --systems node,bun,deno --runs 1 --step-ms 1500 --clients 1,64"],
  [results, "open-loop --runs 1"],
  [results, "overload --runs 1 --step-ms 1500"],
  [results, "failover --runs 3"],
  [results, "memory --runs 1"],
  [results, "records --systems node --runs 3 --step-ms 1500"],
  [results, "catch-up --systems node --runs 1 --step-ms 1500"],
  [results, "projections --runs 1 --step-ms 1500"],
  [results, "live --systems node --runs 1 --step-ms 1500"],
  [results, "access --systems node --runs 3 --step-ms 1500"],
  [results, "restart --runs 2"]
]

if (!process.argv.includes("--render")) {
  const beganMs = performance.now()
  for (const [out, flags] of parts) {
    console.error(`\n${Math.round((performance.now() - beganMs) / 1000)} s: ${flags}`)
    await runLines([...flags.split(" "), "--out", out])
  }
  console.error(`\n${Math.round((performance.now() - beganMs) / 1000)} s in all`)
}

/** `<!-- results: writes -->` and `<!-- end -->` stand around what is generated. */
const mark = /(<!-- results: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g
const text = readFileSync(readme, "utf8").replaceAll(mark, (whole, begin: string, name: string, end: string) => {
  const file = join(results, `${name}.json`)
  if (!existsSync(file)) return whole
  const samples = JSON.parse(readFileSync(file, "utf8")) as ReadonlyArray<Sample>
  return `${begin}\n${conditions(samples)} [All tables](results/${name}.md).\n\n${summary(samples)}\n\n${end}`
})
writeFileSync(readme, text)
