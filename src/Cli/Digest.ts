/** `lithair digest`: the digest of a running cluster's log, to keep outside and to compare with later (`verify --digest`). */
import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { Digest, digestPath } from "../Http/DigestRoutes.ts"
import { credentials, get, nodes } from "./Connect.ts"
import { CommandFailed } from "./Exit.ts"
import { json, print } from "./Output.ts"

const read = Schema.decodeUnknownEffect(Schema.fromJsonString(Digest))

/** The command. */
export const digest = Command.make(
  "digest",
  { nodes, json, ...credentials },
  Effect.fnUntraced(function* ({ json, nodes, ...credentials }) {
    const response = yield* get(nodes, credentials, { path: digestPath })
    const found = yield* response.text.pipe(
      Effect.flatMap(read),
      Effect.mapError(
        () =>
          new CommandFailed({ message: "The node's answer is no digest: it is of another release", exit: "refused" })
      )
    )
    yield* print(json, found, `${found.index}:${found.digest}`)
  })
).pipe(
  Command.withDescription("Print the digest of the log, INDEX:SHA256, to keep outside of the cluster"),
  Command.withExamples([
    { command: "lithair digest http://10.0.0.1:8081 >> digests.txt", description: "Keep one each day" }
  ])
)
