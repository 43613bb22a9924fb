/** `lithair digest`: the digest of a running cluster's log, to keep outside and to compare with later (`verify --digest`). */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { Digest, digestPath } from "../Http/DigestRoutes.ts"
import { ask, credentials, nodes, readAnswer } from "./Connect.ts"
import { json, print } from "./Output.ts"

/** The command. */
export const digest = Command.make(
  "digest",
  { nodes, json, ...credentials },
  Effect.fnUntraced(function* ({ json, nodes, ...credentials }) {
    const response = yield* ask(nodes, credentials, { method: "GET", path: digestPath })
    const found = yield* readAnswer(Digest, response)
    yield* print(json, found, `${found.index}:${found.digest}`)
  })
).pipe(
  Command.withDescription("Print the digest of the log, INDEX:SHA256, to keep outside of the cluster"),
  Command.withExamples([
    { command: "lithair digest http://10.0.0.1:8081 >> digests.txt", description: "Keep one each day" }
  ])
)
