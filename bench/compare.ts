/**
 * Compares Lithair on its runtimes, another checkout of it, etcd and a bare HTTP server, alternating within one run.
 * README.md says how, and what the flags are.
 */
import { runLines } from "./runLines.ts"

await runLines(process.argv.slice(2))
